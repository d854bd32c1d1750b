//! What does a link hold, and who takes part, seen without changing a byte?

use super::extension::{PARTICIPANTS, Waits};
use super::lane::Lane;
use super::layout::{Geometry, Side};
use super::presence::{Presence, everybody};
use super::regions::{AttachError, Expected, Regions};
use crate::mpmc::journal::held;
use crate::platform::{Identity, Liveness, Segment};

/// A link that is looked at and not joined. A read-only mapping will do.
#[derive(Clone, Debug)]
pub struct Inspection<S> {
    segment: S,
    regions: Regions<S>,
}

/// One ring, as it stood. The words are loaded one after another: of a link in use they may belong to slightly different
/// moments, and what seems odd then may be nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RingState {
    /// Next position to consume.
    pub head: u64,
    /// Next position to produce.
    pub tail: u64,
    /// Slots that are filled and that nobody has claimed, tombstones among them.
    pub unread: u64,
    /// Slots that somebody has reserved and not published.
    pub reserved: u64,
    /// Slots that somebody has claimed and not released.
    pub claimed: u64,
    /// Slots whose sequence no correct participant leaves so.
    pub odd: u64,
    /// Whether a consumer sleeps until there is data. Remains until the next message if the sleeper is gone.
    pub waits_for_data: bool,
    /// Whether a producer sleeps until there is space. Remains until the next release if the sleeper is gone.
    pub waits_for_space: bool,
    /// Reserved slots of dead participants that became tombstones, so far.
    pub tombstones: u64,
    /// Claimed slots of dead participants that were released, so far.
    pub lost: u64,
}

/// What a participant has, or may have, in a ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Holder {
    /// The process.
    pub identity: Identity,
    /// Its side.
    pub side: Side,
    /// Slots that it has reserved and not published.
    pub reserved: u64,
    /// Slots that it has claimed and not released.
    pub claimed: u64,
}

impl<S: Segment> Inspection<S> {
    /// Looks at a segment.
    ///
    /// # Errors
    /// [`AttachError`] says which word makes it no link, or not the expected one.
    pub fn of(segment: &S, expected: Expected) -> Result<Self, AttachError> {
        Ok(Self { segment: segment.clone(), regions: Regions::attach(segment, expected)? })
    }

    pub(super) fn segment(&self) -> &S {
        &self.segment
    }

    /// The lane through which `from` sends.
    pub(super) fn lane(&self, from: Side) -> &Lane<S> {
        let [primary, secondary] = &self.regions.lanes;
        if from.lane() == 0 { primary } else { secondary }
    }

    /// What the link looks like.
    pub fn geometry(&self) -> Geometry {
        self.regions.geometry
    }

    /// Whether it has the words that Strait adds behind the layout. Without them nothing is known of participants.
    pub fn has_extension(&self) -> bool {
        self.regions.extension.is_some()
    }

    /// Whether processes that are not Strait may take part.
    pub fn has_strangers(&self) -> bool {
        self.regions.extension.as_ref().is_none_or(|extension| extension.at(0).has_strangers())
    }

    /// Whether the name stays when the last participant leaves.
    pub fn is_kept(&self) -> bool {
        self.regions.extension.as_ref().is_none_or(|extension| extension.at(0).is_kept())
    }

    /// Every handle of every process, dead ones as well. Whatever a peer has written is reported.
    pub fn participants(&self) -> impl Iterator<Item = (Identity, Side)> {
        let participants = self.regions.participants.as_ref();
        let members = (0..PARTICIPANTS).filter_map(move |index| participants?.at(index).member());
        members.map(|member| (member.identity, member.side))
    }

    /// The same, and whether each is here.
    pub fn presences<'a, L: Liveness>(
        &'a self,
        liveness: &'a L,
    ) -> impl Iterator<Item = (Identity, Side, Presence)> + use<'a, S, L> {
        let participants = self.regions.participants.iter();
        let everybody =
            participants.flat_map(move |participants| everybody(participants, &self.segment, liveness));
        everybody.map(|seen| (seen.member.identity, seen.member.side, seen.presence))
    }

    /// Who holds slots of the ring through which `from` sends, by the journals: each handle of theirs that holds any.
    ///
    /// Two who ran for the same slot may both seem to have it for a moment. Slots that nobody here has are held by processes
    /// that are not Strait. Takes as long as there are slots and participants.
    pub fn holders(&self, from: Side) -> impl Iterator<Item = Holder> {
        let lane = self.lane(from);
        let participants = self.regions.participants.as_ref();
        let entries = (0..PARTICIPANTS).filter_map(move |index| Some(participants?.at(index)));
        entries.filter_map(move |entry| {
            let member = entry.member()?;
            let ring = lane.ring();
            let (start, count) = held(entry.journal(lane.index()));
            let (head, _) = ring.positions();
            let mut holder = Holder { identity: member.identity, side: member.side, reserved: 0, claimed: 0 };
            // Bounded: a journal's count is below 256.
            for ahead in 0..count {
                // A journal has the low 56 bits; the rest is the head's, from which no slot is further away.
                let near = start.wrapping_add(ahead).wrapping_sub(head) << 8;
                let position = head.wrapping_add((near.cast_signed() >> 8).cast_unsigned());
                match ring.sequence_at(position).wrapping_sub(position) {
                    0 if member.side == from => holder.reserved = holder.reserved.saturating_add(1),
                    1 if member.side != from && position.wrapping_sub(head).cast_signed() < 0 => {
                        holder.claimed = holder.claimed.saturating_add(1);
                    }
                    _ => {}
                }
            }
            (holder.reserved | holder.claimed != 0).then_some(holder)
        })
    }

    /// Whether nobody is written into an entry.
    pub(super) fn is_free(&self, place: usize) -> bool {
        self.regions.participants.as_ref().is_none_or(|participants| participants.at(place).is_free())
    }

    /// The ring through which `from` sends. Takes as long as there are slots.
    pub fn ring(&self, from: Side) -> RingState {
        let lane = self.lane(from);
        let (ring, capacity) = (lane.ring(), lane.ring().capacity());
        let (head, tail) = ring.positions();
        let mut state = RingState { head, tail, ..RingState::default() };
        // Bounded by the slots, which lie inside the segment.
        for back in 1..=capacity {
            let position = tail.wrapping_sub(back);
            let ahead = ring.sequence_at(position).wrapping_sub(position);
            // Between head and tail, if the two make sense.
            let is_unclaimed = position.wrapping_sub(head) < tail.wrapping_sub(head);
            let count = match ahead {
                0 => &mut state.reserved,
                1 if is_unclaimed => &mut state.unread,
                1 => &mut state.claimed,
                _ if ahead == capacity => continue,
                _ => &mut state.odd,
            };
            *count = count.saturating_add(1);
        }
        if let Some(extension) = &self.regions.extension {
            let extension = extension.at(0);
            let sleeps = |waits| extension.bell(lane.index(), waits).is_announced();
            (state.waits_for_data, state.waits_for_space) = (sleeps(Waits::Data), sleeps(Waits::Space));
            let [first, second] = extension.recovered();
            (state.tombstones, state.lost) = if lane.index() == 0 { first } else { second };
        }
        state
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::hqq::{Creation, EXTENSION_LEN, Link, Profile, Role};
    use crate::name::Name;
    use crate::platform::Access;
    use crate::testing::{FakePlatform, HeapSegment};
    use core::time::Duration;
    use std::vec::Vec;

    const PROFILES: [Profile; 2] = [Profile::Superblock, Profile::Seed];

    /// A link of four slots of 16 bytes, pages of 64.
    fn link(system: &FakePlatform, profile: Profile) -> (Link<FakePlatform>, HeapSegment) {
        let name = Name::new("looked-at").expect("valid");
        let geometry = Geometry::new(4, 16, 64, profile).expect("possible");
        let access = Access::default();
        let creation = Creation { geometry, access, role: Role::Primary, strangers: false, keep: true };
        let link = Link::create(system.clone(), &name, creation).expect("created");
        (link, system.segment("looked-at"))
    }

    fn look(segment: &HeapSegment) -> Inspection<HeapSegment> {
        Inspection::of(segment, Expected::default()).expect("a link")
    }

    #[test]
    fn each_slot_is_counted_once_as_what_it_is() {
        for profile in PROFILES {
            let system = FakePlatform::new();
            let (mut ours, segment) = link(&system, profile);
            let name = Name::new("looked-at").expect("valid");
            let other = system.process(77);
            let mut theirs = Link::open(other, &name, Expected::default(), Role::Secondary).unwrap();
            let before = segment.bytes(0, segment.len());
            let seen = look(&segment);
            assert!(seen.is_kept() && seen.has_extension() && !seen.has_strangers());
            assert_eq!(seen.geometry().profile(), profile);
            assert_eq!(seen.ring(Side::Primary), RingState::default());
            let sides: Vec<_> = seen.participants().map(|(identity, side)| (identity.pid.0, side)).collect();
            let this = system.this().0;
            let (primary, secondary) = (Side::Primary, Side::Secondary);
            assert_eq!(sides, [(this, primary), (this, primary), (77, secondary), (77, secondary)]);
            assert_eq!(segment.bytes(0, segment.len()), before);

            // Three laps and a bit, so that the positions have left the first lap.
            for _ in 0..13 {
                ours.producer.send(b"x", Duration::ZERO).unwrap();
                drop(theirs.consumer.recv(Duration::ZERO).unwrap());
            }
            ours.producer.send(b"x", Duration::ZERO).unwrap();
            ours.producer.send(b"x", Duration::ZERO).unwrap();
            let claimed = theirs.consumer.recv(Duration::ZERO).unwrap();
            let reserved = ours.producer.reserve(Duration::ZERO).unwrap();
            let RingState { head, tail, unread, reserved: taken, claimed: held, odd, .. } =
                seen.ring(Side::Primary);
            assert_eq!([head, tail, unread, taken, held, odd], [14, 16, 1, 1, 1, 0], "{profile}");
            assert_eq!(seen.ring(Side::Secondary).tail, 0);
            let holders: Vec<_> = seen
                .holders(Side::Primary)
                .map(|held| (held.identity.pid.0, held.side, held.reserved, held.claimed))
                .collect();
            assert_eq!(holders, [(this, primary, 1, 0), (77, secondary, 0, 1)], "{profile}");
            assert_eq!(seen.holders(Side::Secondary).count(), 0);
            drop((reserved, claimed));
            assert_eq!(seen.holders(Side::Primary).count(), 0);
        }
    }

    #[test]
    fn a_segment_of_whole_pages_says_how_long_its_slots_are() {
        let geometry = Geometry::new(4, 16, 4096, Profile::Seed).unwrap();
        let len = geometry.plan().extended_len;
        for len in [len, len.next_multiple_of(4096)] {
            let segment = HeapSegment::new(len);
            Regions::initialise(&segment, geometry).unwrap();
            assert_eq!(look(&segment).geometry(), geometry);
        }
    }

    #[test]
    fn whatever_a_word_holds_it_is_an_answer() {
        for profile in PROFILES {
            let system = FakePlatform::new();
            let (mut ours, segment) = link(&system, profile);
            ours.producer.send(b"x", Duration::ZERO).unwrap();
            let whole = segment.bytes(0, segment.len());
            // The participants look alike: the first few stand for all.
            let end = whole.len() - EXTENSION_LEN + 640;
            for offset in (0..end).step_by(8) {
                for value in [0, 1, 2, 3, 4, u64::MAX, u64::MAX - 1, 1 << 63, 0xdead_beef_0bad_cafe] {
                    segment.scribble_u64(offset, value);
                    let expected = Expected { slot_len: Some(16), ..Expected::default() };
                    if let Ok(seen) = Inspection::of(&segment, expected) {
                        for side in [Side::Primary, Side::Secondary] {
                            let RingState { unread, reserved, claimed, odd, .. } = seen.ring(side);
                            assert!(seen.holders(side).count() <= PARTICIPANTS);
                            assert!(unread + reserved + claimed + odd <= seen.geometry().slots());
                        }
                        assert!(seen.participants().count() <= PARTICIPANTS);
                    }
                    segment.scribble(offset, &whole[offset..offset + 8]);
                }
            }
            segment.truncate(100);
            assert!(Inspection::of(&segment, Expected::default()).is_err());
        }
    }
}
