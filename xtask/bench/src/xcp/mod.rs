//! How fast are requests over XCP, next to gRPC and to the bare socket?
//!
//! Client and server are two processes, each on a processor of its own with tokio's current-thread runtime. Within one
//! repetition three peers do the same over the same kind of socket, one after the other: `bare` sends a length and the
//! bytes, `tonic` makes unary calls with a message of one bytes field, XCP asks with bodies that it does not look into.

mod bare;
mod client;
mod frames;
mod grpc;
mod server;

use strait_bench::Outcome;
use strait_bench::child;
use strait_bench::schedule::{Group, Row, Target, contender, contender_of};

use client::Task;

type Play = fn(&[String]) -> Outcome<()>;

/// What a process can be.
pub(crate) const ROLES: &[(&str, Play)] =
    &[(client::ROLE, client::play), (server::ROLE, server::play), (frames::ROLE, frames::play)];

/// Who serves, and who asks.
const BARE: &str = "bare";
const TONIC: &str = "tonic";
const XCP: &str = "xcp";
/// XCP with compression.
const PACKED: &str = "xcp-compressed";

const TCP: &str = "TCP";
const UNIX: &str = "Unix";

const MIB: usize = 1 << 20;
/// Requests under way at once, where they are not made one at a time.
const AT_ONCE: usize = 8;

/// Everything but instruction counts.
pub(crate) fn groups(quick: bool) -> Vec<Group> {
    let few = |many: u64| if quick { many / 5 } else { many };
    let mut groups = vec![frames::group()];
    for socket in [TCP, UNIX] {
        groups.push(connects(socket, few(5000)));
        groups.push(round_trips(socket, "64 B", 64, few(50_000)));
        groups.push(round_trips(socket, "16 KiB", 16 << 10, few(25_000)));
        groups.push(rates(socket, few(2000)));
    }
    groups.push(compressed(few(2000)));
    groups
}

/// Instructions of a frame.
pub(crate) fn instructions() -> Group {
    frames::instructions()
}

/// Names live as long as the program.
fn named(name: String) -> &'static str {
    name.leak()
}

fn task(peer: &str, socket: &str, task: Task, len: usize, count: u64) -> Outcome<Vec<f64>> {
    let args = [peer, socket, task.name(), &len.to_string(), &count.to_string()].map(str::to_owned);
    child::figures_of(client::ROLE, &args)
}

/// Three peers, two figures each: of one, at 2 * its place and the next.
fn three(
    socket: &'static str,
    what: Task,
    figures: [&str; 2],
    len: usize,
    count: u64,
) -> Vec<strait_bench::schedule::Contender> {
    let contender = |peer: &'static str| {
        let names = figures.map(|figure| named(format!("{peer} {figure}"))).to_vec();
        contender_of(names, move || task(peer, socket, what, len, count))
    };
    vec![contender(BARE), contender(TONIC), contender(XCP)]
}

/// Places of the first figure of each in [`three`].
const BARE_AT: usize = 0;
const TONIC_AT: usize = 2;
const XCP_AT: usize = 4;

fn row(label: String, ours: usize, reference: usize, target: Target) -> Row {
    Row { label: named(label), ours, reference: Some(reference), target }
}

fn connects(socket: &'static str, count: u64) -> Group {
    let label = |what: &str| format!("XCP over {socket}: {what}");
    Group {
        name: named(format!("xcp connect, {socket}")),
        unit: "µs",
        is_exact: false,
        contenders: three(socket, Task::Connect, ["connected", "first answer"], 64, count),
        rows: vec![
            Row {
                target: Target::ValueBelow(1000.0),
                ..row(label("connect and handshake"), XCP_AT, BARE_AT, Target::None)
            },
            row(label("connect to first answer"), XCP_AT + 1, BARE_AT + 1, Target::None),
            row(label("connect to first answer"), XCP_AT + 1, TONIC_AT + 1, Target::None),
        ],
    }
}

fn round_trips(socket: &'static str, size: &str, len: usize, count: u64) -> Group {
    let label = |what: &str| format!("XCP over {socket}: {size} there and back, {what}");
    Group {
        name: named(format!("xcp {size}, {socket}")),
        unit: "µs",
        is_exact: false,
        contenders: three(socket, Task::RoundTrip, ["p50", "p99"], len, count),
        rows: vec![
            row(label("p50"), XCP_AT, BARE_AT, Target::RatioAtMost(1.3)),
            row(label("p50"), XCP_AT, TONIC_AT, Target::None),
            row(label("p99"), XCP_AT + 1, BARE_AT + 1, Target::None),
            row(label("p99"), XCP_AT + 1, TONIC_AT + 1, Target::None),
        ],
    }
}

fn rates(socket: &'static str, count: u64) -> Group {
    let label = |what: &str| format!("XCP over {socket}: 1 MiB there and back, {what}");
    Group {
        name: named(format!("xcp 1 MiB, {socket}")),
        unit: "GB/s one way",
        is_exact: false,
        contenders: three(socket, Task::Rate, ["one at a time", "8 at once"], MIB, count),
        rows: vec![
            row(label("one at a time"), XCP_AT, TONIC_AT, Target::RatioAtLeast(2.0)),
            row(label("one at a time"), XCP_AT, BARE_AT, Target::None),
            row(label("8 at once"), XCP_AT + 1, TONIC_AT + 1, Target::RatioAtLeast(2.0)),
            row(label("8 at once"), XCP_AT + 1, BARE_AT + 1, Target::None),
        ],
    }
}

/// Floats that become shorter: bytes as the user has them, whatever goes over the wire.
fn compressed(count: u64) -> Group {
    let run = |peer: &'static str, what: Task| move || task(peer, TCP, what, MIB, count);
    let names = |peer: &str, way: &str| {
        [format!("{peer}, {way}"), format!("{peer}, {way}, 8 at once")].map(named).to_vec()
    };
    let label = |what: &str| format!("XCP over {TCP}: 1 MiB of smooth floats, compressed, {what}");
    let alone = |what, at, reference| row(label(what), at, reference, Target::ValueAbove(1.0));
    Group {
        name: "xcp compressed 1 MiB",
        unit: "GB/s of floats",
        is_exact: false,
        contenders: vec![
            contender_of(names("XCP plain", "one way"), run(XCP, Task::Upload)),
            contender_of(names("XCP compressed", "one way"), run(PACKED, Task::Upload)),
            contender_of(names("XCP plain", "there and back"), run(XCP, Task::Rate)),
            contender_of(names("XCP compressed", "there and back"), run(PACKED, Task::Rate)),
            contender("times shorter", client::ratio),
        ],
        rows: vec![
            alone("one way", 2, 0),
            alone("one way, 8 at once", 3, 1),
            row(label("there and back"), 6, 4, Target::None),
            row(label("there and back, 8 at once"), 7, 5, Target::None),
        ],
    }
}
