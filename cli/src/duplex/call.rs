//! `strait duplex call`: sends requests, prints the response or how long responses took.

use core::fmt::Write as _;
use core::time::Duration;

use clap::{Args, ValueEnum};
use serde::Serialize;
use strait::zerobuffer::duplex::{Channel, Client, ConnectError};
use strait::zerobuffer::{ConnectError as Buffer, CreateError};

use super::calls::{Calls, Tally};
use crate::args::{Creation, Metadata, Place, Trust};
use crate::exit::Failure;
use crate::interrupt::{Interrupt, Patience, SLICE};
use crate::latency::Percentiles;
use crate::report::{self, Troubles};
use crate::transform::Transform;

/// Options of `strait duplex call`.
#[derive(Debug, Args)]
pub(crate) struct CallArgs {
    /// Name of the channel, which its server creates
    channel: String,

    /// The request, as text; without it and --file it is what standard input holds
    text: Option<String>,

    /// The request, from a file; `-` is standard input
    #[arg(long, value_name = "FILE", conflicts_with = "text")]
    file: Option<Place>,

    #[command(flatten)]
    metadata: Metadata,

    /// How often it is sent, 0 or -1 = until interrupted. If once, and without --json-output, the response's bytes are printed
    /// and nothing else; otherwise a report
    #[arg(short = 'n', long, value_name = "COUNT", default_value_t = 1, allow_negative_numbers = true, value_parser = crate::args::count)]
    requests: u64,

    /// Threads that send; each waits for its response before it sends the next request
    #[arg(long, value_name = "COUNT", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: u16,

    /// Lets responses of 4096 bytes or more stand where their requests stand, if the server asks for it too: nothing is
    /// copied
    #[arg(long)]
    share: bool,

    /// What each response must be
    #[arg(long, value_enum, default_value = "none")]
    verify: Verify,

    /// What --verify xor combines every byte with, 0 to 255
    #[arg(long, value_name = "BYTE", default_value_t = 255)]
    xor_key: u8,

    /// How long to wait for the server to appear, in milliseconds; 0 = not at all
    #[arg(long, value_name = "MS", default_value_t = 5000)]
    wait_ms: u64,

    /// Longest wait for each response, and for space for each request, in milliseconds; 0 = for ever
    #[arg(long, value_name = "MS", default_value_t = 5000)]
    timeout_ms: u64,

    #[command(flatten)]
    creation: Creation,

    #[command(flatten)]
    trust: Trust,

    /// Prints the report as JSON, on standard output, also when the run failed
    #[arg(long)]
    json_output: bool,

    /// Says on standard error what happens
    #[arg(short, long)]
    verbose: bool,
}

/// What responses are compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Verify {
    /// Anything will do
    None,
    /// The request
    Echo,
    /// The request, the last byte first
    Reverse,
    /// Every byte of the request xor --xor-key
    Xor,
}

impl Verify {
    fn transform(self) -> Option<Transform> {
        match self {
            Self::None => None,
            Self::Echo => Some(Transform::None),
            Self::Reverse => Some(Transform::Reverse),
            Self::Xor => Some(Transform::Xor),
        }
    }
}

/// Runs `strait duplex call`.
pub(crate) fn run(args: CallArgs) -> Result<(), Failure> {
    let (mut tally, mut shared) = (Tally::new(), 0);
    let mut troubles = Troubles::default();
    if let Err(failure) = call(&args, &mut tally, &mut shared, &mut troubles) {
        troubles.add(failure);
    }
    let printed = print(&args, &tally, shared, &troubles);
    troubles.conclude().and(printed)
}

fn call(
    args: &CallArgs,
    tally: &mut Tally,
    shared: &mut u64,
    troubles: &mut Troubles,
) -> Result<(), Failure> {
    // First: until the program has buffers to remove, a signal may end it.
    let request = request(args)?;
    let metadata = args.metadata.bytes()?;
    let expected = args.verify.transform().map(|transform| {
        let mut expected = vec![0; request.len()];
        transform.apply(args.xor_key, &request, &mut expected);
        expected
    });
    let interrupt = Interrupt::catch().map_err(Failure::connect)?;
    let channel =
        super::channel(&args.channel, &args.creation, args.trust).timeout(SLICE).share_payload(args.share);
    let client = connect(&channel, Duration::from_millis(args.wait_ms), &interrupt)?;
    if args.verbose {
        let shares = if client.shares_payload() { "shared" } else { "copied" };
        report::complain(format_args!("connected to {:?}, long responses may be {shares}", args.channel));
    }
    if let Some(metadata) = metadata {
        client.set_metadata(&metadata).map_err(Failure::write)?;
    }
    let timeout = match args.timeout_ms {
        0 => Duration::MAX,
        ms => Duration::from_millis(ms),
    };
    let calls = Calls {
        client: &client,
        request: &request,
        expected: expected.as_deref(),
        limit: args.requests,
        threads: args.threads,
        timeout,
        keep: prints_response(args),
        interrupt: &interrupt,
    };
    *tally = calls.make(troubles);
    *shared = client.statistics().shared;
    if args.verbose {
        report::complain(format_args!("{:?}", client.statistics()));
    }
    Ok(())
}

fn request(args: &CallArgs) -> Result<Vec<u8>, Failure> {
    let (from, request) = match (&args.text, &args.file) {
        (Some(text), _) => ("the text".to_owned(), Ok(text.clone().into_bytes())),
        (None, Some(file @ Place::File(_))) => (file.to_string(), file.read()),
        (None, _) => ("standard input".to_owned(), Place::Standard.read()),
    };
    match request {
        Err(error) => Err(Failure::usage(format_args!("{from}: {error}"))),
        Ok(request) if request.is_empty() => {
            Err(Failure::usage(format_args!("a request needs at least 1 byte, and {from} holds none")))
        }
        Ok(request) => Ok(request),
    }
}

/// Connects, waiting until a server is there that has done with the last client.
fn connect(channel: &Channel, wait: Duration, interrupt: &Interrupt) -> Result<Client, Failure> {
    let patience = Patience::new(wait);
    loop {
        let slice = patience.slice();
        let error = match channel.clone().wait_for_server(slice.unwrap_or(Duration::ZERO)).connect() {
            Ok(client) => return Ok(client),
            Err(error) => error,
        };
        if interrupt.is_set() {
            return Err(interrupt.failure());
        }
        let may_come = matches!(
            error,
            ConnectError::ServerNotFound { .. }
                | ConnectError::ServerDead { .. }
                | ConnectError::Unsettled { .. }
                | ConnectError::Requests(Buffer::NotReady { .. } | Buffer::Unsettled { .. })
        );
        if may_come && slice.is_some() {
            continue;
        }
        return Err(match error {
            ConnectError::Requests(Buffer::BadName { .. })
            | ConnectError::Responses(CreateError::BadName { .. } | CreateError::BadCapacity { .. }) => {
                Failure::usage(error)
            }
            ConnectError::ServerNotFound { name } => Failure::connect(format_args!(
                "channel {name:?} has no server: start it first, or wait longer for it with --wait-ms"
            )),
            _ => Failure::connect(error),
        });
    }
}

fn prints_response(args: &CallArgs) -> bool {
    args.requests == 1 && !args.json_output
}

/// Report of a run of calls.
#[derive(Debug, Serialize)]
struct CallReport<'a> {
    operation: &'static str,
    channel_name: &'a str,
    threads: u16,
    requests: u64,
    responses: u64,
    failed: u64,
    bytes_sent: u64,
    bytes_received: u64,
    shared: u64,
    duration_seconds: f64,
    requests_per_second: f64,
    latency_us: Option<Percentiles>,
    verification_errors: u64,
    errors: Vec<String>,
}

fn print(args: &CallArgs, tally: &Tally, shared: u64, troubles: &Troubles) -> Result<(), Failure> {
    let seconds = tally.duration().as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    let rate = if seconds > 0.0 { tally.responses as f64 / seconds } else { 0.0 };
    let latency = Percentiles::of(&tally.latency);
    if args.json_output {
        return report::print(&report::json(&CallReport {
            operation: "duplex-call",
            channel_name: &args.channel,
            threads: args.threads,
            requests: tally.requests,
            responses: tally.responses,
            failed: tally.failed,
            bytes_sent: tally.bytes_sent,
            bytes_received: tally.bytes_received,
            shared,
            duration_seconds: seconds,
            requests_per_second: rate,
            latency_us: latency,
            verification_errors: tally.wrong,
            errors: troubles.messages(),
        })?);
    }
    if prints_response(args) {
        return tally.response.as_deref().map_or(Ok(()), report::print_bytes);
    }
    if !troubles.has_begun() {
        return Ok(());
    }
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = writeln!(text, "called {:?}", args.channel);
    let counts = [("requests", tally.requests), ("responses", tally.responses), ("failed", tally.failed)];
    for (what, count) in counts {
        let _ = writeln!(text, "{what:<10} {count}");
    }
    let _ = writeln!(text, "sent       {} bytes", tally.bytes_sent);
    let _ = writeln!(text, "received   {} bytes", tally.bytes_received);
    let _ = writeln!(text, "shared     {shared}");
    let _ = writeln!(text, "seconds    {seconds:.6}");
    let _ = writeln!(text, "requests/s {rate:.1}");
    for (what, micros) in latency.iter().flat_map(Percentiles::named) {
        let _ = writeln!(text, "{what:<10} {micros:.1} µs");
    }
    let _ = writeln!(text, "errors     {}", troubles.total());
    report::print(&text)
}
