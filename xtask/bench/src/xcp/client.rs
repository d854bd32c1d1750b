//! The process that asks, and takes the time.

use std::time::Instant;

use bytes::Bytes;
use strait::xcp::compress::{Compressor, DEFAULT_LEVEL};
use strait::xcp::{Connection, OCTETS};
use strait_bench::Outcome;
use strait_bench::child::{self, argument};
use strait_bench::messages::{self, warm_up};
use strait_bench::schedule::median;

use super::server::{SHORT, Server, options, scheme};
use super::{AT_ONCE, BARE, MIB, TONIC, bare, grpc};

/// Role: starts a server, asks, and reports figures. Arguments: peer, socket, task, bytes, requests, steps of floats.
pub(super) const ROLE: &str = "xcp-client";

/// Bodies that are sent in turn: what comes back must be of the right one.
const BODIES: u32 = 16;
/// Of a unit, how many steps a signal has if nothing else is said.
pub(super) const STEPS: f64 = 4096.0;

/// What the figures of a run are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Task {
    /// Microseconds until connected, and until the first answer; medians.
    Connect,
    /// Microseconds of a request and its answer; median and 99th percentile.
    RoundTrip,
    /// Bytes one way per nanosecond, of requests that come back as they are: one at a time, and several at once.
    Rate,
    /// The same with empty answers.
    Upload,
}

impl Task {
    const ALL: [Self; 4] = [Self::Connect, Self::RoundTrip, Self::Rate, Self::Upload];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::RoundTrip => "round-trip",
            Self::Rate => "rate",
            Self::Upload => "upload",
        }
    }
}

pub(super) fn play(args: &[String]) -> Outcome<()> {
    child::settle_on(child::PARENT_CPU)?;
    let (peer, socket, task): (String, String, String) =
        (argument(args, 0)?, argument(args, 1)?, argument(args, 2)?);
    let (len, count): (usize, u64) = (argument(args, 3)?, argument(args, 4)?);
    let steps = argument(args, 5).unwrap_or(STEPS);
    let task = Task::ALL.into_iter().find(|known| known.name() == task).ok_or("no such task")?;
    child::report_ready()?;
    let server = Server::start(&peer, &socket)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let run = async move {
        let figures = run(&peer, &socket, &server.address, task, &bodies(len, steps), count).await;
        figures.map_err(|error| error.to_string())
    };
    // In a task, as requests mostly are: what `block_on` is given, the runtime asks the sockets before it goes on with.
    let figures = runtime.block_on(async { tokio::spawn(run).await })??;
    child::report_figures(&figures);
    Ok(())
}

async fn run(
    peer: &str,
    socket: &str,
    address: &str,
    task: Task,
    bodies: &[Bytes],
    count: u64,
) -> Outcome<Vec<f64>> {
    let connect = || Client::connect(peer, socket, address);
    if task == Task::Connect {
        return connects(connect, bodies, count).await;
    }
    let mut client = connect().await?;
    if task == Task::RoundTrip {
        return round_trips(client, bodies, count).await;
    }
    if let (Task::Upload, Client::Xcp { short, .. }) = (task, &mut client) {
        *short = true;
    }
    rates(client, bodies, count).await
}

/// Those of many bytes are few: they are all made before the first is sent.
fn bodies(len: usize, steps: f64) -> Vec<Bytes> {
    let count = if len > MIB { 2 } else { BODIES };
    (0..count).map(|number| body(len, steps, number)).collect()
}

/// A smooth signal between -1 and 1 in steps of 1/`steps`, as 32-bit floats, with the body's number in front.
fn body(len: usize, steps: f64, number: u32) -> Bytes {
    let mut at = f64::from(number) * 1000.0;
    let mut body = Vec::with_capacity(len + 4);
    while body.len() < len {
        #[expect(clippy::cast_possible_truncation, reason = "a sample")]
        let sample = (((at / 700.0).sin() * steps).round() / steps) as f32;
        body.extend_from_slice(&sample.to_le_bytes());
        at += 1.0;
    }
    body.truncate(len);
    messages::write_number(&mut body, number.into());
    Bytes::from(body)
}

/// How many times shorter compression makes a body.
#[expect(clippy::cast_precision_loss, reason = "lengths are far below 2^52")]
pub(super) fn ratio(len: usize, steps: f64) -> Outcome<f64> {
    let mut packed = Vec::new();
    Compressor::new().compress(DEFAULT_LEVEL, &body(len, steps, 0), &mut packed)?;
    Ok(len as f64 / packed.len() as f64)
}

/// Whether this is the answer to the body of that number and length.
pub(super) fn check(reply: &[u8], number: u64, len: usize) -> Outcome<()> {
    messages::check(reply, number, len)
}

enum Client {
    Bare(bare::Client),
    Tonic(grpc::Client),
    /// With requests for short answers or full ones.
    Xcp {
        connection: Connection,
        short: bool,
    },
}

impl Client {
    async fn connect(peer: &str, socket: &str, address: &str) -> Outcome<Self> {
        Ok(match peer {
            BARE => Self::Bare(bare::Client::connect(socket, address).await?),
            TONIC => Self::Tonic(grpc::Client::connect(socket, address).await?),
            peer => {
                let address = format!("{}://{address}", scheme(socket));
                Self::Xcp { connection: options(peer).connect(&address).await?, short: false }
            }
        })
    }

    async fn ask(&mut self, number: u64, body: &Bytes) -> Outcome<()> {
        match self {
            Self::Bare(client) => client.ask(number, body).await,
            Self::Tonic(client) => client.ask(number, body).await,
            Self::Xcp { connection, short } => ask(connection, *short, number, body).await,
        }
    }

    /// Asks `count` times, `at_once` at once.
    async fn ask_all(&mut self, bodies: &[Bytes], count: u64, at_once: usize) -> Outcome<()> {
        let each = count / u64::try_from(at_once)?;
        // What the workers of a peer do: the same bodies in turn, each waiting for its own answers.
        macro_rules! workers {
            ($ask:expr) => {{
                let mut workers = tokio::task::JoinSet::new();
                for _ in 0..at_once {
                    let (bodies, ask) = (bodies.to_vec(), $ask);
                    workers.spawn(async move {
                        for (_, (number, body)) in (0..each).zip((0..).zip(&bodies).cycle()) {
                            let answered = ask(number, body.clone()).await;
                            answered.map_err(|error| error.to_string())?;
                        }
                        Ok::<(), String>(())
                    });
                }
                while let Some(worker) = workers.join_next().await {
                    worker??;
                }
                Ok(())
            }};
        }
        match self {
            Self::Bare(client) => client.ask_all(bodies, count, at_once).await,
            Self::Tonic(client) => workers!({
                let client = client.clone();
                move |number, body: Bytes| {
                    let mut client = client.clone();
                    async move { client.ask(number, &body).await }
                }
            }),
            Self::Xcp { connection, short } => workers!({
                let (connection, short) = (connection.clone(), *short);
                move |number, body: Bytes| {
                    let connection = connection.clone();
                    async move { ask(&connection, short, number, &body).await }
                }
            }),
        }
    }
}

async fn ask(connection: &Connection, short: bool, number: u64, body: &Bytes) -> Outcome<()> {
    let request = connection.request_body(OCTETS, body.clone());
    if short {
        let reply = request.tag(SHORT, "1").await?;
        return if reply.body().is_empty() { Ok(()) } else { Err("an answer with a body".into()) };
    }
    check(request.await?.body(), number, body.len())
}

fn micros(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e6
}

async fn connects<F>(connect: impl Fn() -> F, bodies: &[Bytes], count: u64) -> Outcome<Vec<f64>>
where
    F: Future<Output = Outcome<Client>>,
{
    let (mut connected, mut answered) = (Vec::new(), Vec::new());
    for _ in 0..count {
        let start = Instant::now();
        let mut client = connect().await?;
        connected.push(micros(start));
        client.ask(0, &bodies[0]).await?;
        answered.push(micros(start));
    }
    let from = usize::try_from(warm_up(count))?;
    Ok(vec![median(&connected[from..]), median(&answered[from..])])
}

async fn round_trips(mut client: Client, bodies: &[Bytes], count: u64) -> Outcome<Vec<f64>> {
    let mut times = Vec::new();
    for (_, (number, body)) in (0..count).zip((0..).zip(bodies).cycle()) {
        let start = Instant::now();
        client.ask(number, body).await?;
        times.push(micros(start));
    }
    let times = &mut times[usize::try_from(warm_up(count))?..];
    times.sort_by(f64::total_cmp);
    Ok(vec![median(times), times[times.len() * 99 / 100]])
}

async fn rates(mut client: Client, bodies: &[Bytes], count: u64) -> Outcome<Vec<f64>> {
    let len = bodies.first().ok_or("no bodies")?.len();
    let mut rates = Vec::new();
    for at_once in [1, AT_ONCE] {
        let count = count.next_multiple_of(8);
        client.ask_all(bodies, warm_up(count).next_multiple_of(8), at_once).await?;
        let start = Instant::now();
        client.ask_all(bodies, count, at_once).await?;
        #[expect(clippy::cast_precision_loss, reason = "lengths are far below 2^52")]
        rates.push(count as f64 * len as f64 / start.elapsed().as_secs_f64() / 1e9);
    }
    Ok(rates)
}
