//! How does `strait link recv` receive messages, and when does it end?

use core::time::Duration;
use std::time::Instant;

use clap::Args;
use serde::Serialize;
use strait::hqq::Statistics;

use super::agreement::Agreement;
use super::command::{Create, Entry, Role};
use super::endpoint;
use super::inlet::{Inlet, Taken, read};
use super::intake::{Intake, Taking};
use super::peers::{Look, Senders};
use super::told::Told;
use crate::exit::Failure;
use crate::interrupt::{Interrupt, Patience, SLICE};
use crate::report;
use crate::tally::Tally;

/// First wait before the senders are looked for.
const FIRST: Duration = Duration::from_millis(2);

/// Options of `strait link recv`.
#[derive(Debug, Args)]
pub(crate) struct RecvArgs {
    #[command(flatten)]
    entry: Entry,

    #[command(flatten)]
    create: Create,

    #[command(flatten)]
    taking: Taking,

    /// Receives over a session, from a sender that says --session too: messages of any length, and the features below
    #[arg(long)]
    session: bool,

    #[command(flatten)]
    agreement: Agreement,
}

/// Runs `strait link recv`.
pub(crate) fn run(args: &RecvArgs) -> Result<(), Failure> {
    let mut run = Run { intake: Intake::new(&args.taking), side: None, link: None, told: None };
    let outcome = run.receive(args);
    run.intake.finish(outcome);
    let printed = run.report(args);
    run.intake.troubles.conclude().and(printed)
}

struct Run {
    intake: Intake,
    side: Option<String>,
    link: Option<Counted>,
    told: Option<Told>,
}

impl Run {
    fn receive(&mut self, args: &RecvArgs) -> Result<(), Failure> {
        let entry = &args.entry;
        args.agreement.check(args.session)?;
        let prepared = args.session.then(|| args.agreement.prepare(entry)).transpose()?;
        self.intake.open(&args.taking, entry.json_output, entry.is_watched())?;
        let interrupt = Interrupt::catch().map_err(Failure::connect)?;
        let link = endpoint::join(entry, Role::Secondary, Some(&args.create), &interrupt)?;
        self.side = Some(link.side().to_string());
        let senders = Senders::of(&link);
        let mut inlet = match prepared {
            None => Inlet::Standard(Box::new(link), senders),
            Some(prepared) => Inlet::Session(prepared.agree(link, entry, &interrupt)?, senders),
        };
        self.told = inlet.session().map(Told::of);
        if self.told.is_some() {
            // A message comes whole: its time begins before it is there.
            self.intake.tally.start();
        }
        let mut taken = self.messages(args, &mut inlet, &interrupt);
        if let (Some(told), Some(session)) = (&mut self.told, inlet.session()) {
            let told = told.finish(session, &args.agreement);
            taken = taken.and_then(|()| told.map_err(|error| read(entry, error)));
        }
        self.link = inlet.statistics().map(Counted::from);
        inlet.say(entry);
        taken
    }

    fn messages(&mut self, args: &RecvArgs, inlet: &mut Inlet, interrupt: &Interrupt) -> Result<(), Failure> {
        let entry = &args.entry;
        // What is acknowledged does not wait to be written.
        let flushes = args.agreement.is_reliable();
        let mut waiting: Option<Waiting> = None;
        let outcome = loop {
            if self.intake.is_full() {
                break Ok(());
            }
            if interrupt.is_set() {
                break Err(interrupt.failure());
            }
            // The clock is read only if no message is there.
            let wait = match waiting.as_mut().map(Waiting::next) {
                None => None,
                Some(Some(slice)) => Some(slice),
                Some(None) => break Err(self.silence(entry, inlet)),
            };
            let taken = inlet.take(entry, wait, |message| {
                self.intake.take(message)?;
                if flushes { self.intake.pause() } else { Ok(()) }
            });
            match taken {
                Ok(Taken::Message(Ok(()))) => waiting = None,
                Ok(Taken::Nothing) => {
                    waiting = Some(Waiting::new(entry.timeout()));
                    if let Err(failure) = self.intake.pause() {
                        break Err(failure);
                    }
                }
                Ok(Taken::Late) => match inlet.look() {
                    Look::Open => {}
                    look => break self.ended(entry, look),
                },
                Ok(Taken::Ended(look)) => break self.ended(entry, look),
                Ok(Taken::Wrong(failure)) => self.intake.troubles.add(failure),
                Ok(Taken::Message(Err(failure))) | Err(failure) => break Err(failure),
            }
        };
        self.intake.tally.end(waiting.map_or_else(Instant::now, |waiting| waiting.patience.since()));
        outcome
    }

    /// The senders have gone: a failure if one of them died, or if more was asked for.
    fn ended(&self, entry: &Entry, look: Look) -> Result<(), Failure> {
        match look {
            Look::Died(0) => return Err(read(entry, "a process that sent died")),
            Look::Died(pid) => return Err(read(entry, format_args!("process {pid}, which sent, died"))),
            Look::CutOff => return Err(read(entry, "the sender went in the middle of a message")),
            Look::Incomplete(messages) => {
                return Err(read(
                    entry,
                    format_args!(
                        "the sender has gone in order, but {messages} of its messages were given up by it or refused \
                         here: is --max-message too small?"
                    ),
                ));
            }
            Look::Open | Look::Gone if !self.intake.is_short() => return Ok(()),
            Look::Open | Look::Gone => {}
        }
        let (messages, bytes) = (self.intake.tally.frames, self.intake.tally.bytes);
        Err(read(
            entry,
            format_args!(
                "the senders have gone after {messages} messages with {bytes} bytes, more were asked for"
            ),
        ))
    }

    /// What silence ends the run with. That senders live makes it no success: what is missing may be still to come.
    fn silence(&self, entry: &Entry, inlet: &Inlet) -> Failure {
        let Tally { frames, bytes, .. } = self.intake.tally;
        let (ms, who) = (entry.timeout_ms, inlet.who_sends());
        match frames {
            0 => read(entry, format_args!("no message came within {ms} ms; {who}")),
            _ => {
                let came = format_args!("after {frames} with {bytes} bytes");
                read(entry, format_args!("no further message came within {ms} ms, {came}; {who}"))
            }
        }
    }

    fn report(&self, args: &RecvArgs) -> Result<(), Failure> {
        let (Intake { tally, digest, troubles, .. }, entry) = (&self.intake, &args.entry);
        let report = RecvReport {
            operation: "link-recv",
            link_name: &entry.name,
            side: self.side.clone(),
            messages_received: tally.frames,
            bytes_received: tally.bytes,
            sha256: digest.value().to_string(),
            duration_seconds: tally.duration().as_secs_f64(),
            throughput_mbps: tally.throughput(),
            link: self.link.clone(),
            session: self.told.clone(),
            verification_errors: self.intake.wrong(),
            partial_files: &self.intake.partial_files,
            errors: troubles.messages(),
        };
        if entry.json_output {
            return report::print(&report::json(&report)?);
        }
        if !troubles.has_begun() {
            return Ok(());
        }
        let session = self.told.as_ref().map(Told::lines).unwrap_or_default();
        let RecvReport {
            messages_received, bytes_received, sha256, duration_seconds, throughput_mbps, ..
        } = report;
        let text = format!(
            "received from {:?}\nmessages  {messages_received}\nbytes     {bytes_received}\nsha256    {sha256}\nseconds   \
             {duration_seconds:.6}\nMiB/s     {throughput_mbps:.1}\n{session}errors    {}\n",
            entry.name,
            troubles.total()
        );
        if Intake::prints(&args.taking, entry.json_output) {
            // Standard output is taken.
            text.lines().for_each(report::complain);
            return Ok(());
        }
        report::print(&text)
    }
}

/// A wait in slices that grow, so that an end is seen soon and a long wait costs little.
struct Waiting {
    patience: Patience,
    slice: Duration,
}

impl Waiting {
    fn new(timeout: Duration) -> Self {
        Self { patience: Patience::new(timeout), slice: FIRST }
    }

    /// How long to wait now; `None` once the whole wait is over.
    fn next(&mut self) -> Option<Duration> {
        let slice = self.patience.slice()?.min(self.slice);
        self.slice = (2 * self.slice).min(SLICE);
        Some(slice)
    }
}

/// Report of a receiver.
#[derive(Debug, Serialize)]
struct RecvReport<'a> {
    operation: &'static str,
    link_name: &'a str,
    side: Option<String>,
    messages_received: u64,
    bytes_received: u64,
    sha256: String,
    duration_seconds: f64,
    throughput_mbps: f64,
    #[serde(flatten)]
    link: Option<Counted>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<Told>,
    verification_errors: u64,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    partial_files: &'a [String],
    errors: Vec<String>,
}

/// By the link; a session counts by itself.
#[derive(Clone, Debug, Serialize)]
struct Counted {
    empty_waits: u64,
    tombstones: u64,
    recovered: Recovered,
}

/// Of dead processes.
#[derive(Clone, Debug, Serialize)]
struct Recovered {
    handles: u64,
    tombstones: u64,
    lost: u64,
}

impl From<Statistics> for Counted {
    fn from(statistics: Statistics) -> Self {
        let Statistics { empty_waits, tombstones, recovered, .. } = statistics;
        let strait::hqq::Recovered { handles, tombstones: given_up, lost } = recovered;
        Self { empty_waits, tombstones, recovered: Recovered { handles, tombstones: given_up, lost } }
    }
}
