//! One test's system, its names, and the proof that nothing of them is left.

use core::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};

use strait_core::name::{MAX_NAME_LEN, Name};
use strait_core::platform::{Access, Clock as _, FaultKind, LockState, Platform as _, PlatformError};
use strait_core::time::{Deadline, Instant};
use strait_tests::PATIENCE;

use crate::system::System;

/// The system of one test. Declare it first, so that it is dropped last: it fails the test if anything of its names is
/// left, and removes what a failed test left.
pub(crate) struct Scene<S: System> {
    pub(crate) system: S,
    pub(crate) platform: S::Platform,
    names: Mutex<Vec<Name>>,
}

impl<S: System> Scene<S> {
    pub(crate) fn new() -> Self {
        let system = S::start();
        let platform = system.platform();
        Self { system, platform, names: Mutex::default() }
    }

    /// A name of this test's own.
    pub(crate) fn name(&self, about: &str) -> Name {
        self.name_by(|unique| format!("{unique}.{about}"))
    }

    /// A name that `make` builds around a text that no other test has.
    pub(crate) fn name_by(&self, make: impl FnOnce(&str) -> String) -> Name {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        // Relaxed: only the value counts.
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = make(&format!("strait-conformance-{}-{count}-", std::process::id()));
        let name = Name::new(&name).expect("a valid name");
        // A process of an earlier run may have had this number and been killed.
        if !self.left(&name).is_empty() {
            self.remove(&name);
        }
        self.names.lock().unwrap_or_else(PoisonError::into_inner).push(name.clone());
        name
    }

    /// What is left of `name`: whatever the system lists, and whatever opens.
    fn left(&self, name: &Name) -> Vec<String> {
        let mut left = self.system.listed(name);
        if !is_not_found(&self.platform.open_segment(name)) {
            left.push(format!("segment {name}"));
        }
        for signal in signals(name) {
            if !is_not_found(&self.platform.open_signal(&signal)) {
                left.push(format!("signal {signal}"));
            }
        }
        let state = self.platform.probe_lock(name);
        if state != LockState::Absent {
            left.push(format!("lock {name}: {state:?}"));
        }
        left
    }

    /// Removes whatever of that name outlived its process.
    pub(crate) fn remove(&self, name: &Name) {
        let _ = self.platform.remove_segment(name);
        for signal in signals(name) {
            let _ = self.platform.remove_signal(&signal);
        }
        // A lock is removed by whoever drops it.
        drop(self.platform.lock(name, Access::default()));
    }

    /// An instant that no wait of a test that passes reaches.
    pub(crate) fn late(&self) -> Instant {
        self.platform.now().saturating_add(PATIENCE)
    }

    /// The deadline for what must happen.
    pub(crate) fn patience(&self) -> Deadline {
        Deadline::At(self.late())
    }
}

impl<S: System> Drop for Scene<S> {
    fn drop(&mut self) {
        let names = core::mem::take(self.names.get_mut().unwrap_or_else(PoisonError::into_inner));
        let mut left = Vec::new();
        for name in &names {
            let found = self.left(name);
            if !found.is_empty() {
                self.remove(name);
                left.extend(found);
            }
        }
        // In a test that fails anyway, a second panic would hide the first.
        assert!(std::thread::panicking() || left.is_empty(), "left behind: {left:?}");
    }
}

/// The signal of that name, and those that core derives from it.
fn signals(name: &Name) -> Vec<Name> {
    let derived = ["sem-w-", "sem-r-"].map(|prefix| format!("{prefix}{name}"));
    let derived =
        derived.iter().filter(|text| text.len() <= MAX_NAME_LEN).filter_map(|text| Name::new(text).ok());
    core::iter::once(name.clone()).chain(derived).collect()
}

/// Waits until `condition` holds, which the system brings about for sure.
#[track_caller]
pub(crate) fn wait_until(mut condition: impl FnMut() -> bool) {
    let start = std::time::Instant::now();
    while !condition() {
        assert!(start.elapsed() < PATIENCE, "it never came");
        std::thread::yield_now();
    }
}

/// The kind of an error.
pub(crate) fn kind<T, E: PlatformError>(outcome: &Result<T, E>) -> Option<FaultKind> {
    outcome.as_ref().err().map(|error| error.kind())
}

pub(crate) fn is_not_found<T, E: PlatformError>(outcome: &Result<T, E>) -> bool {
    kind(outcome) == Some(FaultKind::NotFound)
}
