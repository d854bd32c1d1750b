//! How does `strait link send` send messages?

use std::time::Instant;

use clap::Args;
use serde::Serialize;

use super::agreement::Agreement;
use super::command::{Entry, Role};
use super::digest::Digest;
use super::endpoint;
use super::messages::Messages;
use super::outlet::Outlet;
use super::told::Told;
use crate::args::{Place, Reproducible};
use crate::exit::Failure;
use crate::interrupt::Interrupt;
use crate::pattern::Pattern;
use crate::progress::Progress;
use crate::report::{self, Troubles};
use crate::size::SizeRange;
use crate::source::Source;
use crate::tally::Tally;

/// Options of `strait link send`.
#[derive(Debug, Args)]
pub(crate) struct SendArgs {
    #[command(flatten)]
    entry: Entry,

    /// A message, as text
    #[arg(short, long, value_name = "TEXT", conflicts_with_all = ["file", "pattern", "lines"])]
    message: Option<String>,

    /// Carries a file; `-`, and nothing of --message and --pattern, is standard input
    #[arg(long, value_name = "FILE", conflicts_with = "pattern")]
    file: Option<Place>,

    /// Makes messages up
    #[arg(long, value_enum, conflicts_with = "lines")]
    pattern: Option<Pattern>,

    /// One message per line, with its end of line; a line that does not fit a slot is cut, unless there is a session
    #[arg(long, conflicts_with = "size")]
    lines: bool,

    /// Bytes of each message: N, or MIN..MAX (both included) to draw each one's size by --seed; the last of a file may be
    /// shorter [default: a slot's length; with --session all of a file]
    #[arg(
        short,
        long,
        visible_alias = "message-size",
        value_name = "N|MIN..MAX",
        conflicts_with = "message"
    )]
    size: Option<SizeRange>,

    #[command(flatten)]
    reproducible: Reproducible,

    /// Most messages to send, 0 or -1 = no limit [default: 0; of --message 1; of --pattern 1000]
    #[arg(short = 'n', long, value_name = "COUNT", allow_negative_numbers = true, value_parser = crate::args::count)]
    count: Option<u64>,

    /// Sends over a session, to a receiver that says --session too: messages of any length, and the features below
    #[arg(long)]
    session: bool,

    #[command(flatten)]
    agreement: Agreement,

    /// Class of the messages, 3 is the most urgent
    #[arg(long, value_name = "0..3", default_value_t = 0, value_parser = clap::value_parser!(u8).range(..=3), requires = "qos")]
    priority: u8,
}

/// Runs `strait link send`.
pub(crate) fn run(args: &SendArgs) -> Result<(), Failure> {
    let mut run =
        Run { tally: Tally::default(), digest: Digest::default(), side: None, full_waits: None, told: None };
    let mut troubles = Troubles::default();
    if let Err(failure) = run.send(args) {
        troubles.add(failure);
    }
    let printed = run.report(args, &troubles);
    troubles.conclude().and(printed)
}

struct Run {
    tally: Tally,
    digest: Digest,
    side: Option<String>,
    full_waits: Option<u64>,
    told: Option<Told>,
}

impl Run {
    fn send(&mut self, args: &SendArgs) -> Result<(), Failure> {
        let entry = &args.entry;
        check(args)?;
        let prepared = args.session.then(|| args.agreement.prepare(entry)).transpose()?;
        let interrupt = Interrupt::catch().map_err(Failure::connect)?;
        let link = endpoint::join(entry, Role::Primary, None, &interrupt)?;
        let side = link.side();
        self.side = Some(side.to_string());
        let slot_len = usize::try_from(link.geometry().slot_len()).unwrap_or(usize::MAX);
        let mut messages = messages(args, slot_len)?;
        let mut outlet = match prepared {
            None => Outlet::Standard(Box::new(link.split().0), side),
            Some(prepared) => Outlet::Session {
                session: prepared.agree(link, entry, &interrupt)?,
                priority: args.priority,
                reliable: args.agreement.is_reliable(),
            },
        };
        self.told = outlet.session().map(Told::of);
        let sent = self.pour(args, &mut messages, &interrupt, |bytes| outlet.send(bytes, entry, &interrupt));
        let mut sent = sent.and_then(|()| outlet.finish(entry, &interrupt));
        self.tally.end(Instant::now());
        self.full_waits = outlet.full_waits();
        if let (Some(told), Some(session)) = (&mut self.told, outlet.session()) {
            let told = told.finish(session, &args.agreement);
            sent = sent.and_then(|()| told.map_err(|error| endpoint::write(entry, error)));
        }
        sent
    }

    /// Sends message after message, by `deliver`.
    fn pour(
        &mut self,
        args: &SendArgs,
        messages: &mut Messages,
        interrupt: &Interrupt,
        mut deliver: impl FnMut(&[u8]) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let limit = limit(args);
        let mut progress = Progress::counting("messages", args.entry.is_watched(), limit);
        let mut bytes = Vec::new();
        while limit == 0 || self.tally.frames < limit {
            if interrupt.is_set() {
                return Err(interrupt.failure());
            }
            let from = args.file.as_ref().unwrap_or(&Place::Standard);
            let read = |error| Failure::write(format_args!("{from}: {error}"));
            if !messages.next(&mut bytes).map_err(read)? {
                break;
            }
            self.tally.start();
            deliver(&bytes)?;
            self.digest.add(&bytes);
            self.tally.add(bytes.len());
            progress.frame(&self.tally, bytes.len());
        }
        progress.finish();
        Ok(())
    }

    fn report(self, args: &SendArgs, troubles: &Troubles) -> Result<(), Failure> {
        let report = SendReport {
            operation: "link-send",
            link_name: &args.entry.name,
            side: self.side,
            messages_sent: self.tally.frames,
            bytes_sent: self.tally.bytes,
            sha256: self.digest.value().to_string(),
            duration_seconds: self.tally.duration().as_secs_f64(),
            throughput_mbps: self.tally.throughput(),
            full_waits: self.full_waits,
            session: self.told,
            errors: troubles.messages(),
        };
        if args.entry.json_output {
            return report::print(&report::json(&report)?);
        }
        if !troubles.has_begun() {
            return Ok(());
        }
        let SendReport {
            messages_sent, bytes_sent, sha256, duration_seconds, throughput_mbps, session, ..
        } = report;
        let session = session.map(|told| told.lines()).unwrap_or_default();
        report::print(&format!(
            "sent to {:?}\nmessages  {messages_sent}\nbytes     {bytes_sent}\nsha256    {sha256}\nseconds   \
             {duration_seconds:.6}\nMiB/s     {throughput_mbps:.1}\n{session}errors    {}\n",
            args.entry.name,
            troubles.total()
        ))
    }
}

/// Report of a sender.
#[derive(Debug, Serialize)]
struct SendReport<'a> {
    operation: &'static str,
    link_name: &'a str,
    side: Option<String>,
    messages_sent: u64,
    bytes_sent: u64,
    sha256: String,
    duration_seconds: f64,
    throughput_mbps: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    full_waits: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<Told>,
    errors: Vec<String>,
}

fn limit(args: &SendArgs) -> u64 {
    args.count.unwrap_or(match (&args.message, args.pattern) {
        (Some(_), _) => 1,
        (_, Some(_)) => 1000,
        _ => 0,
    })
}

/// Says before anything is joined what is wrong with the arguments.
fn check(args: &SendArgs) -> Result<(), Failure> {
    if args.message.as_deref() == Some("") {
        return Err(Failure::usage("a message has at least 1 byte"));
    }
    args.agreement.check(args.session)
}

fn messages(args: &SendArgs, slot_len: usize) -> Result<Messages, Failure> {
    if let Some(text) = &args.message {
        return Ok(Messages::Text(text.clone().into_bytes()));
    }
    let seed = args.reproducible.seed;
    let sizes = args.size.unwrap_or_else(|| SizeRange::fixed(slot_len)).sizes(seed);
    if let Some(pattern) = args.pattern {
        let source = Box::new(Source::MadeUp { pattern, seed, sizes });
        return Ok(Messages::Frames { source, index: 0 });
    }
    let place = args.file.as_ref().unwrap_or(&Place::Standard);
    let opened = match (args.lines, args.session && args.size.is_none()) {
        (true, session) => Messages::lines(place, if session { usize::MAX } else { slot_len }),
        (false, true) => Messages::whole(place),
        (false, false) => {
            Source::open(place, sizes).map(|source| Messages::Frames { source: Box::new(source), index: 0 })
        }
    };
    opened.map_err(|error| Failure::usage(format_args!("{place}: {error}")))
}
