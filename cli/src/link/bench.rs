//! How fast is a link between two processes on this machine?

use core::cell::RefCell;
use core::fmt::Write as _;
use std::io::Read as _;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use clap::Args;
use serde::Serialize;
use strait::hqq::Link;

use super::bench_end::{End, Plan, WARM_UP};
use super::command::{ProfileName, Shape};
use super::endpoint;
use crate::exit::Failure;
use crate::interrupt::Interrupt;
use crate::latency::{Latency, Percentiles};
use crate::process;
use crate::report;

/// Options of `strait link bench`.
#[derive(Debug, Args)]
pub(crate) struct BenchArgs {
    /// Name of the link, which is made and removed [default: one that nobody has]
    name: Option<String>,

    #[command(flatten)]
    shape: Shape,

    #[command(flatten)]
    plan: Plan,

    /// Prints the report as JSON
    #[arg(long)]
    json_output: bool,
}

/// What was measured.
#[derive(Debug, Serialize)]
struct BenchReport {
    operation: &'static str,
    slots: u64,
    slot_len: u64,
    profile: &'static str,
    message_bytes: usize,
    messages: u64,
    one_way: Rate,
    batch: u8,
    batched: Rate,
    round_trips: u64,
    round_trip_us: Option<Percentiles>,
}

/// Messages in some time, until the other end has said that it has them all.
#[derive(Debug, Serialize)]
struct Rate {
    messages_per_second: f64,
    nanoseconds_per_message: f64,
    throughput_mbps: f64,
}

impl Rate {
    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    fn since(started: Instant, plan: &Plan) -> Self {
        let (seconds, count) = (started.elapsed().as_secs_f64(), plan.count as f64);
        Self {
            messages_per_second: count / seconds,
            nanoseconds_per_message: seconds * 1e9 / count,
            throughput_mbps: count * plan.size as f64 / seconds / f64::from(1u32 << 20),
        }
    }
}

/// The other process, stopped when this one is done with it.
struct Other(RefCell<Child>);

impl Other {
    fn start(name: &str, plan: &Plan) -> Result<Self, Failure> {
        let failure = |error| Failure::connect(format_args!("the other process cannot be started: {error}"));
        let mut command = Command::new(process::program().map_err(failure)?);
        process::detach(&mut command);
        command.args(["link", "bench-peer"]).args(plan.arguments()).args(["--", name]);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        Ok(Self(RefCell::new(process::spawn(&mut command).map_err(failure)?)))
    }

    /// An error as soon as it has ended.
    fn check(&self) -> Result<(), Failure> {
        let mut child = self.0.borrow_mut();
        let Ok(Some(status)) = child.try_wait() else { return Ok(()) };
        let mut said = String::new();
        if let Some(stderr) = &mut child.stderr {
            // What came before an error is all there is to know.
            let _ = stderr.read_to_string(&mut said);
        }
        Err(Failure::read(format_args!("the other process ended early ({status}): {}", said.trim())))
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        let child = self.0.get_mut();
        // Both fail only if it has ended by itself.
        let _ = child.kill();
        let _ = child.wait();
    }
}

/// Runs `strait link bench`.
pub(crate) fn run(args: &BenchArgs) -> Result<(), Failure> {
    let name = args.name.clone().unwrap_or_else(|| format!("strait-bench-{}", std::process::id()));
    let interrupt = Interrupt::catch().map_err(Failure::connect)?;
    let builder = args.shape.apply(Link::builder(&name).primary());
    let link = builder.create().map_err(|error| interrupt.or(endpoint::failure(error)))?;
    let (geometry, plan) = (link.geometry(), args.plan);
    if plan.size as u64 > geometry.slot_len() {
        return Err(Failure::usage(format_args!(
            "messages of {} bytes do not fit slots of {}",
            plan.size,
            geometry.slot_len()
        )));
    }
    let other = Other::start(&name, &plan)?;
    let go_on = || if interrupt.is_set() { Err(interrupt.failure()) } else { other.check() };
    let mut end = End::new(link, plan, &go_on);
    for number in 0..WARM_UP {
        end.send(number)?;
        end.receive(number)?;
    }
    let started = Instant::now();
    for number in 0..plan.count {
        end.send(number)?;
    }
    end.receive(plan.count)?;
    let one_way = Rate::since(started, &plan);
    let started = Instant::now();
    end.send_batches()?;
    end.receive(plan.count)?;
    let batched = Rate::since(started, &plan);
    let mut latency = Latency::new();
    for number in 0..plan.round_trips {
        let started = Instant::now();
        end.send(number)?;
        end.receive(number)?;
        latency.add(u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX));
    }
    let report = BenchReport {
        operation: "link-bench",
        slots: geometry.slots(),
        slot_len: geometry.slot_len(),
        profile: ProfileName::of(geometry.profile()),
        message_bytes: plan.size,
        messages: plan.count,
        one_way,
        batch: plan.batch,
        batched,
        round_trips: plan.round_trips,
        round_trip_us: Percentiles::of(&latency),
    };
    report::print(&if args.json_output { report::json(&report)? } else { as_text(&report) })
}

/// Writing to a String cannot fail, so its results are dropped.
fn as_text(report: &BenchReport) -> String {
    let BenchReport { slots, slot_len, profile, message_bytes, messages, batch, round_trips, .. } = report;
    let mut text = format!(
        "link       {slots} slots of {slot_len} bytes per direction, {profile}\nmessages   {messages} of {message_bytes} \
         bytes\n"
    );
    for (what, rate) in
        [("one by one".to_owned(), &report.one_way), (format!("batches of {batch}"), &report.batched)]
    {
        let Rate { messages_per_second, nanoseconds_per_message, throughput_mbps } = rate;
        let _ = writeln!(
            text,
            "{what:<15} {messages_per_second:>12.0} messages/s  {nanoseconds_per_message:>8.1} ns  \
             {throughput_mbps:>8.1} MiB/s"
        );
    }
    let _ = writeln!(text, "round trips {round_trips}");
    for (what, micros) in report.round_trip_us.iter().flat_map(Percentiles::named) {
        let _ = writeln!(text, "{what:<10} {micros:.1} µs");
    }
    text
}
