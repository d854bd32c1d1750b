//! How long do a call and its response take over a duplex channel, next to two streams, and by kind of handler?

use core::time::Duration;
use std::time::Instant;

use strait::zerobuffer::duplex::{Channel, Client, Request};

use strait_bench::Outcome;
use strait_bench::child::{self, Child, argument};
use strait_bench::lines::time_batches;
use strait_bench::schedule::{Group, Row, Target, contender, median};

use crate::echo::strait_client;

/// Role: serves. Arguments: channel, kind of handler, requests.
pub(crate) const SERVER: &str = "duplex-server";

const SMALL: usize = 64;
/// One picture of 1920 × 1080 pixels, 1.5 bytes each.
const LARGE: usize = 3_110_400;
const SMALL_RING: u64 = 64 << 10;
/// Four pictures with their headers.
const LARGE_RING: u64 = 4 * (LARGE as u64 + 64);

/// Handlers that invert every byte.
const RETURNED: &str = "returned";
const IN_PLACE: &str = "in-place";
const SHARED: &str = "shared";
/// The handler that returns its request.
const ECHO: &str = "echo";

/// A call against a request and a reply over two streams.
pub(crate) fn small(quick: bool) -> Group {
    let trips = if quick { 20_000 } else { 200_000 };
    Group {
        name: "duplex 64 B",
        unit: "ns",
        is_exact: false,
        contenders: vec![
            contender("two streams", move || strait_client(trips, None)),
            contender("duplex call", move || call_small(trips)),
        ],
        rows: vec![Row {
            label: "duplex call 64 B, default waiting",
            ours: 1,
            reference: Some(0),
            target: Target::RatioAtMost(1.5),
        }],
    }
}

/// A picture, every byte of it inverted by the server.
pub(crate) fn large(quick: bool) -> Group {
    let trips = if quick { 50 } else { 400 };
    Group {
        name: "duplex 3.1 MB",
        unit: "µs",
        is_exact: false,
        contenders: vec![
            contender("immutable: returned", move || call_large(trips, RETURNED)),
            contender("mutable", move || call_large(trips, IN_PLACE)),
            contender("mutable, shared", move || call_large(trips, SHARED)),
        ],
        rows: vec![
            Row {
                label: "duplex 3.1 MB, mutable, copied once",
                ours: 1,
                reference: Some(0),
                target: Target::RatioAtMost(0.6),
            },
            Row {
                label: "duplex 3.1 MB, mutable, shared",
                ours: 2,
                reference: Some(0),
                target: Target::RatioAtMost(0.6),
            },
        ],
    }
}

fn channel(name: &str, ring: u64, kind: &str) -> Channel {
    Channel::new(name).metadata_capacity(0).payload_capacity(ring).share_payload(kind == SHARED)
}

fn connect(ring: u64, kind: &str, trips: u64) -> Outcome<(Child, Client)> {
    let name = child::unique_name("duplex");
    let mut server =
        Child::start(SERVER, &[name.clone(), kind.to_owned(), trips.to_string(), ring.to_string()])?;
    server.go()?;
    let client = channel(&name, ring, kind).connect()?;
    Ok((server, client))
}

fn call_small(trips: u64) -> Outcome<f64> {
    let (server, client) = connect(SMALL_RING, ECHO, trips)?;
    let mut request = [0; SMALL];
    let nanos = time_batches(trips, |number| {
        request[..8].copy_from_slice(&number.to_le_bytes());
        let response = client.call(&request)?;
        if *response == request { Ok(()) } else { Err(format!("wrong response to {number}").into()) }
    })?;
    drop(client);
    server.finish()?;
    Ok(nanos)
}

fn call_large(trips: u64, kind: &str) -> Outcome<f64> {
    let (server, client) = connect(LARGE_RING, kind, trips)?;
    let mut times = Vec::new();
    for number in 0..trips {
        let start = Instant::now();
        let mut request = client.reserve_request(LARGE)?;
        let [first, .., last] = &mut *request else { return Err("a request without bytes".into()) };
        (*first, *last) = (number.to_le_bytes()[0], 7);
        request.commit()?;
        let response = client.receive_response()?;
        times.push(start.elapsed().as_secs_f64() * 1e6);
        let ends = (response.first().copied(), response.last().copied(), response.len());
        let is_shared = response.is_shared();
        if ends != (Some(!number.to_le_bytes()[0]), Some(!7), LARGE) || is_shared != (kind == SHARED) {
            return Err(format!("wrong response to {number}: {ends:?}, shared: {is_shared}").into());
        }
    }
    drop(client);
    server.finish()?;
    Ok(median(&times[times.len() / 10..]))
}

pub(crate) fn server(args: &[String]) -> Outcome<()> {
    child::settle()?;
    let (name, kind): (String, String) = (argument(args, 0)?, argument(args, 1)?);
    let (requests, ring): (u64, u64) = (argument(args, 2)?, argument(args, 3)?);
    let channel = channel(&name, ring, &kind);
    let server = match kind.as_str() {
        ECHO => channel.serve(|request: &Request| Ok::<_, String>(request.to_vec())),
        RETURNED => {
            channel.serve(|request: &Request| Ok::<_, String>(request.iter().map(|byte| !byte).collect()))
        }
        _ => channel.serve_mut(|request| {
            request.iter_mut().for_each(|byte| *byte = !*byte);
            Ok::<_, String>(())
        }),
    }?;
    child::report_ready()?;
    while server.statistics().requests < requests {
        // Nothing that is measured: the server has a thread of its own.
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}
