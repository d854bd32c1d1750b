//! A forked child of a program, that does something, or nothing, and ends.
#![expect(unsafe_code, reason = "fork")]

use std::io::{self, Read as _, Write as _, pipe};

use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, fork};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;

/// Runs `act` in a child that has a copy of everything, and ends without destructors or anything of the parent's at its end;
/// what `act` returned.
///
/// # Errors
/// When there is no child to be had, or it did not end in order.
///
/// # Panics
/// If this process has more threads than this one: what they hold nobody in the child gives back.
pub fn in_child(act: impl FnOnce() -> u8) -> io::Result<u8> {
    let threads = std::fs::read_dir("/proc/self/task")?.count();
    assert_eq!(threads, 1, "a program with one thread");
    in_child_beside_threads(act)
}

/// The same where there are other threads, which the child has not got: `act` must take no lock that they may hold. The
/// allocator's are none of these, nor is that of a panic's message.
///
/// # Errors
/// As [`in_child`].
pub fn in_child_beside_threads(act: impl FnOnce() -> u8) -> io::Result<u8> {
    // SAFETY: the child takes no lock that somebody holds who is not there: the caller's word for what `act` does itself. A
    // mistake would make a test hang, and touches no memory.
    match unsafe { fork() }? {
        ForkResult::Child => {
            let code = std::panic::catch_unwind(std::panic::AssertUnwindSafe(act)).unwrap_or(u8::MAX);
            // SAFETY: ends the process.
            unsafe { nix::libc::_exit(i32::from(code)) }
        }
        ForkResult::Parent { child } => match waitpid(child, None)? {
            WaitStatus::Exited(_, code) => Ok(u8::try_from(code).unwrap_or(u8::MAX)),
            other => Err(io::Error::other(format!("the child ended by {other:?}"))),
        },
    }
}

/// What `act` answers in a child that has a copy of everything. It waits for no other thread.
///
/// # Errors
/// What it answers, or why there is no answer.
pub fn answer_of_child(act: impl FnOnce() -> Result<String, String>) -> Result<String, String> {
    let (mut from, mut to) = pipe().map_err(|error| error.to_string())?;
    let code = in_child_beside_threads(|| {
        let (code, text) = act().map_or_else(|text| (1, text), |text| (0, text));
        to.write_all(text.as_bytes()).map_or(2, |()| code)
    });
    drop(to);
    let mut text = String::new();
    from.read_to_string(&mut text).map_err(|error| error.to_string())?;
    match code {
        Ok(0) => Ok(text),
        Ok(1) => Err(text),
        other => Err(format!("the child gave no answer: {other:?}")),
    }
}

/// Starts a child that has a copy of everything and does nothing, until nobody can write to standard input any more; its
/// number.
///
/// # Errors
/// When there is no child to be had.
pub fn keeping_child() -> io::Result<i32> {
    // SAFETY: the child calls nothing but `poll` and `_exit`.
    match unsafe { fork() }? {
        ForkResult::Child => {
            // The parent reads it; without events to wait for there is still the one that its other end is closed.
            let input = io::stdin();
            let mut fds = [PollFd::new(&input, PollFlags::empty())];
            while matches!(poll(&mut fds, None), Err(Errno::INTR)) {}
            // SAFETY: ends the process.
            unsafe { nix::libc::_exit(0) }
        }
        ForkResult::Parent { child } => Ok(child.as_raw()),
    }
}

/// Starts a child that has a copy of everything and does nothing, until it is killed; its number.
///
/// # Errors
/// When there is no child to be had.
pub fn idle_child() -> io::Result<i32> {
    // SAFETY: the child calls nothing but `pause`.
    match unsafe { fork() }? {
        ForkResult::Child => loop {
            nix::unistd::pause();
        },
        ForkResult::Parent { child } => Ok(child.as_raw()),
    }
}
