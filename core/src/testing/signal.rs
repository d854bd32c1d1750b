//! The fake system's semaphore: permits behind a mutex, sleepers at a condition variable.

use std::sync::{Arc, Condvar, Mutex, PoisonError, Weak};

use super::clock::real_now;
use super::{FakeError, SYSTEM, lock};
use crate::platform::{FaultKind, Identity, Signal};
use crate::time::Instant;

#[derive(Debug, Default)]
struct Inner {
    permits: Mutex<u32>,
    posted: Condvar,
    /// The handle that holds the lock.
    holder: Mutex<Weak<Identity>>,
    is_removed: Mutex<bool>,
}

/// A semaphore inside one process, and the fake process that opened it.
#[derive(Clone, Debug)]
pub struct FakeSignal(Arc<Inner>, Arc<Identity>);

impl FakeSignal {
    pub(super) fn new() -> Self {
        Self(Arc::default(), Arc::new(SYSTEM))
    }

    /// Another handle to it, as a process gets by opening it.
    pub(super) fn opened_by(&self, opener: Identity) -> Self {
        Self(Arc::clone(&self.0), Arc::new(opener))
    }

    /// Frees the lock if a handle of `pid` holds it, as the system does when a process ends.
    pub(crate) fn unlock_of(&self, process: Identity) {
        let mut holder = lock(&self.0.holder);
        if holder.upgrade().is_some_and(|opener| *opener == process) {
            *holder = Weak::new();
        }
    }

    pub(super) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    pub(super) fn unlink(&self) {
        *lock(&self.0.is_removed) = true;
    }

    /// Sets the number of permits, as a peer that keeps no rule would.
    pub fn set(&self, permits: u32) {
        *lock(&self.0.permits) = permits;
        self.0.posted.notify_all();
    }
}

impl Signal for FakeSignal {
    type Error = FakeError;

    fn post(&self) -> Result<(), FakeError> {
        let mut permits = lock(&self.0.permits);
        if *permits >= crate::semaphore::MAX_PERMITS {
            return Err(FakeError { call: "post", kind: FaultKind::Other });
        }
        *permits += 1;
        self.0.posted.notify_all();
        Ok(())
    }

    fn permits(&self) -> u32 {
        *lock(&self.0.permits)
    }

    fn take(&self, count: u32) -> u32 {
        let mut permits = lock(&self.0.permits);
        let taken = count.min(*permits);
        *permits -= taken;
        taken
    }

    fn wait(&self, until: Instant) -> Result<bool, FakeError> {
        self.wait_unless(until, &|| false)
    }

    fn wait_unless(&self, until: Instant, is_over: &dyn Fn() -> bool) -> Result<bool, FakeError> {
        let mut permits = lock(&self.0.permits);
        loop {
            if *permits > 0 {
                return Ok(true);
            }
            let left = until.saturating_since(real_now());
            if left.is_zero() || is_over() {
                return Ok(false);
            }
            permits = self.0.posted.wait_timeout(permits, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn nudge(&self) {
        // Under the lock: nobody is between the look and the sleep.
        let _permits = lock(&self.0.permits);
        self.0.posted.notify_all();
    }

    fn lock(&self) -> bool {
        let mut holder = lock(&self.0.holder);
        // A handle whose last clone was dropped holds nothing.
        let is_free = holder.strong_count() == 0;
        if is_free {
            *holder = Arc::downgrade(&self.1);
        }
        is_free
    }

    fn is_locked(&self) -> bool {
        lock(&self.0.holder).upgrade().is_some_and(|holder| !Arc::ptr_eq(&holder, &self.1))
    }

    fn is_linked(&self) -> bool {
        !*lock(&self.0.is_removed)
    }
}
