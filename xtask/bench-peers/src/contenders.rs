//! Who takes part in which measurement, and against whom?

use strait_bench::Outcome;
use strait_bench::child;
use strait_bench::lines;
use strait_bench::schedule::{self, Group, Row, Target};

use crate::queues::{ArrayQueue, Heapless, Kanal, ThingBuf};
use crate::{futex, iceoryx, ours, threads, touch};

/// Role: one run of one contender, in a process of its own.
pub(crate) const RUN: &str = "run";

/// What a role does with its arguments.
pub(crate) type Play = fn(&[String]) -> Outcome<()>;

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Measurement {
    /// One thread puts an item in and takes it out; nobody else is there.
    Pair,
    /// One side sends, the other receives, on two processors.
    OneWay,
    /// Two threads put in, two take out; one of each per processor.
    TwoByTwo,
    /// There and back between two processors, both sides spinning.
    RoundTrip,
    /// There and back between two processes on one processor.
    OneCore,
    /// One process writes every byte of a block in place, and the next reads it.
    Slot,
}

impl Measurement {
    const ALL: [Self; 6] =
        [Self::Pair, Self::OneWay, Self::TwoByTwo, Self::RoundTrip, Self::OneCore, Self::Slot];

    fn name(self) -> &'static str {
        match self {
            Self::Pair => "put and take 64 B, one thread",
            Self::OneWay => "one-way 64 B",
            Self::TwoByTwo => "2 × 2 threads, 64 B",
            Self::RoundTrip => "round trip 64 B, spinning",
            Self::OneCore => "round trip 64 B, one core",
            Self::Slot => "slot of 4 KiB, in place",
        }
    }

    fn unit(self) -> &'static str {
        match self {
            Self::Pair | Self::RoundTrip | Self::OneCore | Self::Slot => "ns",
            Self::OneWay | Self::TwoByTwo => "M/s",
        }
    }

    /// Items, or round trips, of one run: some 0.2 s, or a fifth of that.
    fn operations(self, quick: bool) -> u64 {
        let operations = match self {
            Self::Pair => 10_000_000,
            Self::OneWay | Self::TwoByTwo => 2_000_000,
            Self::RoundTrip => 400_000,
            Self::OneCore => 100_000,
            Self::Slot => 1_000_000,
        };
        if quick { operations / 5 } else { operations }
    }
}

/// One way of doing what is measured.
pub(crate) struct Contender {
    pub(crate) measurement: Measurement,
    /// Its own within the measurement.
    pub(crate) name: &'static str,
    /// Name of the contender that it is compared with.
    pub(crate) against: Option<&'static str>,
    pub(crate) target: Target,
    /// Does that many operations, and returns the figure in the measurement's unit. The calling thread is alone in its
    /// process and runs on [`child::PARENT_CPU`].
    pub(crate) run: fn(u64) -> Outcome<f64>,
}

/// The reference within a process.
pub(crate) const ARRAY_QUEUE: &str = "crossbeam ArrayQueue, in process";
/// The reference between processes.
pub(crate) const LINES: &str = "two cache lines, two processes";
/// The reference on one processor.
pub(crate) const FUTEX: &str = "futex, two processes";
/// What every byte of a block costs.
pub(crate) const TOUCH: &str = "touch of 4 KiB, one thread";

const HEAPLESS: &str = "heapless mpmc, in process";
const THINGBUF: &str = "thingbuf, in process";
const KANAL: &str = "kanal, in process";
const ICEORYX: &str = "iceoryx2 pub/sub, two processes";

/// Everybody but Strait, which [`ours::CONTENDERS`] adds.
const PEERS: &[Contender] = &[
    reference(Measurement::Pair, ARRAY_QUEUE, threads::pair::<ArrayQueue>),
    peer(Measurement::Pair, HEAPLESS, ARRAY_QUEUE, threads::pair::<Heapless>),
    peer(Measurement::Pair, THINGBUF, ARRAY_QUEUE, threads::pair::<ThingBuf>),
    peer(Measurement::Pair, KANAL, ARRAY_QUEUE, threads::pair::<Kanal>),
    reference(Measurement::OneWay, ARRAY_QUEUE, threads::one_way::<ArrayQueue>),
    peer(Measurement::OneWay, HEAPLESS, ARRAY_QUEUE, threads::one_way::<Heapless>),
    peer(Measurement::OneWay, THINGBUF, ARRAY_QUEUE, threads::one_way::<ThingBuf>),
    peer(Measurement::OneWay, KANAL, ARRAY_QUEUE, threads::one_way::<Kanal>),
    peer(Measurement::OneWay, ICEORYX, ARRAY_QUEUE, iceoryx::one_way),
    reference(Measurement::TwoByTwo, ARRAY_QUEUE, threads::two_by_two::<ArrayQueue>),
    peer(Measurement::TwoByTwo, HEAPLESS, ARRAY_QUEUE, threads::two_by_two::<Heapless>),
    peer(Measurement::TwoByTwo, THINGBUF, ARRAY_QUEUE, threads::two_by_two::<ThingBuf>),
    peer(Measurement::TwoByTwo, KANAL, ARRAY_QUEUE, threads::two_by_two::<Kanal>),
    reference(Measurement::RoundTrip, LINES, lines::client),
    peer(Measurement::RoundTrip, ARRAY_QUEUE, LINES, threads::round_trip::<ArrayQueue>),
    peer(Measurement::RoundTrip, HEAPLESS, LINES, threads::round_trip::<Heapless>),
    peer(Measurement::RoundTrip, THINGBUF, LINES, threads::round_trip::<ThingBuf>),
    peer(Measurement::RoundTrip, KANAL, LINES, threads::round_trip::<Kanal>),
    peer(Measurement::RoundTrip, ICEORYX, LINES, iceoryx::round_trip),
    reference(Measurement::OneCore, FUTEX, futex::client),
    reference(Measurement::Slot, TOUCH, touch::run),
];

const fn reference(measurement: Measurement, name: &'static str, run: fn(u64) -> Outcome<f64>) -> Contender {
    Contender { measurement, name, against: None, target: Target::None, run }
}

const fn peer(
    measurement: Measurement,
    name: &'static str,
    against: &'static str,
    run: fn(u64) -> Outcome<f64>,
) -> Contender {
    Contender { measurement, name, against: Some(against), target: Target::None, run }
}

/// The contender of that name in the measurement of that name.
pub(crate) fn find(measurement: &str, name: &str) -> Outcome<&'static Contender> {
    all()
        .find(|contender| contender.measurement.name() == measurement && contender.name == name)
        .ok_or_else(|| format!("nobody is called {name} in {measurement}").into())
}

/// Every measurement, with a process of its own for each run.
pub(crate) fn groups(quick: bool) -> Outcome<Vec<Group>> {
    Measurement::ALL.iter().map(|measurement| group(*measurement, quick)).collect()
}

fn all() -> impl Iterator<Item = &'static Contender> {
    PEERS.iter().chain(ours::CONTENDERS)
}

fn group(measurement: Measurement, quick: bool) -> Outcome<Group> {
    let those: Vec<&Contender> = all().filter(|contender| contender.measurement == measurement).collect();
    let place = |name: &str| {
        let place = those.iter().position(|contender| contender.name == name);
        place.ok_or_else(|| format!("{}: nobody is called {name}", measurement.name()))
    };
    let row = |(at, contender): (usize, &&Contender)| -> Outcome<Row> {
        let reference = contender.against.map(place).transpose()?;
        Ok(Row { label: measurement.name(), ours: at, reference, target: contender.target })
    };
    let operations = measurement.operations(quick).to_string();
    let run = |contender: &&Contender| {
        let name = contender.name;
        let args = [measurement.name().to_owned(), name.to_owned(), operations.clone()];
        schedule::contender(name, move || child::figure_of(RUN, &args))
    };
    Ok(Group {
        name: measurement.name(),
        unit: measurement.unit(),
        is_exact: false,
        contenders: those.iter().map(run).collect(),
        rows: those.iter().enumerate().map(row).collect::<Outcome<_>>()?,
    })
}
