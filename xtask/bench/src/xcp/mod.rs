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
use strait_bench::schedule::{Group, Row, Target, contender_of};

use client::{STEPS, Task};

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
    let few = |many: u64| if quick { many / 10 } else { many };
    let mut groups = vec![frames::group()];
    for socket in [TCP, UNIX] {
        groups.push(connects(socket, few(5000)));
        groups.push(round_trips(socket, "64 B", 64, few(50_000)));
        groups.push(round_trips(socket, "16 KiB", 16 << 10, few(25_000)));
        groups.push(rates(socket, few(2000)));
    }
    groups.extend([compressed("1 MiB", MIB, few(2000)), compressed("16 MiB", 16 * MIB, few(100))]);
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

fn task(peer: &str, socket: &str, task: Task, len: usize, count: u64, steps: f64) -> Outcome<Vec<f64>> {
    let (len, count, steps) = (len.to_string(), count.to_string(), steps.to_string());
    let args = [peer, socket, task.name(), &len, &count, &steps].map(str::to_owned);
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
        contender_of(names, move || task(peer, socket, what, len, count, STEPS))
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
///
/// The fewer steps a smooth signal has, the more of it repeats. In steps of 1/4096 this one does so after 57 177 samples,
/// 229 kB: what comes before is a fifth of 1 MiB and next to nothing of 16 MiB.
fn compressed(size: &str, len: usize, count: u64) -> Group {
    let run = |peer: &'static str, what: Task, steps: f64| move || task(peer, TCP, what, len, count, steps);
    let names = |what: &str| [what.to_owned(), format!("{what}, 8 at once")].map(named).to_vec();
    let (fine, coarse) = (STEPS, 256.0);
    let shorter = [fine, coarse].map(|steps| client::ratio(len, steps).map_or(f64::NAN, f64::round));
    let label = |steps: f64, what: &str| {
        let times = shorter[usize::from(steps < fine)];
        named(format!(
            "XCP over {TCP}: {size} of floats in steps of 1/{steps}, {times} times shorter, {what}"
        ))
    };
    let one_way = |steps, at| Row {
        label: label(steps, if at % 2 == 0 { "one way" } else { "one way, 8 at once" }),
        ours: at,
        reference: Some(at % 2),
        target: Target::ValueAbove(1.0),
    };
    let echo = |at| Row {
        label: label(coarse, "there and back, 8 at once"),
        ours: at,
        reference: None,
        target: Target::None,
    };
    Group {
        name: named(format!("xcp compressed {size}")),
        unit: "GB/s of floats",
        is_exact: false,
        contenders: vec![
            contender_of(names("not compressed"), run(XCP, Task::Upload, fine)),
            contender_of(names("1/4096"), run(PACKED, Task::Upload, fine)),
            contender_of(names("1/256"), run(PACKED, Task::Upload, coarse)),
            contender_of(names("1/256, there and back"), run(PACKED, Task::Rate, coarse)),
        ],
        rows: vec![one_way(fine, 2), one_way(fine, 3), one_way(coarse, 4), one_way(coarse, 5), echo(7)],
    }
}
