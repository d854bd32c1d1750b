//! How does `strait xcp bench` measure requests that are sent back?

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use clap::Args;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore as _, SeedableRng as _};
use serde::Serialize;
use strait::codec::Registry;
use strait::xcp::{CodecId, Connection, Ether, OCTETS, Server};
use tokio::task::JoinSet;
use tracing::level_filters::LevelFilter;

use super::command::{ClientTls, Speech};
use super::dialect;
use super::failure;
use super::names::{self, codec_name, codec_names};
use super::runtime;
use crate::exit::Failure;
use crate::latency::{Latency, Percentiles};
use crate::report::{self, Troubles};

/// Options of `strait xcp bench`.
#[derive(Debug, Args)]
pub(crate) struct BenchArgs {
    /// A server that sends back what it gets, as `strait xcp serve --echo` does [default: one in this process, over a
    /// Unix socket, on Windows over TCP]
    url: Option<String>,

    /// Bytes of each message, about, before compression
    #[arg(short, long, value_name = "SIZE", default_value = "1K", value_parser = names::bytes)]
    size: u64,

    /// Requests of each connection that are measured
    #[arg(short = 'n', long, value_name = "COUNT", default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..))]
    count: u64,

    /// Requests of each connection before that
    #[arg(long, value_name = "COUNT", default_value_t = 100)]
    warm_up: u64,

    /// Connections, each with one request at a time
    #[arg(short, long, value_name = "COUNT", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=1024))]
    concurrency: u64,

    /// What the messages are: octets, json, protobuf, f32
    #[arg(long, value_name = "CODEC", default_value = "octets", value_parser = names::codec)]
    codec: CodecId,

    #[command(flatten)]
    tls: ClientTls,

    #[command(flatten)]
    speech: Speech,
}

/// Report of a measurement.
#[derive(Debug, Default, Serialize)]
struct BenchReport {
    operation: &'static str,
    url: String,
    dialect: Option<String>,
    codec: String,
    /// Of one body.
    bytes: usize,
    concurrency: u64,
    requests: u64,
    duration_seconds: f64,
    requests_per_second: f64,
    /// Bodies there and back, MiB.
    throughput_mbps: f64,
    round_trip_us: Option<Percentiles>,
    errors: Vec<String>,
}

/// Runs `strait xcp bench`.
pub(crate) fn run(args: &BenchArgs) -> Result<(), Failure> {
    let mut report = BenchReport {
        operation: "xcp-bench",
        codec: codec_name(args.codec),
        concurrency: args.concurrency,
        ..BenchReport::default()
    };
    let mut troubles = Troubles::default();
    let _log = args.speech.listen_to_library(LevelFilter::WARN, false);
    if let Err(failure) = bench(args, &mut report) {
        troubles.add(failure);
    }
    report.errors = troubles.messages();
    let printed = if args.speech.json_output {
        report::json(&report).and_then(|text| report::print(&text))
    } else if report.requests > 0 {
        report::print(&lines(&report))
    } else {
        Ok(())
    };
    troubles.conclude().and(printed)
}

fn bench(args: &BenchArgs, report: &mut BenchReport) -> Result<(), Failure> {
    let body = body(args.codec, args.size)?;
    report.bytes = body.len();
    let options = args.speech.options()?;
    runtime::run(async {
        let mut own = JoinSet::new();
        let url = match &args.url {
            Some(url) => url.clone(),
            None => {
                let server = options.listen(&own_address()).await.map_err(failure::connect)?;
                let url = server.address().to_string();
                own.spawn(echo(server));
                url
            }
        };
        report.url.clone_from(&url);
        let options = args.tls.apply(options, &url)?;
        let mut connections = Vec::new();
        for _ in 0..args.concurrency {
            let connection = options.connect(&url).await.map_err(failure::connect)?;
            let agreed = connection.agreed();
            report.dialect = Some(dialect::name(agreed.dialect));
            if !agreed.has_codec(args.codec) {
                return Err(Failure::write(format_args!(
                    "the peer does not read {}: it reads {}",
                    codec_name(args.codec),
                    codec_names(&agreed.codecs)
                )));
            }
            connections.push(connection);
        }
        for connection in &connections {
            rounds(connection, args.codec, &body, args.warm_up).await?;
        }
        let began = Instant::now();
        let mut running = JoinSet::new();
        for connection in connections {
            let (codec, body, count) = (args.codec, body.clone(), args.count);
            running.spawn(async move { rounds(&connection, codec, &body, count).await });
        }
        let mut latency = Latency::new();
        while let Some(ended) = running.join_next().await {
            latency.merge(&ended.map_err(Failure::read)??);
        }
        let seconds = began.elapsed().as_secs_f64();
        report.requests = args.count * args.concurrency;
        report.duration_seconds = seconds;
        report.round_trip_us = Percentiles::of(&latency);
        #[expect(clippy::cast_precision_loss, reason = "a number for people")]
        {
            report.requests_per_second = report.requests as f64 / seconds;
            report.throughput_mbps =
                report.requests_per_second * 2.0 * report.bytes as f64 / f64::from(1 << 20);
        }
        own.shutdown().await;
        Ok(())
    })
}

/// Sends `body` so many times, and checks that it comes back; how long each round took.
async fn rounds(
    connection: &Connection,
    codec: CodecId,
    body: &Bytes,
    count: u64,
) -> Result<Latency, Failure> {
    let mut latency = Latency::new();
    for _ in 0..count {
        let asked = Instant::now();
        let mut answer = connection.request_body(codec, body.clone()).await.map_err(failure::request)?;
        let back = super::body::whole(&mut answer, body.len() as u64).await.map_err(Failure::read)?;
        latency.add(u64::try_from(asked.elapsed().as_nanos()).unwrap_or(u64::MAX));
        // Python's implementation writes ethers anew: only their codec is the same.
        if back != *body && !(connection.dialect().is_strict() && answer.codec() == codec) {
            return Err(Failure::verify(format_args!(
                "{} bytes came back, and {} were sent, or others: is it `strait xcp serve --echo`?",
                back.len(),
                body.len()
            )));
        }
    }
    Ok(latency)
}

/// A message of about `size` bytes; those of random bytes do not become shorter.
fn body(codec: CodecId, size: u64) -> Result<Bytes, Failure> {
    let size = usize::try_from(size).map_err(Failure::usage)?;
    let mut random = vec![0; size];
    ChaCha8Rng::seed_from_u64(1).fill_bytes(&mut random);
    if codec == OCTETS {
        return Ok(random.into());
    }
    let ether = match codec {
        CodecId::JSON | CodecId::PROTOBUF => {
            let text = random.iter().map(|byte| char::from(b'a' + byte % 26));
            Ether::text(&text.collect::<String>())
        }
        CodecId::TENSOR_F32 => {
            let values: Vec<f32> = random.chunks_exact(4).map(|four| f32::from(four[0]) / 7.0).collect();
            let len = u32::try_from(values.len()).map_err(Failure::usage)?;
            let tensor = strait::codec::Tensor::f32(&[len], &values).map_err(Failure::usage)?;
            Ether::of_tensor("tensor", &tensor)
        }
        other => {
            let other = codec_name(other);
            return Err(Failure::usage(format_args!(
                "{other} is not measured: octets, json, protobuf and f32 are"
            )));
        }
    };
    let mut body = Vec::new();
    Registry::new().encode(codec, &ether, &mut body).map_err(Failure::usage)?;
    Ok(body.into())
}

/// Where the server of this process listens.
#[cfg(unix)]
fn own_address() -> String {
    let socket = std::env::temp_dir().join(format!("strait-xcp-bench-{}.sock", std::process::id()));
    format!("unix://{}", socket.display())
}

/// Where the server of this process listens.
#[cfg(not(unix))]
fn own_address() -> String {
    "tcp://127.0.0.1:0".to_owned()
}

/// Sends every message back, without looking at it.
async fn echo(mut server: Server) {
    let mut connections = JoinSet::new();
    while let Some(connection) = server.accept().await {
        let connection = Arc::new(connection);
        connections.spawn(async move {
            while let Some(mut message) = connection.recv().await {
                let codec = message.codec();
                // The client waits for an answer, and would wait for ever.
                let Ok(body) = super::body::whole(&mut message, u64::MAX).await else { return };
                if connection.reply_body(&message, codec, body).await.is_err() {
                    return;
                }
            }
        });
    }
}

fn lines(report: &BenchReport) -> String {
    let mut text = format!(
        "{}, {} connections, {} requests of {} bytes as {}\nseconds   {:.3}\nrequests  {:.0} per second\nMiB/s     {:.1} there \
         and back\n",
        report.url,
        report.concurrency,
        report.requests,
        report.bytes,
        report.codec,
        report.duration_seconds,
        report.requests_per_second,
        report.throughput_mbps
    );
    for (name, us) in report.round_trip_us.iter().flat_map(Percentiles::named) {
        text += &format!("{name:<9} {us:.1} us\n");
    }
    text
}
