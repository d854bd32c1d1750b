//! Calls on any number of threads, one after another on each, until all are made or one cannot be.

use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use core::time::Duration;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use strait::zerobuffer::SendError;
use strait::zerobuffer::duplex::{CallError, Client, Pending};

use crate::escape::printable;
use crate::exit::Failure;
use crate::interrupt::{Interrupt, Patience, SLICE};
use crate::latency::Latency;
use crate::report::Troubles;

/// What is called, how often, and what shall come back.
pub(super) struct Calls<'a> {
    /// Its waits for space are no longer than a slice.
    pub(super) client: &'a Client,
    pub(super) request: &'a [u8],
    /// What each response must be, if that matters.
    pub(super) expected: Option<&'a [u8]>,
    /// 0 = until interrupted.
    pub(super) limit: u64,
    pub(super) threads: u16,
    /// For each response, and for space for each request.
    pub(super) timeout: Duration,
    /// Whether the last response is kept.
    pub(super) keep: bool,
    pub(super) interrupt: &'a Interrupt,
}

/// What came of it.
#[derive(Clone, Debug)]
pub(super) struct Tally {
    /// Requests sent.
    pub(super) requests: u64,
    /// Bytes of them.
    pub(super) bytes_sent: u64,
    /// Responses received, failures included.
    pub(super) responses: u64,
    /// Of those, failures.
    pub(super) failed: u64,
    /// Of those, responses other than expected.
    pub(super) wrong: u64,
    /// Bytes of responses; failures have none.
    pub(super) bytes_received: u64,
    /// From before each request was sent until its response was there, failures included.
    pub(super) latency: Latency,
    /// The last response, if it is kept.
    pub(super) response: Option<Vec<u8>>,
    span: Option<(Instant, Instant)>,
}

impl Tally {
    /// Nothing so far.
    pub(super) fn new() -> Self {
        Self {
            requests: 0,
            bytes_sent: 0,
            responses: 0,
            failed: 0,
            wrong: 0,
            bytes_received: 0,
            latency: Latency::new(),
            response: None,
            span: None,
        }
    }

    /// From the first request to the last response, or to the end of the wait for it.
    pub(super) fn duration(&self) -> Duration {
        self.span.map_or(Duration::ZERO, |(started, ended)| ended.saturating_duration_since(started))
    }

    fn merge(&mut self, other: Self) {
        self.requests += other.requests;
        self.bytes_sent += other.bytes_sent;
        self.responses += other.responses;
        self.failed += other.failed;
        self.wrong += other.wrong;
        self.bytes_received += other.bytes_received;
        self.latency.merge(&other.latency);
        if other.response.is_some() {
            self.response = other.response;
        }
        self.span = match (self.span, other.span) {
            (Some((a, b)), Some((c, d))) => Some((a.min(c), b.max(d))),
            (one, other) => one.or(other),
        };
    }
}

/// What the threads share.
struct Work<'a> {
    calls: &'a Calls<'a>,
    begun: AtomicU64,
    stops: AtomicBool,
    troubles: Mutex<&'a mut Troubles>,
}

impl Calls<'_> {
    /// Makes the calls.
    pub(super) fn make(&self, troubles: &mut Troubles) -> Tally {
        let work = Work {
            calls: self,
            begun: AtomicU64::new(0),
            stops: AtomicBool::new(false),
            troubles: Mutex::new(troubles),
        };
        // The request that each thread waits for; 0 if it waits for none.
        let waits: Vec<AtomicU64> = (0..self.threads).map(|_| AtomicU64::new(0)).collect();
        let mut tally = Tally::new();
        thread::scope(|scope| {
            let (tell, told) = channel();
            for wait in &waits {
                let (work, tell) = (&work, tell.clone());
                let run = move || drop(tell.send(work.run(wait)));
                if let Err(error) = thread::Builder::new().spawn_scoped(scope, run) {
                    work.stop(Failure::connect(format_args!("no thread for a caller: {error}")));
                    break;
                }
            }
            drop(tell);
            loop {
                match told.recv_timeout(SLICE) {
                    Ok(one) => tally.merge(one),
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => break,
                }
                if self.interrupt.is_set() && !work.stops() {
                    work.stop(self.interrupt.failure());
                }
                if work.stops() {
                    // Again in each slice: a thread may just have sent another one.
                    for wait in &waits {
                        // Relaxed: a number, nothing ordered by it.
                        match wait.load(Ordering::Relaxed) {
                            0 => {}
                            sequence => drop(self.client.cancel(sequence)),
                        }
                    }
                }
            }
        });
        tally
    }
}

impl Work<'_> {
    fn stops(&self) -> bool {
        // Relaxed: nothing else is read by it.
        self.stops.load(Ordering::Relaxed)
    }

    fn note(&self, failure: Failure) {
        self.troubles.lock().unwrap_or_else(PoisonError::into_inner).add(failure);
    }

    /// Ends all calls; the first failure says why.
    fn stop(&self, failure: Failure) {
        // Relaxed: nothing else is read by it.
        if !self.stops.swap(true, Ordering::Relaxed) {
            self.note(failure);
        }
    }

    /// Whether there is one more call to make.
    fn begin(&self) -> bool {
        let limit = self.calls.limit;
        let next = |begun: u64| (limit == 0 || begun < limit).then(|| begun.saturating_add(1));
        // Relaxed: a count, nothing ordered by it.
        !self.stops() && self.begun.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next).is_ok()
    }

    fn run(&self, wait: &AtomicU64) -> Tally {
        let mut tally = Tally::new();
        let started = Instant::now();
        while self.begin() {
            if let Err(failure) = self.call(&mut tally, wait) {
                self.stop(failure);
                break;
            }
        }
        tally.span = Some((started, Instant::now()));
        tally
    }

    /// One call. Failures that later calls need not have are noted; others are returned.
    fn call(&self, tally: &mut Tally, wait: &AtomicU64) -> Result<(), Failure> {
        let calls = self.calls;
        let started = Instant::now();
        let Some(pending) = self.send()? else { return Ok(()) };
        let sequence = pending.sequence();
        tally.requests += 1;
        tally.bytes_sent += calls.request.len() as u64;
        // Relaxed: a number, nothing ordered by it. The same below.
        wait.store(sequence, Ordering::Relaxed);
        let outcome = pending.wait_timeout(calls.timeout);
        let nanos = u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX);
        wait.store(0, Ordering::Relaxed);
        if matches!(outcome, Ok(_) | Err(CallError::Failed { .. })) {
            tally.responses += 1;
            tally.latency.add(nanos);
        }
        match outcome {
            Ok(response) => {
                tally.bytes_received += response.len() as u64;
                if let Some(difference) = calls.expected.and_then(|expected| difference(&response, expected))
                {
                    tally.wrong += 1;
                    self.note(Failure::verify(format_args!("response {sequence} {difference}")));
                }
                if calls.keep {
                    tally.response = Some(response.to_vec());
                }
                Ok(())
            }
            Err(error @ CallError::Failed { .. }) => {
                tally.failed += 1;
                // The server has a say in it.
                self.note(Failure::read(printable(error.to_string().as_bytes())));
                Ok(())
            }
            Err(CallError::Cancelled { .. }) if self.stops() => Ok(()),
            Err(CallError::Timeout { name }) => {
                let ms = calls.timeout.as_millis();
                let message =
                    format_args!("channel {name:?}: no response to request {sequence} within {ms} ms");
                Err(Failure::read(message))
            }
            Err(error) => Err(Failure::read(error)),
        }
    }

    /// Sends the request, waiting for space in slices; `None` if the calls were stopped meanwhile.
    fn send(&self) -> Result<Option<Pending>, Failure> {
        let patience = Patience::new(self.calls.timeout);
        loop {
            match self.calls.client.request(self.calls.request) {
                Ok(pending) => return Ok(Some(pending)),
                Err(CallError::Send(SendError::BufferFull { .. })) if self.stops() => return Ok(None),
                Err(CallError::Send(SendError::BufferFull { .. })) if patience.slice().is_some() => {}
                Err(CallError::Send(error)) => return Err(Failure::write(error)),
                Err(error) => return Err(Failure::read(error)),
            }
        }
    }
}

/// How a response is other than expected.
fn difference(response: &[u8], expected: &[u8]) -> Option<String> {
    if response == expected {
        return None;
    }
    let (found, wanted) = (response.len(), expected.len());
    if found != wanted {
        return Some(format!("has {found} bytes, expected {wanted}"));
    }
    let mut both = response.iter().zip(expected).enumerate();
    both.find(|(_, (found, wanted))| found != wanted)
        .map(|(at, (found, wanted))| format!("byte {at} is 0x{found:02x}, expected 0x{wanted:02x}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_the_length_or_the_first_byte() {
        assert_eq!(difference(b"abc", b"abc"), None);
        assert_eq!(difference(b"ab", b"abc").as_deref(), Some("has 2 bytes, expected 3"));
        assert_eq!(difference(b"axx", b"abc").as_deref(), Some("byte 1 is 0x78, expected 0x62"));
    }
}
