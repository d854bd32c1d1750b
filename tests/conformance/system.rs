//! What a case needs of a system beside its platform: a second process, processes to kill, and what is left.

use strait_core::name::Name;
use strait_core::platform::{Liveness, Pid, Platform};

/// A system to be tested, with nothing in it.
pub(crate) trait System: Sized + Send + Sync + 'static {
    /// The platform under test. Its values go to threads.
    type Platform: Platform<Segment: Send + Sync, Signal: Send + Sync, Lock: Send>
        + Liveness<Watch: Send>
        + Send
        + Sync;
    /// Another process, which can be killed.
    type Process: Process;

    /// A system that no other test uses, or that is shared with others who use other names.
    fn start() -> Self;

    /// The platform as this process sees it.
    fn platform(&self) -> Self::Platform;

    /// The platform as a second process sees it. A real system has no second view within one process.
    fn second(&self) -> Self::Platform {
        self.platform()
    }

    /// Starts a process that waits for commands.
    fn spawn(&self) -> Self::Process;

    /// Everything whose name contains `name`, where a system can list what it has.
    fn listed(&self, name: &Name) -> Vec<String>;
}

/// A process of a system. Dropping it kills it.
pub(crate) trait Process {
    /// Its number.
    fn pid(&self) -> Pid;
    /// Makes it the reader of a new buffer with `payload` bytes of ring.
    fn create(&mut self, name: &Name, payload: u64);
    /// Makes it the writer of a buffer.
    fn connect(&mut self, name: &Name);
    /// Lets it send `count` frames of `len` bytes of the pattern.
    fn send(&mut self, len: usize, count: u64);
    /// Kills it. The system may take a moment; its number is not free before [`reap`](Self::reap).
    fn kill(&mut self);
    /// Waits until nothing is left of a killed process but what it created.
    fn reap(&mut self);
}
