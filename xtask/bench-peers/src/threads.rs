//! How fast is a queue between the threads of one process?

use core::hint::black_box;
use std::sync::Barrier;
use std::thread;
use std::time::Instant;

use strait_bench::Outcome;
use strait_bench::child;
use strait_bench::lines::time_batches;
use strait_bench::messages::{check, millions_per_second, warm_up, write_number};

use crate::queues::{Item, Queue};
use crate::waiting::Waiting;

const LEN: usize = size_of::<Item>();
/// Pairs that count as one trip, so that looking at the clock is spread over ten thousand.
const PAIRS: u64 = 100;
/// What crosses between threads; an `Outcome` cannot.
type Finished<T> = Result<T, String>;

/// Nanoseconds for an item in and out again, on one thread.
pub(crate) fn pair<Q: Queue>(pairs: u64) -> Outcome<f64> {
    let queue = Q::create();
    let mut item = [0; LEN];
    let nanos = time_batches(pairs / PAIRS, |trip| {
        for number in (trip - 1) * PAIRS..trip * PAIRS {
            write_number(&mut item, number);
            if !queue.try_put(black_box(&item)) {
                return Err("an empty queue is full".into());
            }
            check(&black_box(queue.try_take()).ok_or("what was put in is not there")?, number, LEN)?;
        }
        Ok(())
    })?;
    #[expect(clippy::cast_precision_loss, reason = "a small constant")]
    Ok(nanos / PAIRS as f64)
}

/// Millions of items per second from one thread to another; both spin.
pub(crate) fn one_way<Q: Queue>(items: u64) -> Outcome<f64> {
    let queue = &Q::create();
    thread::scope(|scope| {
        let sender = scope.spawn(move || {
            text(child::pin(child::CHILD_CPU))?;
            let mut item = [0; LEN];
            for number in 0..items {
                write_number(&mut item, number);
                text(queue.put(&item, Waiting::Spin))?;
            }
            Ok(())
        });
        let receive = |numbers: core::ops::Range<u64>| -> Outcome<()> {
            for number in numbers {
                check(&queue.take(Waiting::Spin)?, number, LEN)?;
            }
            Ok(())
        };
        let warm = warm_up(items);
        receive(0..warm)?;
        let start = Instant::now();
        receive(warm..items)?;
        let rate = millions_per_second(items - warm, start);
        joined(sender)?;
        Ok(rate)
    })
}

/// Nanoseconds for a round trip over two queues between two threads; both spin.
pub(crate) fn round_trip<Q: Queue>(trips: u64) -> Outcome<f64> {
    let (requests, replies) = (&Q::create(), &Q::create());
    thread::scope(|scope| {
        let server = scope.spawn(move || {
            text(child::pin(child::CHILD_CPU))?;
            for _ in 0..trips {
                let item = text(requests.take(Waiting::Spin))?;
                text(replies.put(&item, Waiting::Spin))?;
            }
            Ok(())
        });
        let mut item = [0; LEN];
        let nanos = time_batches(trips, |number| {
            write_number(&mut item, number);
            requests.put(&item, Waiting::Spin)?;
            check(&replies.take(Waiting::Spin)?, number, LEN)
        })?;
        joined(server)?;
        Ok(nanos)
    })
}

/// Millions of items per second with two producers and two consumers, one of each per processor. Who finds the queue
/// full or empty soon gives its processor to the other.
pub(crate) fn two_by_two<Q: Queue>(items: u64) -> Outcome<f64> {
    let queue = &Q::create();
    let share = items / 2;
    let start = &Barrier::new(4);
    let run = |cpu: usize, work: &dyn Fn() -> Outcome<u64>| -> Finished<Span> {
        text(child::pin(cpu))?;
        start.wait();
        let began = Instant::now();
        let sum = text(work())?;
        Ok(Span { began, ended: Instant::now(), sum })
    };
    thread::scope(|scope| {
        let mut producers = Vec::new();
        let mut consumers = Vec::new();
        for (cpu, first) in [(child::PARENT_CPU, 0), (child::CHILD_CPU, share)] {
            producers.push(scope.spawn(move || run(cpu, &|| produce(queue, first, share))));
            consumers.push(scope.spawn(move || run(cpu, &|| consume(queue, share))));
        }
        let put: Vec<Span> = producers.into_iter().map(joined).collect::<Outcome<_>>()?;
        let taken: Vec<Span> = consumers.into_iter().map(joined).collect::<Outcome<_>>()?;
        let sum = |spans: &[Span]| spans.iter().fold(0u64, |sum, span| sum.wrapping_add(span.sum));
        if sum(&put) != sum(&taken) {
            return Err("what was taken is not what was put in".into());
        }
        let began = put.iter().chain(&taken).map(|span| span.began).min().ok_or("nobody ran")?;
        let ended = taken.iter().map(|span| span.ended).max().ok_or("nobody ran")?;
        #[expect(clippy::cast_precision_loss, reason = "item counts are far below 2^52")]
        Ok((2 * share) as f64 / (ended - began).as_secs_f64() / 1e6)
    })
}

/// When a thread worked, and the sum of the numbers that it put in or took.
struct Span {
    began: Instant,
    ended: Instant,
    sum: u64,
}

fn produce<Q: Queue>(queue: &Q, first: u64, count: u64) -> Outcome<u64> {
    let mut item = [0; LEN];
    let mut sum = 0u64;
    for number in first..first + count {
        write_number(&mut item, number);
        queue.put(&item, Waiting::Yield)?;
        sum = sum.wrapping_add(number);
    }
    Ok(sum)
}

fn consume<Q: Queue>(queue: &Q, count: u64) -> Outcome<u64> {
    let mut sum = 0u64;
    for _ in 0..count {
        let item = queue.take(Waiting::Yield)?;
        let number = item.first_chunk().copied().map(u64::from_ne_bytes);
        sum = sum.wrapping_add(number.ok_or("an item without a number")?);
    }
    Ok(sum)
}

fn text<T>(outcome: Outcome<T>) -> Finished<T> {
    outcome.map_err(|error| error.to_string())
}

fn joined<T>(thread: thread::ScopedJoinHandle<'_, Finished<T>>) -> Outcome<T> {
    Ok(thread.join().map_err(|_| "a thread panicked")??)
}
