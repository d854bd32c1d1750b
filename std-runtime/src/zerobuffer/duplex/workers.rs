//! Requests handled elsewhere: by threads or tasks, as many at once as there are of them.

use std::fmt;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle, ThreadId};

use super::outbox::Outbox;
use super::request::Request;
use super::server::Handle;

/// A request, its client, and what tells that it was handled.
type Job = (Request, u64, Busy);

/// Hands a job to whoever handles it.
type Give = Box<dyn Fn(Job) + Send>;

/// Those who handle requests.
pub(super) struct Workers {
    give: Give,
    limit: usize,
    busy: Arc<Count>,
    threads: Vec<JoinHandle<()>>,
}

impl fmt::Debug for Workers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Workers").field("limit", &self.limit).finish_non_exhaustive()
    }
}

#[derive(Debug, Default)]
struct Count {
    jobs: Mutex<usize>,
    fewer: Condvar,
}

/// A job that is not done yet; dropping it says that it is.
#[derive(Debug)]
pub(super) struct Busy(Arc<Count>);

impl Drop for Busy {
    fn drop(&mut self) {
        *self.0.jobs.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        self.0.fewer.notify_all();
    }
}

impl Workers {
    /// `count` threads.
    pub(super) fn threads(count: usize, handle: Handle, outbox: &Arc<Outbox>) -> std::io::Result<Self> {
        let (give, take) = sync_channel::<Job>(count);
        let take = Arc::new(Mutex::new(take));
        let mut threads = Vec::new();
        for _ in 0..count {
            let (take, handle, outbox) = (Arc::clone(&take), Arc::clone(&handle), Arc::clone(outbox));
            let work = move || {
                while let Some((request, session, busy)) = next(&take) {
                    handle(request, session, &outbox);
                    drop(busy);
                }
            };
            threads.push(Builder::new().name("duplex-worker".to_owned()).spawn(work)?);
        }
        // As many again may wait: the next is at hand when a thread is free.
        Ok(Self { give: give_to(give), limit: 2 * count, busy: Arc::default(), threads })
    }

    /// At most `limit` at once, wherever `give` takes them.
    #[cfg(feature = "tokio")]
    pub(super) fn elsewhere(limit: usize, give: impl Fn(Request, u64, Busy) + Send + 'static) -> Self {
        let give = Box::new(move |(request, session, busy): Job| give(request, session, busy));
        Self { give, limit, busy: Arc::default(), threads: Vec::new() }
    }

    /// The threads, if it has some of its own.
    pub(super) fn ids(&self) -> Vec<ThreadId> {
        self.threads.iter().map(|thread| thread.thread().id()).collect()
    }

    /// Hands a request over, waiting while as many are being handled as may be.
    pub(super) fn give(&self, request: Request, session: u64) {
        let mut jobs = self.busy.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        while *jobs >= self.limit {
            jobs = self.busy.fewer.wait(jobs).unwrap_or_else(PoisonError::into_inner);
        }
        *jobs += 1;
        drop(jobs);
        (self.give)((request, session, Busy(Arc::clone(&self.busy))));
    }

    /// Waits until everything handed over is handled.
    pub(super) fn finish(self) {
        // The threads end when nobody can give any more.
        drop(self.give);
        for thread in self.threads {
            // Handlers' panics are caught; another one was printed.
            let _ = thread.join();
        }
        let mut jobs = self.busy.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        while *jobs > 0 {
            jobs = self.busy.fewer.wait(jobs).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

fn give_to(sender: SyncSender<Job>) -> Give {
    // Fails only when every thread has ended, which they do after this is dropped.
    Box::new(move |job| drop(sender.send(job)))
}

fn next(take: &Mutex<Receiver<Job>>) -> Option<Job> {
    take.lock().unwrap_or_else(PoisonError::into_inner).recv().ok()
}
