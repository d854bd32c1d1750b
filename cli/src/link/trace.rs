//! How does `strait link trace` show the packets that go through a link?

use core::time::Duration;
use std::time::{Instant, SystemTime};

use clap::Args;
use strait::hqq::{Link, LinkTrace, OpenError, Side, Trace};

use super::command::Shape;
use super::packet_text::text;
use super::pcap;
use crate::args::Place;
use crate::exit::Failure;
use crate::interrupt::Interrupt;
use crate::report::{self, Troubles};
use crate::sink::Sink;

/// Between two looks while nothing comes.
const STEP: Duration = Duration::from_micros(200);
/// Packets of one ring that are taken before the other one's turn comes.
const TURN: usize = 1024;

/// Options of `strait link trace`.
#[derive(Debug, Args)]
pub(crate) struct TraceArgs {
    /// Name of the link
    name: String,

    /// What the link must look like. A link of the seed profile that Strait has not made does not say how long its slots
    /// are: give --slot-len
    #[command(flatten)]
    shape: Shape,

    /// Most packets to show, both ways, 0 or -1 = no limit
    #[arg(short = 'n', long, value_name = "COUNT", default_value_t = 0, allow_negative_numbers = true, value_parser = crate::args::count)]
    count: u64,

    /// Shows what can still be seen in the rings, and ends
    #[arg(long)]
    once: bool,

    /// Writes the packets to a file that Wireshark and tcpdump read (link type USER0), and no text; `-` is standard output
    #[arg(long, value_name = "FILE")]
    pcap: Option<Place>,
}

const SIDES: [Side; 2] = [Side::Primary, Side::Secondary];

/// Runs `strait link trace`.
pub(crate) fn run(args: &TraceArgs) -> Result<(), Failure> {
    let interrupt = Interrupt::catch().map_err(Failure::connect)?;
    let mut trace = args.shape.apply(Link::builder(&args.name)).trace().map_err(|error| match error {
        OpenError::BadName { .. } => Failure::usage(error),
        OpenError::NotFound { name } => Failure::connect(format_args!("link {name:?} not found")),
        _ => Failure::connect(error),
    })?;
    let mut out = match &args.pcap {
        Some(place) => {
            let mut sink = Sink::open(place)?;
            sink.write(&pcap::HEADER)?;
            Out::Pcap(sink)
        }
        None => Out::Text(String::new()),
    };
    let mut troubles = Troubles::default();
    if let Err(failure) = follow(args, &mut trace, &mut out, &interrupt) {
        troubles.add(failure);
    }
    if let Out::Pcap(sink) = out {
        sink.settle(&mut troubles);
    }
    troubles.conclude()
}

/// Where packets go.
enum Out {
    Text(String),
    Pcap(Sink),
}

/// Until a limit, an interruption, which is no failure, or the end of the link.
fn follow(
    args: &TraceArgs,
    trace: &mut LinkTrace,
    out: &mut Out,
    interrupt: &Interrupt,
) -> Result<(), Failure> {
    let profile = trace.geometry().profile();
    let (began, mut shown) = (Instant::now(), 0_u64);
    loop {
        // Before the look: what was sent until then is seen.
        let (is_linked, is_over) = (trace.is_linked(), interrupt.is_set());
        let mut idle = true;
        for from in SIDES {
            for _ in 0..TURN {
                if args.count != 0 && shown == args.count {
                    return out.flush();
                }
                let seen = match trace.next(from) {
                    Ok(Some(seen)) => seen,
                    Ok(None) => break,
                    Err(error) => {
                        report::complain(format_args!("link {:?}, ring of the {from}: {error}", args.name));
                        break;
                    }
                };
                idle = false;
                shown += u64::from(matches!(seen, Trace::Packet { .. }));
                match out {
                    Out::Text(lines) => lines.push_str(&text(began.elapsed(), from, &seen, profile)),
                    Out::Pcap(sink) => sink.write(&pcap::record(SystemTime::now(), from, &seen, profile))?,
                }
            }
            out.flush()?;
        }
        if is_over || idle && args.once {
            return Ok(());
        }
        if idle && !is_linked {
            report::complain(format_args!("link {:?} was removed", args.name));
            return Ok(());
        }
        if idle {
            interrupt.sleep(STEP);
        }
    }
}

impl Out {
    fn flush(&mut self) -> Result<(), Failure> {
        match self {
            Self::Text(lines) if lines.is_empty() => Ok(()),
            Self::Text(lines) => report::print(&core::mem::take(lines)),
            Self::Pcap(sink) => sink.flush(),
        }
    }
}
