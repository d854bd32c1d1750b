//! How does `strait link serve` answer calls?

use core::time::Duration;
use std::time::Instant;

use clap::Args;
use serde::Serialize;
use strait::hqq::session::{Request, Session, SessionError};

use super::agreement::{Agreement, Prepared, names, wait_for_other};
use super::command::{Create, Entry, Role};
use super::endpoint;
use super::inlet::read;
use crate::duplex::Handler;
use crate::duplex::command::ShellCommand;
use crate::exit::Failure;
use crate::interrupt::{Interrupt, SLICE};
use crate::report::{self, Troubles};
use crate::transform::Transform;

/// Between two looks whether the next client has come.
const STEP: Duration = Duration::from_millis(5);

/// Status of a failure answer.
const FAILED: u32 = 1;

/// Options of `strait link serve`.
#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    #[command(flatten)]
    entry: Entry,

    #[command(flatten)]
    create: Create,

    /// What is done with each request, whatever its method: echo returns its bytes, reverse returns the last byte first,
    /// xor returns every byte xor --xor-key. exec:COMMAND runs a command of the shell (sh -c; on Windows cmd /C) with the
    /// request on standard input and returns its standard output; an exit code other than 0, or no output, is a failure
    /// answer, with the exit code and the end of standard error
    #[arg(long, value_name = "HANDLER", default_value = "echo")]
    handler: Handler,

    /// What --handler xor combines every byte with, 0 to 255
    #[arg(long, value_name = "BYTE", default_value_t = 255)]
    xor_key: u8,

    /// Ends after so many requests, from all clients, 0 or -1 = no limit. Clients and requests are waited for without a limit
    #[arg(short = 'n', long, value_name = "COUNT", default_value_t = 0, allow_negative_numbers = true, value_parser = crate::args::count)]
    requests: u64,

    #[command(flatten)]
    agreement: Agreement,
}

/// What was done.
#[derive(Debug, Default)]
struct Served {
    clients: u64,
    requests: u64,
    failed: u64,
    agreed: Vec<&'static str>,
    began: Option<Instant>,
}

/// Report of a server.
#[derive(Debug, Serialize)]
struct ServeReport<'a> {
    operation: &'static str,
    link_name: &'a str,
    handler: String,
    clients: u64,
    requests: u64,
    failed: u64,
    agreed: &'a [&'static str],
    duration_seconds: f64,
    errors: Vec<String>,
}

/// Runs `strait link serve`.
pub(crate) fn run(args: &ServeArgs) -> Result<(), Failure> {
    let (mut served, mut troubles) = (Served::default(), Troubles::default());
    if let Err(failure) = serve(args, &mut served) {
        troubles.add(failure);
    }
    let Served { clients, requests, failed, agreed, began } = &served;
    let (name, seconds) = (&args.entry.name, began.map_or(0.0, |began| began.elapsed().as_secs_f64()));
    let printed = if args.entry.json_output {
        let report = ServeReport {
            operation: "link-serve",
            link_name: name,
            handler: args.handler.to_string(),
            clients: *clients,
            requests: *requests,
            failed: *failed,
            agreed,
            duration_seconds: seconds,
            errors: troubles.messages(),
        };
        report::json(&report).and_then(|text| report::print(&text))
    } else if troubles.has_begun() {
        report::print(&format!(
            "served {name:?}, handler {}\nclients   {clients}\nrequests  {requests}\nfailed    {failed}\nseconds   \
             {seconds:.6}\n",
            args.handler
        ))
    } else {
        Ok(())
    };
    troubles.conclude().and(printed)
}

fn serve(args: &ServeArgs, served: &mut Served) -> Result<(), Failure> {
    let entry = &args.entry;
    let prepared = args.agreement.prepare(entry)?;
    let interrupt = Interrupt::catch().map_err(Failure::connect)?;
    let command = match &args.handler {
        Handler::Exec(line) => Some(ShellCommand::new(line, &interrupt)),
        _ => None,
    };
    let session = first(args, &prepared, &interrupt)?;
    served.began = Some(Instant::now());
    served.agreed = names(&session);
    let outcome = requests(args, served, &session, command.as_ref(), &interrupt);
    // Those that have gone, and the one that is there.
    served.clients = session.statistics().peers_lost + u64::from(session.agreed().is_ok());
    outcome
}

fn requests(
    args: &ServeArgs,
    served: &mut Served,
    session: &Session,
    command: Option<&ShellCommand>,
    interrupt: &Interrupt,
) -> Result<(), Failure> {
    let entry = &args.entry;
    let waits = session.with_timeout(SLICE);
    while args.requests == 0 || served.requests < args.requests {
        if interrupt.is_set() {
            return Err(interrupt.failure());
        }
        match waits.next_request() {
            Ok(request) => {
                served.requests += 1;
                let answered = answer(args, command, request.with_timeout(entry.timeout()), served);
                // The client went before it had its answer.
                match answered {
                    Ok(()) | Err(SessionError::PeerGone) => {}
                    Err(error) => return Err(endpoint::write(entry, error)),
                }
            }
            Err(SessionError::Timeout) => {}
            // The next one may come.
            Err(SessionError::PeerGone | SessionError::Missing { .. }) => interrupt.sleep(STEP),
            Err(error) => return Err(read(entry, error)),
        }
    }
    Ok(())
}

/// Agrees with the first client; later ones take its place.
fn first(args: &ServeArgs, prepared: &Prepared, interrupt: &Interrupt) -> Result<Session, Failure> {
    let entry = &args.entry;
    loop {
        let link = endpoint::join(entry, Role::Secondary, Some(&args.create), interrupt)?;
        wait_for_other(&link, entry, Duration::MAX, interrupt)?;
        if let Some(session) = prepared.accept(link, entry)? {
            return Ok(session);
        }
        // Whoever is there speaks of no session.
        if interrupt.is_set() {
            return Err(interrupt.failure());
        }
    }
}

fn answer(
    args: &ServeArgs,
    command: Option<&ShellCommand>,
    request: Request,
    served: &mut Served,
) -> Result<(), SessionError> {
    let transform = match &args.handler {
        Handler::Echo | Handler::Exec(_) => Transform::None,
        Handler::Reverse => Transform::Reverse,
        Handler::Xor => Transform::Xor,
    };
    let response = match command {
        Some(command) => command.answer(&request),
        None => {
            let mut response = vec![0; request.len()];
            transform.apply(args.xor_key, &request, &mut response);
            Ok(response)
        }
    };
    match response {
        Ok(response) => request.respond(&response),
        Err(error) => {
            served.failed += 1;
            request.fail(FAILED, error.as_bytes())
        }
    }
}
