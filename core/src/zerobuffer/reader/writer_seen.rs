//! The writer as its reader sees it: whether it lives, and a death that its successor covered.

use super::{Claimed, ReaderEndpoint};
use crate::platform::{Identity, Pid, Platform, Segment as _};
use crate::zerobuffer::error::ReadError;
use crate::zerobuffer::layout::ABORTED;
use crate::zerobuffer::peer::Peer;

impl<P: Platform> ReaderEndpoint<P> {
    /// Whether the process that `writer_pid` names is connected. `record`: the last writer that is Strait, which is that one
    /// if it has its number. A writer that gave up has said so itself, and may hold its lock a moment more.
    pub(super) fn is_alive(&mut self, pid: Pid, record: Option<Identity>) -> bool {
        self.had_writer = true;
        if pid == ABORTED {
            return false;
        }
        let record = record.filter(|record| record.pid == pid);
        if self.writer.as_ref().is_none_or(|writer| !writer.is(pid, record)) {
            let writer = Peer::new(&self.platform, pid, record.is_some(), record);
            self.writer = Some(writer.without_lock(self.ends.is_writer_bare()));
            self.died = None;
        }
        let locked = || self.buffer().segment().is_locked();
        self.writer.as_ref().is_some_and(|writer| writer.lives(locked, locked))
    }

    /// Takes what was claimed, unless a death is to be told first: then the next attempt returns it.
    pub(super) fn accept(&mut self, claimed: Claimed) -> Result<Claimed, ReadError<P::Error>> {
        if claimed.sequence == 1 && self.half.consumer.counters.frames > 1 {
            // Whoever counts from 1 again uses the numbers of the others once more.
            if let Some((first, _)) = self.ends.takeover().filter(|(first, _)| *first != 1) {
                self.told = first;
            }
        }
        let told = self.tell_takeover(claimed.sequence);
        self.died = None;
        self.quiet_since = None;
        self.ended = false;
        match told {
            Ok(()) => Ok(claimed),
            Err(error) => {
                self.kept = Some(claimed);
                Err(error)
            }
        }
    }

    /// Tells once of the dead writer from which the writer of the frame `sequence` took over with that frame, unless it was
    /// seen to die.
    #[inline]
    pub(super) fn tell_takeover(&mut self, sequence: u64) -> Result<(), ReadError<P::Error>> {
        match self.ends.takeover() {
            Some((first, pid)) if first == sequence && self.told != first => {
                self.told = first;
                if self.died.is_none() { Err(ReadError::WriterDead { pid }) } else { Ok(()) }
            }
            _ => Ok(()),
        }
    }
}
