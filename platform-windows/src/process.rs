//! Who runs: processes kept in view by handle, told from later ones of the same number by when they were created.

use std::io;
use std::os::windows::io::OwnedHandle;
use std::sync::OnceLock;
use std::time::Duration;

use strait_core::platform::{Fate, Identity, Pid, Watch};
use strait_core::time::Instant;
use windows_sys::Win32::Foundation::ERROR_ACCESS_DENIED;

use crate::error::code;
use crate::sys;

/// Nanoseconds of the performance counter, which all processes share.
#[inline]
pub(crate) fn now() -> Instant {
    const NANOS: u64 = 1_000_000_000;
    static FREQUENCY: OnceLock<u64> = OnceLock::new();
    let frequency = *FREQUENCY.get_or_init(|| sys::counter_frequency().max(1));
    let count = sys::counter();
    // Seconds apart from the rest: the product of count and 10⁹ would overflow after minutes.
    let (seconds, rest) = (count / frequency, count % frequency);
    let nanos = u128::from(rest) * u128::from(NANOS) / u128::from(frequency);
    Instant::from_nanos(seconds.saturating_mul(NANOS).saturating_add(u64::try_from(nanos).unwrap_or(0)))
}

/// Processor time this process has used.
pub(crate) fn cpu_time() -> Duration {
    let ticks = sys::times(&sys::this_process()).map_or(0, |times| times.used);
    // 100 ns each.
    Duration::from_nanos(ticks.saturating_mul(100))
}

/// A process by number and time of creation, in one word: two processes of one number differ in it unless they were
/// created an exact multiple of 49 days apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ticket(pub(crate) u64);

impl Ticket {
    /// This process's.
    pub(crate) fn this() -> Self {
        static THIS: OnceLock<u64> = OnceLock::new();
        Self(*THIS.get_or_init(|| Self::new(std::process::id(), &sys::this_process()).0))
    }

    fn new(pid: u32, process: &impl sys::Process) -> Self {
        // Milliseconds; the low half is what is kept. A time that is not told counts as 0, for everybody who asks.
        let created = sys::times(process).map_or(0, |times| times.created / 10_000);
        Self((created << 32) | u64::from(pid))
    }

    #[expect(clippy::cast_possible_truncation, reason = "the low half")]
    pub(crate) fn pid(self) -> u32 {
        self.0 as u32
    }

    /// Whether the process runs.
    pub(crate) fn is_alive(self) -> bool {
        match open(self.pid()) {
            Found::Handle(process) => !sys::has_exited(&process) && Self::new(self.pid(), &process) == self,
            Found::Hidden => true,
            Found::Nothing => false,
        }
    }
}

/// The one namespace of process numbers.
const REALM: u64 = 1;

/// This process.
pub(crate) fn identity() -> Identity {
    Identity { pid: Pid(u64::from(std::process::id())), born: Ticket::this().0, realm: REALM }
}

/// What has become of a process.
pub(crate) fn fate(identity: Identity) -> Fate {
    if identity.realm != REALM {
        return Fate::Unknown;
    }
    let ticket = Ticket(identity.born);
    if u64::from(ticket.pid()) == identity.pid.0 && ticket.is_alive() { Fate::Runs } else { Fate::Gone }
}

/// A process kept in view. Its handle keeps its number from being given to another.
#[derive(Debug)]
pub struct ProcessWatch {
    pid: Pid,
    found: Found,
}

#[derive(Debug)]
enum Found {
    /// Not there when first looked for, or not a process number at all.
    Nothing,
    Handle(OwnedHandle),
    /// It runs, and we may not open it.
    Hidden,
}

fn open(pid: u32) -> Found {
    match sys::open_process(pid) {
        // Windows rounds a number down to a multiple of 4: what was opened may be another process.
        Ok(process) if sys::process_id(&process) == pid && !sys::has_exited(&process) => {
            Found::Handle(process)
        }
        Ok(_) => Found::Nothing,
        Err(error) if is_denied(&error) => Found::Hidden,
        Err(_) => Found::Nothing,
    }
}

fn is_denied(error: &io::Error) -> bool {
    code(error) == ERROR_ACCESS_DENIED
}

impl ProcessWatch {
    pub(crate) fn new(pid: Pid) -> Self {
        let found = match u32::try_from(pid.0) {
            // 0 is the idle process, which is nobody's peer.
            Ok(number) if number != 0 => open(number),
            _ => Found::Nothing,
        };
        Self { pid, found }
    }
}

impl Watch for ProcessWatch {
    fn pid(&self) -> Pid {
        self.pid
    }

    fn is_alive(&self) -> bool {
        match &self.found {
            Found::Nothing => false,
            Found::Handle(process) => !sys::has_exited(process),
            Found::Hidden => u32::try_from(self.pid.0).is_ok_and(|pid| matches!(open(pid), Found::Hidden)),
        }
    }

    fn was_seen(&self) -> bool {
        !matches!(self.found, Found::Nothing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_runs_and_nonsense_does_not() {
        let this = u64::from(std::process::id());
        assert!(ProcessWatch::new(Pid(this)).is_alive());
        for nonsense in [0, u64::MAX, 1 << 31, (1 << 32) + this] {
            let watch = ProcessWatch::new(Pid(nonsense));
            assert!(!watch.is_alive() && !watch.was_seen(), "{nonsense}");
        }
    }

    #[test]
    fn a_number_between_two_processes_is_not_the_one_below() {
        let this = u64::from(std::process::id());
        for near in [this + 1, this + 2, this + 3] {
            assert!(!ProcessWatch::new(Pid(near)).was_seen(), "{near}");
        }
    }

    #[test]
    fn a_ticket_of_another_time_is_another_process() {
        let this = Ticket::this();
        assert!(this.is_alive());
        assert!(!Ticket(this.0 ^ (1 << 40)).is_alive());
    }

    #[test]
    fn the_clock_counts_in_nanoseconds() {
        let (before, started) = (now(), std::time::Instant::now());
        while started.elapsed() < Duration::from_millis(5) {}
        let passed = now().saturating_since(before);
        assert!(passed >= Duration::from_millis(5), "{passed:?}");
    }
}
