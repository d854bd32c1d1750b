//! How does `strait link call` call a server?

use core::fmt::Write as _;
use std::time::Instant;

use clap::Args;
use serde::Serialize;
use strait::hqq::session::{CallError, Session, SessionError};

use super::agreement::Agreement;
use super::command::{Entry, Role};
use super::endpoint;
use super::told::Told;
use crate::args::Place;
use crate::escape::printable;
use crate::exit::Failure;
use crate::interrupt::Interrupt;
use crate::latency::{Latency, Percentiles};
use crate::report::{self, Troubles};

/// Options of `strait link call`.
#[derive(Debug, Args)]
pub(crate) struct CallArgs {
    #[command(flatten)]
    entry: Entry,

    /// Number of the method
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    method: u32,

    /// The request, as text; without it and --file it is what standard input holds
    #[arg(long, value_name = "TEXT")]
    data: Option<String>,

    /// The request, from a file; `-` is standard input
    #[arg(long, value_name = "FILE", conflicts_with = "data")]
    file: Option<Place>,

    /// How often it is sent, 0 or -1 = until interrupted. If once, and without --json-output, the answer's bytes are printed and
    /// nothing else; otherwise a report
    #[arg(short = 'n', long, value_name = "COUNT", default_value_t = 1, allow_negative_numbers = true, value_parser = crate::args::count)]
    requests: u64,

    #[command(flatten)]
    agreement: Agreement,
}

/// What came of the calls.
struct Run {
    requests: u64,
    responses: u64,
    failed: u64,
    received: u64,
    latency: Latency,
    response: Vec<u8>,
    seconds: f64,
    told: Option<Told>,
}

/// Runs `strait link call`.
pub(crate) fn run(args: &CallArgs) -> Result<(), Failure> {
    let mut run = Run {
        requests: 0,
        responses: 0,
        failed: 0,
        received: 0,
        latency: Latency::new(),
        response: Vec::new(),
        seconds: 0.0,
        told: None,
    };
    let mut troubles = Troubles::default();
    if let Err(failure) = run.call(args, &mut troubles) {
        troubles.add(failure);
    }
    let printed = run.report(args, &troubles);
    troubles.conclude().and(printed)
}

impl Run {
    fn call(&mut self, args: &CallArgs, troubles: &mut Troubles) -> Result<(), Failure> {
        let entry = &args.entry;
        let prepared = args.agreement.prepare(entry)?;
        let request = request(args)?;
        let interrupt = Interrupt::catch().map_err(Failure::connect)?;
        let link = endpoint::join(entry, Role::Primary, None, &interrupt)?;
        let session = prepared.agree(link, entry, &interrupt)?;
        let mut told = Told::of(&session);
        let started = Instant::now();
        let mut outcome = Ok(());
        while outcome.is_ok() && (args.requests == 0 || self.requests < args.requests) {
            outcome = match interrupt.is_set() {
                true => Err(interrupt.failure()),
                false => self.one(args, &session, &request, troubles),
            };
        }
        self.seconds = started.elapsed().as_secs_f64();
        let finished = told.finish(&session, &args.agreement);
        self.told = Some(told);
        outcome.and_then(|()| finished.map_err(|error| endpoint::write(entry, error)))
    }

    fn one(
        &mut self,
        args: &CallArgs,
        session: &Session,
        request: &[u8],
        troubles: &mut Troubles,
    ) -> Result<(), Failure> {
        let entry = &args.entry;
        let started = Instant::now();
        let pending = session.request(args.method, request);
        let pending = pending.map_err(|error| endpoint::write(entry, error))?;
        self.requests += 1;
        let answer = pending.wait();
        let nanos = u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX);
        let name = &entry.name;
        match answer {
            Ok(response) => {
                self.responses += 1;
                self.latency.add(nanos);
                self.received += response.len() as u64;
                self.response = response;
            }
            Err(CallError::Failed { status, message }) => {
                self.responses += 1;
                self.failed += 1;
                self.latency.add(nanos);
                // The server has a say in it.
                let said = printable(&message);
                troubles.add(Failure::read(format_args!(
                    "link {name:?}: the call failed with status {status}: {said}"
                )));
            }
            Err(CallError::Session(SessionError::Timeout)) => {
                let ms = entry.timeout_ms;
                return Err(Failure::read(format_args!("link {name:?}: no answer came within {ms} ms")));
            }
            Err(error) => return Err(Failure::read(format_args!("link {name:?}: {error}"))),
        }
        Ok(())
    }

    fn report(&self, args: &CallArgs, troubles: &Troubles) -> Result<(), Failure> {
        let Self { requests, responses, failed, received, seconds, .. } = *self;
        let round_trip_us = Percentiles::of(&self.latency);
        if args.entry.json_output {
            return report::print(&report::json(&CallReport {
                operation: "link-call",
                link_name: &args.entry.name,
                method: args.method,
                requests,
                responses,
                failed,
                bytes_received: received,
                duration_seconds: seconds,
                latency_us: round_trip_us,
                session: self.told.as_ref(),
                errors: troubles.messages(),
            })?);
        }
        if args.requests == 1 {
            return report::print_bytes(&self.response);
        }
        if !troubles.has_begun() {
            return Ok(());
        }
        let mut text = format!("called {:?}\n", args.entry.name);
        // Writing to a String cannot fail.
        let counts = [("requests", requests), ("responses", responses), ("failed", failed)];
        for (what, count) in counts {
            let _ = writeln!(text, "{what:<10} {count}");
        }
        let _ = writeln!(text, "received   {received} bytes\nseconds    {seconds:.6}");
        for (what, micros) in round_trip_us.iter().flat_map(Percentiles::named) {
            let _ = writeln!(text, "{what:<10} {micros:.1} µs");
        }
        text += &self.told.as_ref().map(Told::lines).unwrap_or_default();
        let _ = writeln!(text, "errors     {}", troubles.total());
        report::print(&text)
    }
}

/// Report of a run of calls.
#[derive(Debug, Serialize)]
struct CallReport<'a> {
    operation: &'static str,
    link_name: &'a str,
    method: u32,
    requests: u64,
    responses: u64,
    failed: u64,
    bytes_received: u64,
    duration_seconds: f64,
    latency_us: Option<Percentiles>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<&'a Told>,
    errors: Vec<String>,
}

fn request(args: &CallArgs) -> Result<Vec<u8>, Failure> {
    if let Some(text) = &args.data {
        return Ok(text.clone().into_bytes());
    }
    let file = args.file.as_ref().unwrap_or(&Place::Standard);
    file.read().map_err(|error| Failure::usage(format_args!("{file}: {error}")))
}
