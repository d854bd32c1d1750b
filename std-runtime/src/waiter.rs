//! Where the waits of async calls wait: on one thread per endpoint, started with the first, parked, and used again.
//!
//! A semaphore or a futex cannot be polled by epoll. The thread takes no permit, frame or slot: it only says that a look is
//! worth while, so that dropping a future loses nothing. A wait whose future was dropped is given up at once.

use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread::Builder;
use std::time::Duration;

use crate::os::OsError;

/// How long a thread that has nothing to wait for is kept.
const KEPT: Duration = Duration::from_secs(1);

/// What an endpoint waits for, looked at from another thread.
pub(crate) trait Wait: Send + Sync {
    /// Waits until a look is worth while, or a slice of time is over.
    fn wait(&self, is_over: &dyn Fn() -> bool) -> Result<(), OsError>;

    /// Ends the wait if `is_over` says so now. It may miss one that is just about to sleep.
    fn interrupt(&self);
}

/// Why it was not waited.
#[derive(Debug)]
pub(crate) enum Failed {
    /// No thread could be started.
    Thread(io::Error),
    /// The system refused to wait.
    Os(OsError),
}

/// What a thread does next.
type Job = Box<dyn FnOnce() + Send>;

/// A thread for jobs, one after another: started with the first, parked without one, and started again if it was long
/// without one. When it is dropped, jobs not begun are dropped too, and the thread ends.
#[derive(Default)]
pub(crate) struct Thread {
    shared: Arc<Parked>,
}

impl fmt::Debug for Thread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Thread").finish_non_exhaustive()
    }
}

#[derive(Default)]
struct Parked {
    jobs: Mutex<Jobs>,
    /// There is a job, or nobody gives any more.
    changed: Condvar,
}

#[derive(Default)]
struct Jobs {
    next: VecDeque<Job>,
    /// Whether there is a thread.
    runs: bool,
    closed: bool,
    /// It is not sent away for having nothing to do.
    kept: bool,
}

impl Parked {
    fn lock(&self) -> MutexGuard<'_, Jobs> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self) {
        let mut jobs = self.lock();
        while !jobs.closed {
            if let Some(job) = jobs.next.pop_front() {
                drop(jobs);
                job();
                jobs = self.lock();
                continue;
            }
            let (locked, timed_out) =
                self.changed.wait_timeout(jobs, KEPT).unwrap_or_else(PoisonError::into_inner);
            jobs = locked;
            if timed_out.timed_out() && jobs.next.is_empty() && !jobs.kept {
                break;
            }
        }
        jobs.runs = false;
    }
}

impl Thread {
    /// A thread that is there from now on, and kept for as long as this is.
    ///
    /// # Errors
    /// If none can be started.
    pub(crate) fn kept() -> io::Result<Self> {
        let thread = Self::default();
        thread.shared.lock().kept = true;
        thread.give(|| ())?;
        Ok(thread)
    }

    /// Gives the thread a job.
    ///
    /// # Errors
    /// If there is no thread and none can be started; the job is dropped then.
    pub(crate) fn give(&self, job: impl FnOnce() + Send + 'static) -> io::Result<()> {
        let mut jobs = self.shared.lock();
        if !jobs.runs {
            let shared = Arc::clone(&self.shared);
            Builder::new().name("strait-wait".to_owned()).spawn(move || shared.run())?;
            jobs.runs = true;
        }
        jobs.next.push_back(Box::new(job));
        self.shared.changed.notify_one();
        Ok(())
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        let mut jobs = self.shared.lock();
        jobs.closed = true;
        let dropped = std::mem::take(&mut jobs.next);
        drop(jobs);
        self.shared.changed.notify_all();
        drop(dropped);
    }
}

/// An endpoint's waits. It has one at a time: a new one takes the place of the last.
#[derive(Debug, Default)]
pub(crate) struct Waiter {
    thread: Thread,
    shared: Arc<Shared>,
}

/// Another endpoint's: it waits by itself.
impl Clone for Waiter {
    fn clone(&self) -> Self {
        Self::default()
    }
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    /// Number of the wait that somebody wants; every other one is over.
    wanted: AtomicU64,
}

#[derive(Default)]
struct State {
    /// What the thread waits for, and its number.
    now: Option<(u64, Arc<dyn Wait>)>,
    /// The last wait that ended by itself.
    ended: Option<(u64, Result<(), OsError>)>,
    waker: Option<Waker>,
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State").field("ended", &self.ended).finish_non_exhaustive()
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_over(&self, number: u64) -> bool {
        // Acquire: pairs with the Release add in `give_up`; it orders nothing else.
        self.wanted.load(Ordering::Acquire) != number
    }

    /// Makes every wait so far one that nobody wants; the number of the next.
    fn give_up(&self) -> u64 {
        // Pairs with the Acquire load in `is_over`.
        self.wanted.fetch_add(1, Ordering::Release).wrapping_add(1)
    }

    /// Ends the wait that the thread is at, if that is over.
    fn interrupt(&self) {
        let now = self.lock().now.as_ref().map(|(_, wait)| Arc::clone(wait));
        if let Some(wait) = now {
            wait.interrupt();
        }
    }

    /// The thread's part of a wait.
    fn work(&self, number: u64, wait: Arc<dyn Wait>) {
        let mut state = self.lock();
        if self.is_over(number) {
            return;
        }
        state.now = Some((number, Arc::clone(&wait)));
        drop(state);
        let outcome = wait.wait(&|| self.is_over(number));
        let mut state = self.lock();
        state.now = None;
        if self.is_over(number) {
            drop(state);
            // What woke us may have been meant for a thread that waits there for itself.
            wait.interrupt();
            return;
        }
        state.ended = Some((number, outcome));
        let waker = state.waker.take();
        drop(state);
        // Before whoever is woken may drop the endpoint.
        drop(wait);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl Waiter {
    /// Waits at `wait`, without blocking the thread that polls.
    pub(crate) fn wait(&self, wait: impl Wait + 'static) -> Waiting<'_> {
        Waiting { waiter: self, wait: Some(Arc::new(wait)), number: self.shared.give_up() }
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        self.shared.give_up();
        self.shared.interrupt();
    }
}

/// A wait; dropping it gives it up.
#[must_use = "futures do nothing unless polled"]
pub(crate) struct Waiting<'w> {
    waiter: &'w Waiter,
    /// Until it is handed over.
    wait: Option<Arc<dyn Wait>>,
    number: u64,
}

impl Future for Waiting<'_> {
    type Output = Result<(), Failed>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let (waiter, number) = (self.waiter, self.number);
        let mut state = waiter.shared.lock();
        if let Some((_, outcome)) = state.ended.take_if(|(ended, _)| *ended == number) {
            return Poll::Ready(outcome.map_err(Failed::Os));
        }
        state.waker = Some(context.waker().clone());
        let stale = state.now.as_ref().filter(|(now, _)| *now != number).map(|(_, wait)| Arc::clone(wait));
        drop(state);
        if let Some(wait) = self.wait.take() {
            let shared = Arc::clone(&waiter.shared);
            if let Err(error) = waiter.thread.give(move || shared.work(number, wait)) {
                return Poll::Ready(Err(Failed::Thread(error)));
            }
        }
        if let Some(stale) = stale {
            // The one before has not left yet, and may have missed that it is over: until it has, it is told again.
            stale.interrupt();
            context.waker().wake_by_ref();
        }
        Poll::Pending
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if self.waiter.shared.is_over(self.number) {
            return;
        }
        self.waiter.shared.give_up();
        self.waiter.shared.lock().waker = None;
        self.waiter.shared.interrupt();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicU32};
    use std::sync::mpsc::{Receiver, Sender, channel};
    use std::thread::ThreadId;

    use super::*;

    /// A wait that ends when it is told, and says which thread waits.
    #[derive(Debug, Default)]
    struct Bell {
        rung: AtomicBool,
        looks: Mutex<()>,
        changed: Condvar,
        interrupts: AtomicU32,
        begun: Option<Sender<ThreadId>>,
    }

    impl Wait for Arc<Bell> {
        fn wait(&self, is_over: &dyn Fn() -> bool) -> Result<(), OsError> {
            if let Some(begun) = &self.begun {
                begun.send(std::thread::current().id()).unwrap();
            }
            let mut looks = self.looks.lock().unwrap();
            while !self.rung.load(Ordering::Acquire) && !is_over() {
                looks = self.changed.wait(looks).unwrap();
            }
            Ok(())
        }

        fn interrupt(&self) {
            let _looks = self.looks.lock().unwrap();
            self.interrupts.fetch_add(1, Ordering::Relaxed);
            self.changed.notify_all();
        }
    }

    fn bell() -> (Arc<Bell>, Receiver<ThreadId>) {
        let (begun, threads) = channel();
        (Arc::new(Bell { begun: Some(begun), ..Bell::default() }), threads)
    }

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_current_thread().build().unwrap()
    }

    /// Polls once.
    fn poll(waiting: &mut Waiting<'_>) -> Poll<Result<(), Failed>> {
        Pin::new(waiting).poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn waits_that_are_dropped_leave_and_the_next_ones_use_the_same_thread() {
        let waiter = Waiter::default();
        let mut seen = Vec::new();
        for _ in 0..100 {
            let (bell, threads) = bell();
            let mut waiting = waiter.wait(Arc::clone(&bell));
            // Again until the one before has left.
            while seen.len() < 100 {
                assert!(poll(&mut waiting).is_pending());
                if let Ok(thread) = threads.try_recv() {
                    seen.push(thread);
                    break;
                }
                std::thread::yield_now();
            }
            drop(waiting);
        }
        assert!(seen.iter().all(|thread| *thread == seen[0]), "{seen:?}");
    }

    #[test]
    fn a_wait_that_ends_wakes_its_future() {
        let waiter = Waiter::default();
        for _ in 0..100 {
            let (bell, threads) = bell();
            let ringing = std::thread::spawn({
                let bell = Arc::clone(&bell);
                move || {
                    threads.recv().unwrap();
                    bell.rung.store(true, Ordering::Release);
                    bell.interrupt();
                }
            });
            assert!(runtime().block_on(waiter.wait(Arc::clone(&bell))).is_ok());
            ringing.join().unwrap();
        }
    }

    #[test]
    fn a_wait_given_up_passes_on_what_woke_it() {
        let waiter = Waiter::default();
        let (bell, threads) = bell();
        let mut waiting = waiter.wait(Arc::clone(&bell));
        assert!(poll(&mut waiting).is_pending());
        threads.recv().unwrap();
        drop(waiting);
        // One when it is dropped, another one from the thread when it leaves.
        while bell.interrupts.load(Ordering::Relaxed) < 2 {
            std::thread::yield_now();
        }
    }

    #[test]
    fn the_thread_goes_with_its_endpoint() {
        let (bell, threads) = bell();
        let waiter = Waiter::default();
        let parked = Arc::downgrade(&waiter.thread.shared);
        let mut waiting = waiter.wait(Arc::clone(&bell));
        assert!(poll(&mut waiting).is_pending());
        threads.recv().unwrap();
        // As a future that is leaked with what it borrows.
        std::mem::forget(waiting);
        drop(waiter);
        while parked.strong_count() > 0 {
            std::thread::yield_now();
        }
        assert_eq!(Arc::strong_count(&bell), 1, "and what it waited at");
    }
}
