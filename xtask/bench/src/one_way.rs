//! How many small frames per second go from one process to another?

use std::thread;
use std::time::Instant;

use strait_bench::Outcome;
use strait_bench::child::{self, Child, argument, spin_until};
use strait_bench::messages::{check, millions_per_second, warm_up, write_number};
use strait_bench::schedule::{Contender, Group, Row, Target, contender};

use crate::buffers;

/// Role: writes numbered frames. Arguments: buffer, frame length in bytes, frames.
pub(crate) const WRITER: &str = "one-way-writer";

const SMALL: usize = 64;

/// 64-byte frames, against the fastest ring within a process.
pub(crate) fn small(quick: bool) -> Group {
    let scale = if quick { 1 } else { 5 };
    Group {
        name: "one-way 64 B",
        unit: "M/s",
        is_exact: false,
        contenders: vec![
            rtrb("rtrb 64 KiB", 64 << 10, scale * 4_000_000),
            strait("Strait 64 KiB", 64 << 10, SMALL, scale * 500_000),
            rtrb("rtrb 1 MiB", 1 << 20, scale * 4_000_000),
            strait("Strait 1 MiB", 1 << 20, SMALL, scale * 500_000),
        ],
        rows: vec![
            Row { label: "one-way 64 B, ring 64 KiB", ours: 1, reference: Some(0), target: AT_LEAST },
            Row { label: "one-way 64 B, ring 1 MiB", ours: 3, reference: Some(2), target: AT_LEAST },
        ],
    }
}

const AT_LEAST: Target = Target::RatioAtLeast(1.0 / 6.0);

/// 1 KiB frames, for orientation.
pub(crate) fn kilobyte(quick: bool) -> Group {
    let frames = if quick { 200_000 } else { 1_000_000 };
    let row = Row { label: "one-way 1 KiB, ring 10 MiB", ours: 0, reference: None, target: Target::None };
    Group {
        name: "one-way 1 KiB",
        unit: "M/s",
        is_exact: false,
        contenders: vec![strait("Strait 10 MiB", 10 << 20, 1 << 10, frames)],
        rows: vec![row],
    }
}

fn strait(name: &'static str, ring: u64, len: usize, frames: u64) -> Contender {
    contender(name, move || strait_frames(ring, len, frames))
}

fn rtrb(name: &'static str, ring: usize, items: u64) -> Contender {
    contender(name, move || rtrb_items(ring / SMALL, items))
}

fn strait_frames(ring: u64, len: usize, frames: u64) -> Outcome<f64> {
    let name = child::unique_name("one-way");
    let mut reader = buffers::create(&name, ring, None)?;
    let mut child = Child::start(WRITER, &[name, len.to_string(), frames.to_string()])?;
    child.go()?;
    let mut receive = |numbers: core::ops::Range<u64>| -> Outcome<()> {
        for number in numbers {
            let frame = reader.recv()?;
            check(&frame, number, len)?;
        }
        Ok(())
    };
    let warm = warm_up(frames);
    receive(0..warm)?;
    let start = Instant::now();
    receive(warm..frames)?;
    let rate = millions_per_second(frames - warm, start);
    child.finish()?;
    Ok(rate)
}

pub(crate) fn writer(args: &[String]) -> Outcome<()> {
    child::settle()?;
    let (len, frames): (usize, u64) = (argument(args, 1)?, argument(args, 2)?);
    let mut writer = buffers::connect(&argument::<String>(args, 0)?, None)?;
    let mut frame = vec![0; len];
    child::report_ready()?;
    if let Ok(frame) = <&mut [u8; SMALL]>::try_from(frame.as_mut_slice()) {
        for number in 0..frames {
            write_number(frame, number);
            writer.send(frame)?;
        }
        return Ok(());
    }
    for number in 0..frames {
        write_number(&mut frame, number);
        writer.send(&frame)?;
    }
    Ok(())
}

fn rtrb_items(capacity: usize, items: u64) -> Outcome<f64> {
    let (mut producer, mut consumer) = rtrb::RingBuffer::<[u8; SMALL]>::new(capacity);
    thread::scope(|scope| {
        let sender = scope.spawn(move || -> Result<(), String> {
            child::pin(child::CHILD_CPU).map_err(|error| error.to_string())?;
            let mut item = [0; SMALL];
            for number in 0..items {
                write_number(&mut item, number);
                if producer.push(item).is_err() {
                    spin_until(|| producer.slots() > 0).map_err(|error| error.to_string())?;
                    producer.push(item).map_err(|error| error.to_string())?;
                }
            }
            Ok(())
        });
        let mut receive = |numbers: core::ops::Range<u64>| -> Outcome<()> {
            for number in numbers {
                let item = match consumer.pop() {
                    Ok(item) => item,
                    Err(rtrb::PopError::Empty) => {
                        spin_until(|| consumer.slots() > 0)?;
                        consumer.pop()?
                    }
                };
                check(&item, number, SMALL)?;
            }
            Ok(())
        };
        let warm = warm_up(items);
        receive(0..warm)?;
        let start = Instant::now();
        receive(warm..items)?;
        let rate = millions_per_second(items - warm, start);
        sender.join().map_err(|_| "the sending thread panicked")??;
        Ok(rate)
    })
}
