//! Which packets go through a link, for who does not join it?

use super::inspect::Inspection;
use super::layout::{Geometry, Side};
use super::packet::Packet;
use super::regions::{AttachError, Expected};
use crate::mpmc::{Corrupt, Watched};
use crate::platform::Segment;

/// Follows both rings of a link and takes nothing. A read-only mapping will do.
///
/// A packet can be seen until its slot is filled again, one lap later: who looks too seldom is told how many were missed.
#[derive(Debug)]
pub struct Tracer<S> {
    inspection: Inspection<S>,
    /// The next position to look at, of the primary's ring and of the secondary's.
    next: [u64; 2],
}

/// What came by in a ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trace {
    /// A packet, at this position of its ring; a tombstone too.
    Packet {
        /// Where in the ring it stood.
        position: u64,
        /// What it says.
        packet: Packet,
    },
    /// So many packets that were overwritten before they were looked at.
    Missed {
        /// The first of them.
        position: u64,
        /// How many.
        count: u64,
    },
}

impl<S: Segment> Tracer<S> {
    /// Follows a segment's rings from the oldest packet that can still be seen: up to a lap is told of the past.
    ///
    /// # Errors
    /// [`AttachError`] says which word makes it no link, or not the expected one.
    pub fn of(segment: &S, expected: Expected) -> Result<Self, AttachError> {
        let inspection = Inspection::of(segment, expected)?;
        let next = [Side::Primary, Side::Secondary].map(|from| {
            let (_, tail) = inspection.lane(from).ring().positions();
            // In the first lap nothing is older than position 0.
            tail.saturating_sub(inspection.geometry().slots())
        });
        Ok(Self { inspection, next })
    }

    /// What the link looks like.
    pub fn geometry(&self) -> Geometry {
        self.inspection.geometry()
    }

    /// Whether the link can still be found under its name.
    pub fn is_linked(&self) -> bool {
        self.inspection.segment().is_linked()
    }

    /// What comes next in the ring through which `from` sends; `None` while it is not there.
    ///
    /// # Errors
    /// [`Corrupt`] if the tail has gone back: then it is followed from where it stands.
    pub fn next(&mut self, from: Side) -> Result<Option<Trace>, Corrupt> {
        let ring = self.inspection.lane(from).ring();
        let [primary, secondary] = &mut self.next;
        let next = if from.lane() == 0 { primary } else { secondary };
        let (position, (_, tail), capacity) = (*next, ring.positions(), ring.capacity());
        let behind = tail.wrapping_sub(position);
        if behind.cast_signed() < 0 {
            *next = tail;
            return Err(Corrupt { word: "tail", found: tail, position, capacity });
        }
        let count = match ring.watch(position) {
            _ if behind > capacity => behind.wrapping_sub(capacity),
            Watched::NotYet => return Ok(None),
            Watched::Element(words) => {
                *next = position.wrapping_add(1);
                return Ok(Some(Trace::Packet { position, packet: Packet(words) }));
            }
            Watched::Overwritten => 1,
        };
        *next = position.wrapping_add(count);
        Ok(Some(Trace::Missed { position, count }))
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use core::time::Duration;
    use std::vec::Vec;

    use super::*;
    use crate::hqq::packet::Operation;
    use crate::hqq::{Creation, ErrorCode, Link, Profile, Role};
    use crate::name::Name;
    use crate::platform::Access;
    use crate::testing::FakePlatform;

    #[test]
    fn every_packet_of_both_rings_is_told_once_and_what_was_missed_is_counted() {
        for profile in [Profile::Superblock, Profile::Seed] {
            let (system, name) = (FakePlatform::new(), Name::new("traced").unwrap());
            let geometry = Geometry::new(4, 16, 64, profile).unwrap();
            let access = Access::default();
            let creation = Creation { geometry, access, role: Role::Primary, strangers: false, keep: false };
            let mut ours = Link::create(system.clone(), &name, creation).unwrap();
            let mut theirs =
                Link::open(system.process(2), &name, Expected::default(), Role::Secondary).unwrap();
            ours.producer.send(b"before", Duration::ZERO).unwrap();
            let segment = system.segment("traced");
            let mut tracer = Tracer::of(&segment, Expected::default()).unwrap();
            let bytes = segment.bytes(0, segment.len());
            let mut told = |from| {
                let mut told = Vec::new();
                while let Some(trace) = tracer.next(from).unwrap() {
                    told.push(trace);
                }
                told
            };
            let copy = |position, copy, buffer, len| {
                let packet = Operation::Copy { copy, buffer, len }.emit(profile, 16);
                Trace::Packet { position, packet }
            };
            assert_eq!(told(Side::Primary), [copy(0, 1, 0, 6)]);
            assert_eq!(told(Side::Secondary), []);
            assert!(segment.bytes(0, segment.len()) == bytes, "a byte has changed");

            drop(theirs.consumer.recv(Duration::ZERO).unwrap());
            ours.producer.send(b"now", Duration::ZERO).unwrap();
            theirs.producer.try_reserve().unwrap().abort(ErrorCode::INVALID_OP);
            let reserved = ours.producer.try_reserve().unwrap();
            assert_eq!(told(Side::Primary), [copy(1, 2, 1, 3)]);
            let [Trace::Packet { position: 0, packet }] = told(Side::Secondary)[..] else { panic!("one") };
            let tombstone = match profile {
                Profile::Superblock => {
                    Operation::Tombstone { copy: 1, slot: 0, reason: ErrorCode::INVALID_OP }
                }
                Profile::Seed => Operation::Copy { copy: 1, buffer: 0, len: 0 },
            };
            assert_eq!(packet.parse(profile), Ok(tombstone));
            drop(reserved);

            // More than a lap while nobody looks: tombstone 2, and then 3 to 11.
            drop(theirs.consumer.recv(Duration::ZERO).unwrap());
            for _ in 3..12 {
                ours.producer.send(b"x", Duration::ZERO).unwrap();
                drop(theirs.consumer.recv(Duration::ZERO).unwrap());
            }
            let told = told(Side::Primary);
            assert_eq!(told[0], Trace::Missed { position: 2, count: 6 });
            let positions = told[1..].iter().map(|trace| match trace {
                Trace::Packet { position, .. } => *position,
                Trace::Missed { .. } => panic!("once"),
            });
            assert_eq!(positions.collect::<Vec<_>>(), [8, 9, 10, 11]);
        }
    }

    #[test]
    fn a_tail_that_goes_back_is_told_and_followed() {
        let (system, name) = (FakePlatform::new(), Name::new("traced").unwrap());
        let geometry = Geometry::new(4, 16, 64, Profile::Superblock).unwrap();
        let access = Access::default();
        let creation = Creation { geometry, access, role: Role::Primary, strangers: false, keep: false };
        let mut ours = Link::create(system.clone(), &name, creation).unwrap();
        (0..3).for_each(|_| ours.producer.send(b"x", Duration::ZERO).unwrap());
        let segment = system.segment("traced");
        let mut tracer = Tracer::of(&segment, Expected::default()).unwrap();
        (0..3).for_each(|_| assert!(tracer.next(Side::Primary).unwrap().is_some()));
        segment.scribble_u64(geometry.plan().rings[0] + 128, 1);
        let corrupt = Corrupt { word: "tail", found: 1, position: 3, capacity: 4 };
        assert_eq!(tracer.next(Side::Primary), Err(corrupt));
        assert_eq!(tracer.next(Side::Primary), Ok(None));
    }
}
