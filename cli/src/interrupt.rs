//! Whether the user wants the program to end: then its buffers are removed on the way out.
//!
//! On Linux that is `SIGINT` (Ctrl-C) or `SIGTERM`, on Windows Ctrl-C or Ctrl-Break. What cannot be caught ends the program
//! at once: `SIGKILL`, `TerminateProcess`, a closed console. Linux then keeps the buffer until its next reader or
//! `strait gc` replaces it; Windows removes it with its last user.

use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use crate::exit;

/// Longest wait between two looks at the flag.
pub(crate) const SLICE: Duration = Duration::from_millis(100);

/// Set by the first signal; the second ends the program at once.
#[derive(Clone, Debug)]
pub(crate) struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Catches the signals from now on.
    #[cfg(unix)]
    pub(crate) fn catch() -> io::Result<Self> {
        use signal_hook::consts::{SIGINT, SIGTERM};
        use signal_hook::flag;
        let flag = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            // The order matters: the shutdown must find the flag as the signal before left it.
            flag::register_conditional_shutdown(signal, i32::from(exit::INTERRUPTED), Arc::clone(&flag))?;
            flag::register(signal, Arc::clone(&flag))?;
        }
        Ok(Self(flag))
    }

    /// Catches the console's events from now on.
    #[cfg(windows)]
    pub(crate) fn catch() -> io::Result<Self> {
        let flag = Arc::new(AtomicBool::new(false));
        let set = Arc::clone(&flag);
        let handler = move || {
            // Relaxed: nothing else is read by it.
            if set.swap(true, Ordering::Relaxed) {
                std::process::exit(i32::from(exit::INTERRUPTED));
            }
        };
        ctrlc::set_handler(handler).map_err(io::Error::other)?;
        Ok(Self(flag))
    }

    /// Whether a signal came.
    pub(crate) fn is_set(&self) -> bool {
        // Relaxed: nothing else is read by it.
        self.0.load(Ordering::Relaxed)
    }

    /// Sleeps, unless a signal comes.
    pub(crate) fn sleep(&self, time: Duration) {
        let started = Instant::now();
        while let Some(left) = time.checked_sub(started.elapsed()).filter(|left| !left.is_zero()) {
            if self.is_set() {
                return;
            }
            thread::sleep(left.min(SLICE));
        }
    }
}

/// One long wait, cut into slices.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    since: Instant,
    timeout: Duration,
}

impl Patience {
    /// A wait that starts now; [`Duration::MAX`] never ends.
    pub(crate) fn new(timeout: Duration) -> Self {
        Self { since: Instant::now(), timeout }
    }

    /// When it started.
    pub(crate) fn since(&self) -> Instant {
        self.since
    }

    /// How long to wait now; `None` once the whole wait is over.
    pub(crate) fn slice(&self) -> Option<Duration> {
        let left = self.timeout.checked_sub(self.since.elapsed()).filter(|left| !left.is_zero())?;
        Some(left.min(SLICE))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patience_ends_with_its_timeout() {
        assert_eq!(Patience::new(Duration::ZERO).slice(), None);
        assert_eq!(Patience::new(Duration::MAX).slice(), Some(SLICE));
    }
}
