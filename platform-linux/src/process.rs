//! Who runs: processes kept in view by pidfd, and told from later ones of the same number by when they started.

use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags};
use rustix::fs::Timespec;
use rustix::io::Errno;
use rustix::process::PidfdFlags;
use rustix::time::{ClockId, clock_gettime};
use strait_core::platform::{Fate, Identity, Pid, Watch};
use strait_core::time::Instant;

#[inline]
pub(crate) fn monotonic_now() -> Instant {
    let nanos = duration(clock_gettime(ClockId::Monotonic)).as_nanos();
    Instant::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

#[inline]
pub(crate) fn duration(time: Timespec) -> Duration {
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// A process kept in view. With a pidfd its number cannot be taken for another's; where the system gives none
/// (seccomp, too many files) it is asked by number.
#[derive(Debug)]
pub struct ProcessWatch {
    pid: Pid,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Not there when first looked for, or not a process number at all.
    NeverSeen,
    Pidfd(OwnedFd),
    ByNumber(rustix::process::Pid),
}

impl ProcessWatch {
    pub(crate) fn new(pid: Pid) -> Self {
        let number = i32::try_from(pid.0).ok().and_then(rustix::process::Pid::from_raw);
        let state = match number {
            None => State::NeverSeen,
            Some(number) => match rustix::process::pidfd_open(number, PidfdFlags::empty()) {
                Ok(fd) if !has_exited(&fd) => State::Pidfd(fd),
                Ok(_) | Err(Errno::SRCH | Errno::INVAL) => State::NeverSeen,
                Err(_) if runs(number) => State::ByNumber(number),
                Err(_) => State::NeverSeen,
            },
        };
        Self { pid, state }
    }
}

fn has_exited(fd: &OwnedFd) -> bool {
    let mut fds = [PollFd::new(fd, PollFlags::IN)];
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    // Readable once the process has exited, reaped or not. An error says nothing about the process.
    rustix::event::poll(&mut fds, Some(&now)).is_ok_and(|ready| ready > 0)
}

/// `kill(2)` with signal 0; a process that we may not signal runs all the same.
fn runs(number: rustix::process::Pid) -> bool {
    !matches!(rustix::process::test_kill_process(number), Err(Errno::SRCH))
}

impl Watch for ProcessWatch {
    fn pid(&self) -> Pid {
        self.pid
    }

    fn is_alive(&self) -> bool {
        match &self.state {
            State::NeverSeen => false,
            State::Pidfd(fd) => !has_exited(fd),
            State::ByNumber(number) => runs(*number),
        }
    }

    fn was_seen(&self) -> bool {
        !matches!(self.state, State::NeverSeen)
    }
}

/// This process: its number, its start in clock ticks since boot, and the namespaces that the two belong to.
pub(crate) fn identity() -> Identity {
    let pid = Pid(u64::from(std::process::id()));
    // By the name that is this process's own in whichever namespace's /proc this is.
    Identity { pid, born: birth("self"), realm: View::ours().realm }
}

/// What has become of a process. One of another namespace cannot be seen by its number, and there births count from
/// another start.
pub(crate) fn fate(identity: Identity) -> Fate {
    let Identity { pid, born, realm } = identity;
    let view = View::ours();
    if realm == 0 || realm != view.realm {
        return Fate::Unknown;
    }
    let number = i32::try_from(pid.0).ok().and_then(rustix::process::Pid::from_raw);
    // No process has such a number.
    let Some(number) = number else { return Fate::Gone };
    match rustix::process::pidfd_open(number, PidfdFlags::empty()) {
        Ok(fd) if has_exited(&fd) => return Fate::Gone,
        Err(Errno::SRCH) => return Fate::Gone,
        // Seen by pidfd, or not to be opened (seccomp, too many files): then by its number.
        Ok(_) => {}
        Err(_) if runs(number) => {}
        Err(_) => return Fate::Gone,
    }
    let now = if view.proc_is_ours { birth(&pid.to_string()) } else { 0 };
    match (born, now) {
        (0, _) | (_, 0) => Fate::Runs,
        (then, now) if then == now => Fate::Runs,
        // The number was given to another.
        _ => Fate::Gone,
    }
}

/// Start of a process in clock ticks since boot; 0 if that cannot be read.
fn birth(process: &str) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat"));
    stat.ok().and_then(|stat| start_ticks(&stat)).unwrap_or(0)
}

/// What process numbers mean to this process.
#[derive(Clone, Copy, Debug)]
struct View {
    /// The namespaces of its numbers and its births, in one word; 0 if they cannot be read.
    realm: u64,
    /// Whether /proc has the processes of the same namespace.
    proc_is_ours: bool,
}

impl View {
    /// Read anew each time: a child can be in other namespaces than its parent, and have the same number there.
    fn ours() -> Self {
        let own = std::fs::read_link("/proc/self").ok();
        let this = std::process::id().to_string();
        let proc_is_ours = own.is_some_and(|number| number.as_os_str() == this.as_str());
        Self { realm: realm(inode("pid"), inode("time")), proc_is_ours }
    }
}

/// The inode of one of this process's namespaces.
fn inode(kind: &str) -> Option<u64> {
    use std::os::unix::fs::MetadataExt as _;
    Some(std::fs::metadata(format!("/proc/self/ns/{kind}")).ok()?.ino())
}

/// Two inodes, of 32 bits each as the system numbers namespaces, in one word. A system without namespaces of time has one
/// for all.
fn realm(pids: Option<u64>, times: Option<u64>) -> u64 {
    pids.map_or(0, |pids| pids.rotate_left(32) ^ times.unwrap_or(0))
}

/// Field 22 of /proc/PID/stat; the second, in parentheses, may hold spaces and parentheses of its own.
fn start_ticks(stat: &str) -> Option<u64> {
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_ascii_whitespace().nth(19)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_runs_and_number_zero_and_nonsense_do_not() {
        let this = Pid(u64::from(std::process::id()));
        assert!(ProcessWatch::new(this).is_alive());
        for nonsense in [0, u64::MAX, 1 << 31, (1 << 32) + this.0] {
            let watch = ProcessWatch::new(Pid(nonsense));
            assert!(!watch.is_alive() && !watch.was_seen(), "{nonsense}");
        }
    }

    #[test]
    fn a_process_that_ended_is_dead_even_before_it_is_reaped() {
        let mut child = std::process::Command::new("sleep").arg("1000").spawn().unwrap();
        let watch = ProcessWatch::new(Pid(u64::from(child.id())));
        let alive = watch.is_alive();
        child.kill().unwrap();
        while watch.is_alive() {
            std::thread::yield_now();
        }
        child.wait().unwrap();
        assert!(alive && watch.was_seen() && !watch.is_alive());
    }

    #[test]
    fn a_process_is_gone_once_it_has_ended_or_its_number_is_anothers() {
        let this = identity();
        assert_eq!(fate(this), Fate::Runs);
        assert_eq!(fate(Identity { born: this.born + 1, ..this }), Fate::Gone);
        for realm in [0, this.realm + 1, this.realm ^ (1 << 32)] {
            assert_eq!(fate(Identity { realm, ..this }), Fate::Unknown);
        }
        assert_eq!(fate(Identity { pid: Pid(u64::MAX), ..this }), Fate::Gone);
        let mut child = std::process::Command::new("sleep").arg("1000").spawn().unwrap();
        let pid = Pid(u64::from(child.id()));
        let identity = Identity { pid, born: birth(&pid.to_string()), ..this };
        let before = fate(identity);
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!((before, fate(identity)), (Fate::Runs, Fate::Gone));
    }

    #[test]
    fn numbers_and_births_of_other_namespaces_are_of_another_realm() {
        let realms = [(Some(1), Some(2)), (Some(1), Some(3)), (Some(2), Some(1)), (Some(2), Some(2))];
        let words: Vec<u64> = realms.iter().map(|(pids, times)| realm(*pids, *times)).collect();
        assert!((1..words.len()).all(|at| !words[..at].contains(&words[at])), "{words:x?}");
        assert_eq!(realm(None, Some(1)), 0, "unknown");
        assert_ne!(realm(Some(1), None), 0);
        assert!(View::ours().proc_is_ours && View::ours().realm != 0);
    }

    #[test]
    fn the_start_time_is_found_behind_any_program_name() {
        let fields: Vec<String> = (3..=30).map(|field| field.to_string()).collect();
        let stat = format!("1 (a) b) c) {}", fields.join(" "));
        assert_eq!(start_ticks(&stat), Some(22));
        assert_eq!(start_ticks("1 (x"), None);
    }
}
