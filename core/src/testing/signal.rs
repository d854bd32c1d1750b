//! The fake system's semaphore: permits behind a mutex, sleepers at a condition variable.

use std::sync::{Arc, Condvar, Mutex, PoisonError, Weak};

use super::clock::real_now;
use super::{FakeError, lock};
use crate::platform::{FaultKind, Pid, Signal};
use crate::time::Instant;

/// A semaphore inside one process: permits, sleepers, and the handle that holds the lock.
#[derive(Clone, Debug)]
pub struct FakeSignal(Arc<(Mutex<u32>, Condvar, Mutex<Weak<Pid>>)>, Arc<Pid>);

impl FakeSignal {
    pub(super) fn new() -> Self {
        Self(Arc::default(), Arc::new(Pid(0)))
    }

    /// Another handle to it, as a process gets by opening it.
    pub(super) fn opened_by(&self, opener: Pid) -> Self {
        Self(Arc::clone(&self.0), Arc::new(opener))
    }

    /// Frees the lock if a handle of `pid` holds it, as the system does when a process ends.
    pub(crate) fn unlock_of(&self, pid: Pid) {
        let mut holder = lock(&self.0.2);
        if holder.upgrade().is_some_and(|opener| *opener == pid) {
            *holder = Weak::new();
        }
    }

    /// Sets the number of permits, as a peer that keeps no rule would.
    pub fn set(&self, permits: u32) {
        *lock(&self.0.0) = permits;
        self.0.1.notify_all();
    }
}

impl Signal for FakeSignal {
    type Error = FakeError;

    fn post(&self) -> Result<(), FakeError> {
        let mut permits = lock(&self.0.0);
        if *permits >= crate::semaphore::MAX_PERMITS {
            return Err(FakeError { call: "post", kind: FaultKind::Other });
        }
        *permits += 1;
        self.0.1.notify_all();
        Ok(())
    }

    fn permits(&self) -> u32 {
        *lock(&self.0.0)
    }

    fn take(&self, count: u32) -> u32 {
        let mut permits = lock(&self.0.0);
        let taken = count.min(*permits);
        *permits -= taken;
        taken
    }

    fn wait(&self, until: Instant) -> Result<bool, FakeError> {
        let mut permits = lock(&self.0.0);
        loop {
            if *permits > 0 {
                return Ok(true);
            }
            let left = until.saturating_since(real_now());
            if left.is_zero() {
                return Ok(false);
            }
            permits = self.0.1.wait_timeout(permits, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn lock(&self) -> bool {
        let mut holder = lock(&self.0.2);
        // A handle whose last clone was dropped holds nothing.
        let is_free = holder.strong_count() == 0;
        if is_free {
            *holder = Arc::downgrade(&self.1);
        }
        is_free
    }

    fn is_locked(&self) -> bool {
        lock(&self.0.2).upgrade().is_some_and(|holder| !Arc::ptr_eq(&holder, &self.1))
    }
}
