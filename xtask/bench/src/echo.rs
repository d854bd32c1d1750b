//! How long does a 64-byte request and its reply take, when both sides spin?

use strait::WaitPolicy;
use strait_bench::Outcome;
use strait_bench::child::{self, Child, argument};
use strait_bench::lines::{self, BATCH, time_batches};
use strait_bench::messages::{check, write_number};
use strait_bench::schedule::{Group, Row, Target, contender};

use crate::buffers::{self, Sweep};

/// Role: sends every frame back from where it lies. Arguments: request buffer, reply buffer, round trips.
pub(crate) const STRAIT: &str = "echo-strait";

const LEN: usize = 64;
const RING: u64 = 64 << 10;
/// Spinning first, and for long: both sides answer within that.
const SPINNING: WaitPolicy = WaitPolicy { min_spins: 1_000_000, max_spins: 1_000_000, yields: 0 };

/// Two cache lines, against two buffers.
pub(crate) fn group(quick: bool) -> Group {
    let trips = BATCH * if quick { 1_000 } else { 4_000 };
    Group {
        name: "round trip 64 B",
        unit: "ns",
        is_exact: false,
        contenders: vec![
            contender("two cache lines", move || lines::client(trips)),
            contender("Strait, spinning", move || strait_client(trips, Some(SPINNING))),
            contender("Strait, default waiting", move || strait_client(trips, None)),
        ],
        rows: vec![
            Row {
                label: "round trip 64 B, spinning",
                ours: 1,
                reference: Some(0),
                target: Target::RatioAtMost(2.5),
            },
            Row {
                label: "round trip 64 B, default waiting",
                ours: 2,
                reference: Some(0),
                target: Target::None,
            },
        ],
    }
}

pub(crate) fn strait_client(trips: u64, policy: Option<WaitPolicy>) -> Outcome<f64> {
    let (request, reply) = (child::unique_name("request"), child::unique_name("reply"));
    let _sweep = Sweep(&request);
    let mut replies = buffers::create(&reply, RING, policy)?;
    let spinning = policy.is_some().to_string();
    let mut child = Child::start(STRAIT, &[request.clone(), reply, trips.to_string(), spinning])?;
    let mut requests = buffers::connect(&request, policy)?;
    child.go()?;
    let mut frame = [0; LEN];
    let nanos = time_batches(trips, |number| {
        write_number(&mut frame, number);
        requests.send(&frame)?;
        check(&replies.recv()?, number, LEN)
    })?;
    child.finish()?;
    Ok(nanos)
}

pub(crate) fn strait_server(args: &[String]) -> Outcome<()> {
    child::settle()?;
    let (request, reply): (String, String) = (argument(args, 0)?, argument(args, 1)?);
    let trips: u64 = argument(args, 2)?;
    let policy = argument::<bool>(args, 3)?.then_some(SPINNING);
    let mut requests = buffers::create(&request, RING, policy)?;
    let mut replies = buffers::connect(&reply, policy)?;
    child::report_ready()?;
    for _ in 0..trips {
        let frame = requests.recv()?;
        replies.send(&frame)?;
    }
    Ok(())
}
