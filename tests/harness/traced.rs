//! How does one stop another process after exactly so many of its instructions?
//!
//! With ptrace(2), by which a parent single-steps a child. Everything here must be called by the thread that began.

use nix::sys::ptrace::{self, Options};
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::Pid;

use crate::Peer;

/// A peer whose next instruction is run when this says so. It stands between two instructions.
#[derive(Debug)]
pub struct Traced {
    peer: Peer,
    pid: Pid,
}

impl Traced {
    /// Lets `peer` begin with `step COMMAND`, up to the stop before what the command does.
    #[track_caller]
    pub fn begin(mut peer: Peer, command: &str) -> Self {
        let pid = Pid::from_raw(i32::try_from(peer.pid()).expect("a number of a process"));
        let options = Options::PTRACE_O_EXITKILL | Options::PTRACE_O_TRACESYSGOOD;
        ptrace::seize(pid, options).expect("a child can be traced");
        peer.tell(&format!("step {command}"));
        let traced = Self { peer, pid };
        assert!(traced.has_stopped_itself(), "{command} begins");
        traced
    }

    /// Runs one instruction, or one system call as a whole; `false` if that was the end of what the command does.
    #[track_caller]
    pub fn step(&self) -> bool {
        // No signal: the stop that it gave itself is not carried out.
        ptrace::step(self.pid, None).expect("it is stopped");
        !self.has_stopped_itself()
    }

    /// Runs up to and over the next system call; `false` if the end of what the command does came first.
    #[track_caller]
    pub fn call(&self) -> bool {
        // Stops before it, and after it.
        (0..2).all(|_| {
            ptrace::syscall(self.pid, None).expect("it is stopped");
            !self.has_stopped_itself()
        })
    }

    /// Whether its next instruction is a system call.
    #[cfg(target_arch = "x86_64")]
    #[track_caller]
    pub fn is_before_a_call(&self) -> bool {
        /// The two bytes of `syscall`.
        const SYSCALL: [u8; 2] = [0x0f, 0x05];
        let registers = ptrace::getregs(self.pid).expect("it is stopped");
        let at = usize::try_from(registers.rip).expect("an address");
        let word = ptrace::read(self.pid, core::ptr::without_provenance_mut(at)).expect("code can be read");
        word.to_le_bytes().starts_with(&SYSCALL)
    }

    /// Waits for the next stop; whether the process gave it to itself.
    #[track_caller]
    fn has_stopped_itself(&self) -> bool {
        match waitpid(self.pid, None).expect("a child can be waited for") {
            WaitStatus::Stopped(_, Signal::SIGSTOP) => true,
            WaitStatus::Stopped(_, Signal::SIGTRAP) | WaitStatus::PtraceSyscall(_) => false,
            other => panic!("neither a step nor the end of what was told: {other:?}"),
        }
    }

    /// Lets it go its way after the end of what the command does; the peer has an answer to give.
    #[track_caller]
    pub fn go(self) -> Peer {
        ptrace::detach(self.pid, None).expect("it is stopped");
        self.peer
    }

    /// Kills it where it stands.
    pub fn kill(self) -> u64 {
        self.peer.kill()
    }
}
