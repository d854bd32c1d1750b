//! A participant that dies between any two of its steps: is everything but its own message still there, once?
//!
//! The dead one's thread ends where it dies, and then a flag says so: the proof that a system gives. One living participant
//! of its kind races with it and with the recovery, which is the shipped one over journals as in the table of a link.

use loom::thread;

use super::super::RingMemory as _;
use super::*;
use crate::hqq::Side;
use crate::hqq::extension::{Member, ParticipantEntry};
use crate::hqq::recovery::{Done, Journals, recover};
use crate::platform::{Identity, Pid};
use crate::sync::{Ordering, SharedU64};

/// What a recovered slot says.
const TOMBSTONE: u8 = 200;
/// What the dead one may have sent.
const VICTIM: u8 = 1;

/// After which step it dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd)]
enum Death {
    /// The journal is written, the cursor not moved.
    Intended,
    /// The slot is taken.
    Taken,
    /// Its buffer is filled, or read.
    Used,
    /// It was published, or released.
    Done,
}

const DEATHS: [Death; 4] = [Death::Intended, Death::Taken, Death::Used, Death::Done];

/// A ring, and a dead and a living participant of one kind.
#[derive(Debug)]
struct Link {
    scene: Rc<Scene>,
    side: Side,
    victim: ParticipantEntry,
    living: ParticipantEntry,
    dead: SharedU64,
}

impl Link {
    fn new(side: Side, position: u64) -> Rc<Self> {
        let seat = |pid| {
            let entry = ParticipantEntry::new();
            let identity = Identity { pid: Pid(pid), born: 1, realm: 0 };
            entry.join(Member { identity, side, serial: pid, guarded: false });
            entry
        };
        let (victim, living) = (seat(1), seat(2));
        Rc::new(Self { scene: Scene::at(position), side, victim, living, dead: SharedU64::new(0) })
    }

    fn die(&self) {
        self.dead.store(1, Ordering::Release);
    }

    fn is_dead(&self) -> bool {
        self.dead.load(Ordering::Acquire) == 1
    }

    fn recover(&self) -> Done {
        recover(&self.scene.ring, 0, self, |_| [u64::from(TOMBSTONE)])
    }

    /// Everything left in the ring, when nobody else uses it any more. A tombstone has no buffer.
    fn drain(&self) -> Vec<Found> {
        let scene = &self.scene;
        core::iter::from_fn(|| pop(scene, &())).collect()
    }
}

impl Journals for Link {
    fn dead_may_hold(&self, side: Side, lane: usize, position: u64) -> bool {
        side == self.side && self.victim.may_hold(lane, position)
    }
    fn living_may_hold(&self, side: Side, lane: usize, position: u64) -> bool {
        side == self.side && self.living.may_hold(lane, position)
    }
}

/// Takes a message or a tombstone; of the latter only the element counts.
fn pop(scene: &Scene, journal: &impl Journal) -> Option<Found> {
    let turn = scene.ring.try_claim(1, journal).ok()?;
    let found = match scene.ring.read(&turn) {
        [element] if element == u64::from(TOMBSTONE) => (turn.position(), TOMBSTONE),
        _ => scene.look(&turn),
    };
    scene.ring.release(turn);
    Some(found)
}

/// Sends one message and dies after a step of it.
fn send_and_die(link: &Link, death: Death) {
    let (scene, journal) = (&link.scene, link.victim.journal(0));
    if death == Death::Intended {
        // As `try_reserve` does before it moves the cursor.
        let (_, tail) = scene.ring.positions();
        journal.intend(tail, 1);
    } else if let Ok(turn) = scene.ring.try_reserve(1, journal) {
        if death >= Death::Used {
            scene.write(turn.position(), VICTIM);
        }
        if death == Death::Done {
            scene.ring.publish(turn, [u64::from(VICTIM)]);
        }
    }
    link.die();
}

/// Receives one message and dies after a step of it; what it has done with.
fn receive_and_die(link: &Link, death: Death) -> Option<Found> {
    let (scene, journal) = (&link.scene, link.victim.journal(0));
    let mut found = None;
    if death == Death::Intended {
        let (head, _) = scene.ring.positions();
        journal.intend(head, 1);
    } else if let Ok(turn) = scene.ring.try_claim(1, journal) {
        // Whatever it did with it: nobody else gets it.
        found = Some((turn.position(), 0));
        if death >= Death::Used {
            found = Some(scene.look(&turn));
        }
        if death == Death::Done {
            scene.ring.release(turn);
        }
    }
    link.die();
    found
}

/// The living one sends `values` while another sends one and dies; this thread recovers and receives meanwhile.
fn a_producer_dies(position: u64, death: Death, values: &'static [u8]) {
    explore(move || {
        let link = Link::new(Side::Primary, position);
        let victim = {
            let link = Rc::clone(&link);
            thread::spawn(move || send_and_die(&link, death))
        };
        let living = {
            let link = Rc::clone(&link);
            thread::spawn(move || {
                let sent = values.iter().filter(|value| link.scene.try_push(**value, link.living.journal(0)));
                sent.copied().collect::<Vec<u8>>()
            })
        };
        let survivor = {
            let link = Rc::clone(&link);
            thread::spawn(move || {
                if link.is_dead() {
                    link.recover();
                }
                pop(&link.scene, &())
            })
        };
        let mut found: Vec<Found> = survivor.join().unwrap().into_iter().collect();
        let sent = living.join().unwrap();
        victim.join().unwrap();
        assert_eq!(link.recover().unclear, 0, "the living one has ended");
        found.extend(link.drain());
        // Of the victim there is a message, a tombstone, or nothing.
        let of_victim = [VICTIM, TOMBSTONE];
        let victims: Vec<u8> =
            found.iter().map(|(_, value)| *value).filter(|value| of_victim.contains(value)).collect();
        assert!(victims.len() <= 1 && (death != Death::Done || !victims.contains(&TOMBSTONE)));
        check(found, position, &[&sent, &victims]);
        // Nothing is stuck: the whole ring can be used.
        for value in 30..32 {
            link.scene.push(value).unwrap();
        }
    });
}

/// The living one receives while another receives one and dies; this thread recovers and then sends one more.
fn a_consumer_dies(position: u64, death: Death) {
    explore(move || {
        let link = Link::new(Side::Secondary, position);
        for value in 10..12 {
            link.scene.push(value).unwrap();
        }
        let victim = {
            let link = Rc::clone(&link);
            thread::spawn(move || receive_and_die(&link, death))
        };
        let living = {
            let link = Rc::clone(&link);
            thread::spawn(move || link.scene.try_pop(link.living.journal(0)))
        };
        let survivor = {
            let link = Rc::clone(&link);
            thread::spawn(move || {
                let lost = if link.is_dead() { link.recover().releases } else { 0 };
                (lost, link.scene.push(12).map(|()| 12))
            })
        };
        let (mut lost, more) = survivor.join().unwrap();
        let mut sent = std::vec![10, 11];
        sent.extend(more);
        let mut found: Vec<Found> = living.join().unwrap().into_iter().collect();
        let taken = victim.join().unwrap();
        let done = link.recover();
        assert_eq!(done.unclear, 0, "the living one has ended");
        lost += done.releases;
        found.extend(link.drain());
        assert_eq!(lost, u64::from(taken.is_some() && death != Death::Done));
        // What the dead one had is nobody else's.
        if let Some((at, _)) = taken {
            let value = sent[usize::try_from(at - position).unwrap()];
            found.push((at, value));
        }
        check(found, position, &[&sent]);
        for value in 30..32 {
            link.scene.push(value).unwrap();
        }
    });
}

#[test]
fn loom_a_producer_dies_between_any_two_steps() {
    for death in DEATHS {
        a_producer_dies(1, death, &[10]);
    }
}

/// The living one's journal goes on to the next position while the recovery looks at the one before.
#[test]
fn loom_a_producer_dies_and_the_living_one_goes_on() {
    for death in [Death::Intended, Death::Taken] {
        a_producer_dies(0, death, &[10, 11]);
    }
}

#[test]
fn loom_a_consumer_dies_between_any_two_steps() {
    for death in DEATHS {
        a_consumer_dies(1, death);
    }
}

/// One dies having only meant to take a position, the living one takes it and goes on: with a choice of what the journal
/// orders, and of how the recovery fills the slot.
fn intending(intend: fn(&SharedU64, u64), may_hold: fn(&Link, u64) -> bool, fill: fn(&Link, u64)) {
    explore(move || {
        let link = Link::new(Side::Primary, 0);
        link.victim.journal(0).intend(0, 1);
        let send = move |link: &Link| {
            for position in 0..2 {
                intend(link.living.journal(0), position);
                // As `try_reserve`, without a journal: it was written.
                let turn = link.scene.ring.try_reserve(1, &()).unwrap();
                link.scene.publish(turn, 10 + u8::try_from(position).unwrap());
            }
        };
        let recover = move |link: &Link| {
            let (_, tail) = link.scene.ring.positions();
            if tail > 0 && link.scene.ring.sequence_at(0) == 0 && !may_hold(link, 0) {
                fill(link, 0);
            }
        };
        against(&link, send, recover);
        check(link.drain(), 0, &[&[10, 11]]);
    });
}

/// The shipped way.
fn intend(journal: &SharedU64, position: u64) {
    journal.intend(position, 1);
}

fn may_hold(link: &Link, position: u64) -> bool {
    link.living.may_hold(0, position)
}

fn publish_for_dead(link: &Link, position: u64) {
    assert!(!link.scene.ring.publish_in_place(position, [u64::from(TOMBSTONE)]), "a living one had it");
}

#[test]
fn loom_the_tombstone_unchanged_passes() {
    intending(intend, may_hold, publish_for_dead);
}

#[test]
#[should_panic = "assertion"]
fn loom_a_tombstone_without_a_second_look_is_caught() {
    intending(intend, may_hold, |link, position| {
        let slot = link.scene.ring.memory().slot(link.scene.ring.index(position));
        slot.element[0].store(u64::from(TOMBSTONE), Ordering::Relaxed);
        let _ = slot.sequence.compare_exchange(position, position + 1, Ordering::AcqRel);
    });
}

#[test]
#[should_panic = "assertion"]
fn loom_a_journal_that_does_not_release_is_caught() {
    intending(
        |journal, position| journal.store(position << 8 | 1, Ordering::Relaxed),
        may_hold,
        publish_for_dead,
    );
}

#[test]
#[should_panic = "assertion"]
fn loom_a_look_at_a_journal_that_does_not_acquire_is_caught() {
    let relaxed =
        |link: &Link, position: u64| link.living.journal(0).load(Ordering::Relaxed) == ((position << 8) | 1);
    intending(intend, relaxed, publish_for_dead);
}

#[test]
#[should_panic]
fn loom_a_recovery_that_asks_no_living_one_is_caught() {
    intending(intend, |_, _| false, publish_for_dead);
}

#[test]
#[should_panic = "the ring is stuck"]
fn loom_a_journal_written_after_the_cursor_moved_is_caught() {
    explore(|| {
        let link = Link::new(Side::Primary, 0);
        let victim = {
            let link = Rc::clone(&link);
            thread::spawn(move || {
                let _ = link.scene.ring.try_reserve(1, &()).unwrap();
                // Dies before it writes its journal.
                link.die();
            })
        };
        victim.join().unwrap();
        link.recover();
        assert!(!link.drain().is_empty(), "the ring is stuck");
    });
}

/// A living one whose journal comes after its exchange shows nothing while it holds what a dead one meant to take.
#[test]
#[should_panic]
fn loom_a_living_one_without_a_journal_in_time_is_caught() {
    intending(|_, _| {}, may_hold, publish_for_dead);
}
