//! Whether the other end still lives: by its lock, and by its process where that can be seen.

use crate::platform::{Fate, Identity, Pid, Platform, Watch};

/// The other end, from the moment it was first seen.
#[derive(Debug)]
pub(super) struct Peer<W> {
    watch: W,
    /// Its record, if it is Strait and has one.
    record: Option<Identity>,
    sight: Sight,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sight {
    /// Strait, and the watch is of that very process: it lives while both say so. Its lock alone may be held by a child that
    /// inherited it, its process alone may have become another program.
    Seen,
    /// Strait, where its process cannot be seen: its lock decides.
    Hidden,
    /// Strait, without its lock, which a child of its predecessor holds: it lives while its process does, as far as that can
    /// be seen.
    Bare { seen: bool },
    /// Strait, and its process had ended before it was looked for.
    Gone,
    /// Of another implementation.
    Stranger,
}

impl<W: Watch> Peer<W> {
    /// The end whose number in the buffer is `pid`. `strait` if it is known to hold its lock while it lives, and then its
    /// record, if that is whole.
    pub(super) fn new<P: Platform<Watch = W>>(
        platform: &P,
        pid: Pid,
        strait: bool,
        record: Option<Identity>,
    ) -> Self {
        // The watch first: a process that runs after it was watched is the one that is watched.
        let watch = platform.watch(record.map_or(pid, |record| record.pid));
        let sight = match record.map(|record| platform.fate(record)) {
            _ if !strait => Sight::Stranger,
            Some(Fate::Runs) => Sight::Seen,
            Some(Fate::Gone) => Sight::Gone,
            Some(Fate::Unknown) | None => Sight::Hidden,
        };
        Self { watch, record, sight }
    }

    /// The same end, known not to hold its lock.
    pub(super) fn without_lock(self, bare: bool) -> Self {
        let sight = match self.sight {
            Sight::Seen if bare => Sight::Bare { seen: true },
            Sight::Hidden if bare => Sight::Bare { seen: false },
            sight => sight,
        };
        Self { sight, ..self }
    }

    /// Its process number.
    pub(super) fn pid(&self) -> Pid {
        self.watch.pid()
    }

    /// Whether its process was seen running here.
    pub(super) fn is_seen(&self) -> bool {
        self.watch.was_seen()
    }

    /// Whether it is of another implementation, and this process has seen it run and end.
    pub(super) fn is_stranger_that_ended(&self) -> bool {
        self.sight == Sight::Stranger && self.watch.was_seen() && !self.watch.is_alive()
    }

    /// Whether it is the one of this number and record.
    pub(super) fn is(&self, pid: Pid, record: Option<Identity>) -> bool {
        self.record == record && self.pid() == pid
    }

    /// Whether it lives. `locked`: somebody holds the lock of a Strait end. `held`: somebody holds the one that says so of a
    /// stranger that was never seen here.
    pub(super) fn lives(&self, locked: impl FnOnce() -> bool, held: impl FnOnce() -> bool) -> bool {
        match self.sight {
            Sight::Seen => self.watch.is_alive() && locked(),
            Sight::Hidden => locked(),
            Sight::Bare { seen } => !seen || self.watch.is_alive(),
            Sight::Gone => false,
            Sight::Stranger => self.watch.is_alive() || (!self.watch.was_seen() && held()),
        }
    }
}
