//! How long does a round trip take when two processes share one processor and wake each other by futex?

use core::sync::atomic::{AtomicU32, Ordering};

use rustix::io::Errno;
use rustix::thread::futex;
use strait_bench::Outcome;
use strait_bench::child::{self, Child, argument};
use strait_bench::lines::time_batches;
use strait_bench::shared::Shared;

/// Role: answers every request. Arguments: path of the memory, round trips.
pub(crate) const SERVER: &str = "futex-server";

const PAGE: usize = 4096;
/// Offsets of the words, bytes: on cache lines of their own.
const REQUEST: usize = 0;
const REPLY: usize = 256;

/// Nanoseconds per round trip. Nobody spins: the other side cannot answer while this one runs.
pub(crate) fn client(trips: u64) -> Outcome<f64> {
    let shared = Shared::create(PAGE)?;
    let mut child = Child::start(SERVER, &[shared.path(), trips.to_string()])?;
    let (request, reply) = (shared.half_word(REQUEST), shared.half_word(REPLY));
    child.go()?;
    let nanos = time_batches(trips, |number| {
        let number = u32::try_from(number)?;
        publish(request, number)?;
        await_number(reply, number)
    })?;
    child.finish()?;
    Ok(nanos)
}

pub(crate) fn server(args: &[String]) -> Outcome<()> {
    child::settle_on(child::PARENT_CPU)?;
    let shared = Shared::open(&argument::<String>(args, 0)?, PAGE)?;
    let trips: u32 = argument(args, 1)?;
    let (request, reply) = (shared.half_word(REQUEST), shared.half_word(REPLY));
    child::report_ready()?;
    for number in 1..=trips {
        await_number(request, number)?;
        publish(reply, number)?;
    }
    Ok(())
}

fn publish(word: &AtomicU32, number: u32) -> Outcome<()> {
    // Release pairs with the Acquire load of `await_number`.
    word.store(number, Ordering::Release);
    futex::wake(word, futex::Flags::empty(), 1)?;
    Ok(())
}

fn await_number(word: &AtomicU32, number: u32) -> Outcome<()> {
    // Acquire pairs with the Release store of `publish`. If the word changes before the kernel looks, waiting returns.
    while word.load(Ordering::Acquire) != number {
        match futex::wait(word, futex::Flags::empty(), number.wrapping_sub(1), None) {
            Ok(()) | Err(Errno::AGAIN | Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(())
}
