//! Who of a link's participants is here: locks that the system keeps decide first, then what it says of processes.
//!
//! | lock of his place | fate of his process | he is |
//! |---|---|---|
//! | free, though he has taken it | whatever it says | gone: ended, or another program by now |
//! | held, or never taken | proven to have ended | gone: a child that he has forked may keep the lock |
//! | held, or never taken | runs | here |
//! | held | cannot be seen | here |
//! | never taken, or the system has none | cannot be seen | unknown |
//!
//! A lock is seen from every namespace and by no clock. A process's number and birth are evidence within one namespace
//! only: elsewhere they are unknown.

use super::extension::{Member, PARTICIPANTS, ParticipantEntry};
use crate::platform::{Fate, Identity, Liveness, Segment};
use crate::shm::Table;

/// Whether a participant is here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Presence {
    /// His process runs and takes part.
    Here,
    /// It does not: proven, not guessed.
    Gone,
    /// It cannot be seen from here. He is left in peace.
    Unknown,
}

/// A participant, as a look at the table found him.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    /// Index of his entry, and of his place's lock.
    pub(super) place: usize,
    pub(super) member: Member,
    pub(super) presence: Presence,
}

impl Seen {
    pub(super) fn is_gone(&self) -> bool {
        self.presence == Presence::Gone
    }
}

/// Every participant of a table. One who leaves while he is looked at is none.
pub(super) fn everybody<'a, S: Segment, L: Liveness>(
    participants: &'a Table<S, ParticipantEntry>,
    segment: &'a S,
    liveness: &'a L,
) -> impl Iterator<Item = Seen> {
    // Handles of one process stand together as a rule: its fate is asked for once.
    let mut last: Option<(Identity, Fate)> = None;
    (0..PARTICIPANTS).filter_map(move |place| {
        let entry = participants.at(place);
        let member = entry.member()?;
        let locked = if member.guarded { segment.is_place_locked(place) } else { None };
        let fate = || match last {
            Some((known, fate)) if known == member.identity => fate,
            _ => {
                let fate = liveness.fate(member.identity);
                last = Some((member.identity, fate));
                fate
            }
        };
        let presence = judge(locked, fate);
        // He gives his entry up before the lock.
        let has_left = presence == Presence::Gone && entry.member() != Some(member);
        (!has_left).then_some(Seen { place, member, presence })
    })
}

fn judge(locked: Option<bool>, fate: impl FnOnce() -> Fate) -> Presence {
    if locked == Some(false) {
        return Presence::Gone;
    }
    match (fate(), locked) {
        (Fate::Gone, _) => Presence::Gone,
        (Fate::Runs, _) | (Fate::Unknown, Some(_)) => Presence::Here,
        (Fate::Unknown, None) => Presence::Unknown,
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_free_lock_proves_an_end_and_a_held_one_a_life_unless_the_process_has_ended() {
        use Presence::{Gone, Here, Unknown};
        for (locked, fate, presence) in [
            (Some(false), Fate::Runs, Gone),
            (Some(false), Fate::Unknown, Gone),
            (Some(false), Fate::Gone, Gone),
            (Some(true), Fate::Runs, Here),
            (Some(true), Fate::Unknown, Here),
            (Some(true), Fate::Gone, Gone),
            (None, Fate::Runs, Here),
            (None, Fate::Unknown, Unknown),
            (None, Fate::Gone, Gone),
        ] {
            assert_eq!(judge(locked, || fate), presence, "{locked:?} {fate:?}");
        }
    }
}
