//! Whether the user wants the program to end: then its buffers are removed on the way out.
//!
//! On Linux that is `SIGINT` (Ctrl-C), `SIGTERM`, `SIGQUIT` (Ctrl-\) or `SIGHUP` (a closed terminal), on Windows Ctrl-C or
//! Ctrl-Break. Who ignores `SIGHUP` before the program starts, as `nohup` does, has it ignored. What cannot be caught ends
//! the program at once: `SIGKILL`, `TerminateProcess`, a closed console. Linux then keeps the buffer until its next reader
//! or `strait gc` replaces it; Windows removes it with its last user.

use core::sync::atomic::{AtomicUsize, Ordering};
use core::time::Duration;
use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use crate::exit::{self, Failure};

/// Longest wait between two looks at the flag.
pub(crate) const SLICE: Duration = Duration::from_millis(100);

/// The number of the first signal that came, 0 before; the second ends the program at once.
#[derive(Clone, Debug)]
pub(crate) struct Interrupt(Arc<AtomicUsize>);

impl Interrupt {
    /// Catches the signals from now on.
    #[cfg(unix)]
    pub(crate) fn catch() -> io::Result<Self> {
        use core::sync::atomic::AtomicBool;
        use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
        use signal_hook::flag;
        let (signal, came) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        for number in [SIGINT, SIGTERM, SIGQUIT, SIGHUP] {
            if number == SIGHUP && is_ignored(number) {
                continue;
            }
            // The order matters: the shutdown must find the flag as the signal before left it.
            flag::register_conditional_shutdown(number, 128 + number, Arc::clone(&came))?;
            flag::register_usize(number, Arc::clone(&signal), usize::try_from(number).unwrap_or_default())?;
            flag::register(number, Arc::clone(&came))?;
        }
        let interrupt = Self(signal);
        #[cfg(target_os = "linux")]
        {
            let asked = interrupt.clone();
            strait_platform_linux::stop_reserving_when(move || asked.is_set());
        }
        Ok(interrupt)
    }

    /// Catches the console's events from now on.
    #[cfg(windows)]
    pub(crate) fn catch() -> io::Result<Self> {
        let signal = Arc::new(AtomicUsize::new(0));
        let set = Arc::clone(&signal);
        let handler = move || {
            // Relaxed: nothing else is read by it.
            if set.swap(exit::SIGINT.into(), Ordering::Relaxed) != 0 {
                std::process::exit(Failure::interrupted(exit::SIGINT).code.into());
            }
        };
        ctrlc::set_handler(handler).map_err(io::Error::other)?;
        Ok(Self(signal))
    }

    /// Whether a signal came.
    pub(crate) fn is_set(&self) -> bool {
        self.number() != 0
    }

    /// What the program ends with, once a signal came.
    pub(crate) fn failure(&self) -> Failure {
        Failure::interrupted(u8::try_from(self.number()).unwrap_or(exit::SIGINT))
    }

    /// What the program ends with that could not make something: a signal, if one came meanwhile, may be why.
    pub(crate) fn or(&self, failure: Failure) -> Failure {
        if self.is_set() { self.failure() } else { failure }
    }

    fn number(&self) -> usize {
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

/// Lets a file that reaches the longest that this process may write (`ulimit -f`) be an error: by itself the signal that
/// says so ends the program where it stands.
#[cfg(unix)]
pub(crate) fn outlive_file_limit() -> io::Result<()> {
    use core::sync::atomic::AtomicBool;
    use signal_hook::consts::SIGXFSZ;
    // A handler that nobody asks, and not the signal ignored: a program that is started then has it as usual.
    match is_ignored(SIGXFSZ) {
        true => Ok(()),
        false => signal_hook::flag::register(SIGXFSZ, Arc::new(AtomicBool::new(false))).map(drop),
    }
}

/// Whether whoever started this process had it ignore a signal.
#[cfg(unix)]
fn is_ignored(signal: core::ffi::c_int) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    ignores(&status, signal)
}

/// The same, by the text of `/proc/PID/status`: bit n - 1 of a hexadecimal number stands for signal n.
#[cfg(unix)]
fn ignores(status: &str, signal: core::ffi::c_int) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or_default();
    u32::try_from(signal - 1).is_ok_and(|bit| mask.checked_shr(bit).is_some_and(|mask| mask & 1 == 1))
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

    #[cfg(unix)]
    #[test]
    fn an_ignored_signal_is_a_bit_of_the_status() {
        // SIGHUP and SIGPIPE; SIGXFSZ is number 25.
        let status = "SigBlk:\tffffffffffffffff\nSigIgn:\t0000000000001001\nSigCgt:\tffffffffffffffff\n";
        assert_eq!(
            [1, 2, 13, 25, 64].map(|signal| ignores(status, signal)),
            [true, false, true, false, false]
        );
        assert!(ignores("SigIgn: 0000000001000000", 25));
        for unreadable in ["", "SigIgn:", "SigIgn: x"] {
            assert!(!ignores(unreadable, 1), "{unreadable:?}");
        }
    }
}
