//! `strait duplex serve`: answers requests.

use core::time::Duration;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use clap::Args;
use serde::Serialize;
use strait::zerobuffer::CreateError;
use strait::zerobuffer::duplex::{Channel, ServeError, Server, ServerError, ServerStatistics};

use super::Handler;
use super::command::ShellCommand;
use crate::args::{Creation, Trust};
use crate::escape::printable;
use crate::exit::Failure;
use crate::interrupt::{Interrupt, SLICE};
use crate::report;
use crate::transform::Transform;

/// Options of `strait duplex serve`.
#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// Name of the channel: 1 to 236 of A-Z a-z 0-9 . _ -, not starting with a dot
    channel: String,

    /// What is done with each request: echo returns its bytes, reverse returns the last byte first, xor returns every
    /// byte xor --xor-key. exec:COMMAND runs a command of the shell (sh -c; on Windows cmd /C) with the request on
    /// standard input and returns its standard output, at most 1 GiB; an exit code other than 0, or no output, is a
    /// failure response, with the exit code and the end of standard error
    #[arg(long, value_name = "HANDLER", default_value = "echo")]
    handler: Handler,

    /// What --handler xor combines every byte with, 0 to 255
    #[arg(long, value_name = "BYTE", default_value_t = 255)]
    xor_key: u8,

    /// Ends after so many requests, from all clients, 0 or -1 = no limit
    #[arg(short = 'n', long, value_name = "COUNT", default_value_t = 0, allow_negative_numbers = true, value_parser = crate::args::count)]
    requests: u64,

    /// Threads that handle requests; responses stay in order
    #[arg(long, value_name = "COUNT", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: u16,

    /// Lets responses of 4096 bytes or more stand where their requests stand, if the client asks for it too: nothing is
    /// copied. Not with --handler exec, which makes bytes of its own
    #[arg(long)]
    share: bool,

    /// Longest wait for a client's buffer of responses, at its first request, in milliseconds; 0 = for ever
    #[arg(long, value_name = "MS", default_value_t = 5000)]
    timeout_ms: u64,

    #[command(flatten)]
    creation: Creation,

    #[command(flatten)]
    trust: Trust,

    /// Prints the report as JSON, on standard output, with the requests that failed, which otherwise are said on
    /// standard error
    #[arg(long)]
    json_output: bool,

    /// Says on standard error what happens
    #[arg(short, long)]
    verbose: bool,
}

/// Runs `strait duplex serve`.
pub(crate) fn run(args: ServeArgs) -> Result<(), Failure> {
    let troubles = Arc::new(Mutex::new(Troubles { json: args.json_output, ..Troubles::default() }));
    let (outcome, statistics, time) = match serve(&args, &troubles) {
        Ok((outcome, statistics, time)) => (outcome, Some(statistics), time),
        Err(failure) => (Err(failure), None, Duration::ZERO),
    };
    let printed = conclude(&args, &troubles, outcome.as_ref().err(), statistics, time);
    outcome.and(printed)
}

type Served = (Result<(), Failure>, ServerStatistics, Duration);

fn serve(args: &ServeArgs, troubles: &Arc<Mutex<Troubles>>) -> Result<Served, Failure> {
    if args.share && matches!(args.handler, Handler::Exec(_)) {
        return Err(Failure::usage("--handler exec makes bytes of its own: they cannot be shared"));
    }
    let interrupt = Interrupt::catch().map_err(Failure::connect)?;
    let server = start(args, troubles, &interrupt)?;
    let started = Instant::now();
    if args.verbose {
        let (size, handler) = (args.creation.buffer_size, &args.handler);
        report::complain(format_args!("serving {:?}, ring of {size} bytes, handler {handler}", args.channel));
    }
    while server.is_running() && !interrupt.is_set() {
        interrupt.sleep(SLICE);
    }
    // Whoever ended it: now everything is answered and removed.
    server.stop();
    let outcome = match lock(troubles).ended.take() {
        Some(reason) => Err(Failure::read(reason)),
        None if interrupt.is_set() => Err(interrupt.failure()),
        None => Ok(()),
    };
    Ok((outcome, server.statistics(), started.elapsed()))
}

fn start(
    args: &ServeArgs,
    troubles: &Arc<Mutex<Troubles>>,
    interrupt: &Interrupt,
) -> Result<Server, Failure> {
    let timeout = match args.timeout_ms {
        0 => Duration::MAX,
        ms => Duration::from_millis(ms),
    };
    let troubles = Arc::clone(troubles);
    let mut channel = super::channel(&args.channel, &args.creation, args.trust)
        .timeout(timeout)
        .threads(args.threads.into())
        .share_payload(args.share)
        .on_error(move |error| lock(&troubles).add(error));
    if args.requests != 0 {
        channel = channel.most_requests(args.requests);
    }
    if args.verbose {
        channel = channel.on_init(|metadata| match metadata {
            None => report::complain("a client, without metadata"),
            Some(metadata) => report::complain(format_args!("a client, metadata {}", printable(metadata))),
        });
    }
    with_handler(args, &channel, interrupt).map_err(|error| match error {
        ServeError::Requests(CreateError::BadName { .. } | CreateError::BadCapacity { .. }) => {
            Failure::usage(error)
        }
        _ => interrupt.or(Failure::connect(error)),
    })
}

/// Bytes that stay where they are are changed in place if they may be shared; else they are written once, into the
/// client's buffer.
fn with_handler(args: &ServeArgs, channel: &Channel, interrupt: &Interrupt) -> Result<Server, ServeError> {
    let into = |transform: Transform| {
        channel.serve_into(move |request, responder| {
            transform.apply(0, request, responder.reserve(request.len())?);
            Ok::<_, String>(())
        })
    };
    match &args.handler {
        Handler::Echo if args.share => channel.serve_mut(|_| Ok::<_, String>(())),
        Handler::Echo => into(Transform::None),
        Handler::Reverse if args.share => channel.serve_mut(|request| {
            request.reverse();
            Ok::<_, String>(())
        }),
        Handler::Reverse => into(Transform::Reverse),
        Handler::Xor => {
            let key = args.xor_key;
            channel.serve_mut(move |request| {
                request.iter_mut().for_each(|byte| *byte ^= key);
                Ok::<_, String>(())
            })
        }
        Handler::Exec(line) => {
            let command = ShellCommand::new(line, interrupt);
            channel.serve(move |request| command.answer(request))
        }
    }
}

/// What went wrong while the server went on, and why it ended if it did not.
#[derive(Debug, Default)]
struct Troubles {
    json: bool,
    messages: Vec<String>,
    total: u64,
    ended: Option<String>,
}

impl Troubles {
    fn add(&mut self, error: &ServerError) {
        // Commands and clients have a say in it.
        let message = printable(error.to_string().as_bytes());
        if matches!(error, ServerError::Recv(_)) {
            self.ended = Some(message);
            return;
        }
        self.total += 1;
        if !self.json {
            report::complain(message);
        } else if self.messages.len() < report::MOST {
            self.messages.push(message);
        }
    }
}

fn lock(troubles: &Mutex<Troubles>) -> std::sync::MutexGuard<'_, Troubles> {
    troubles.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Report of a server.
#[derive(Debug, Serialize)]
struct ServeReport<'a> {
    operation: &'static str,
    channel_name: &'a str,
    handler: String,
    clients: u64,
    requests: u64,
    failed: u64,
    copied: u64,
    in_place: u64,
    shared: u64,
    duration_seconds: f64,
    errors: Vec<String>,
}

fn conclude(
    args: &ServeArgs,
    troubles: &Mutex<Troubles>,
    failure: Option<&Failure>,
    statistics: Option<ServerStatistics>,
    time: Duration,
) -> Result<(), Failure> {
    let has_begun = statistics.is_some();
    let statistics = statistics.unwrap_or_default();
    let ServerStatistics { clients, requests, failed, copied, in_place, shared, .. } = statistics;
    let seconds = time.as_secs_f64();
    if args.json_output {
        let mut troubles = lock(troubles);
        let mut errors = core::mem::take(&mut troubles.messages);
        let more = troubles.total.saturating_sub(errors.len() as u64);
        if more > 0 {
            errors.push(format!("and {more} more"));
        }
        errors.extend(failure.map(|failure| failure.message.clone()));
        let report = ServeReport {
            operation: "duplex-serve",
            channel_name: &args.channel,
            handler: args.handler.to_string(),
            clients,
            requests,
            failed,
            copied,
            in_place,
            shared,
            duration_seconds: seconds,
            errors,
        };
        return report::print(&report::json(&report)?);
    }
    if !has_begun {
        return Ok(());
    }
    report::print(&format!(
        "served {:?}, handler {}\nclients   {clients}\nrequests  {requests}\nfailed    {failed}\ncopied    {copied}\n\
         in place  {in_place}\nshared    {shared}\nseconds   {seconds:.6}\n",
        args.channel, args.handler
    ))
}
