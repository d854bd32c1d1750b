//! Links of a fake system: what ends do to each other, what the dead leave, and what a peer that keeps no rule does.
//!
//! | file | what is asked |
//! |---|---|
//! | `bells` | who is woken, by what |
//! | `opening` | what is a link, and who becomes the primary |
//! | `membership` | how many handles there are, and when a name goes |
//! | `slots` | messages, batches, slots given up, packets that are wrong |
//! | `recovery` | what becomes of what the dead held |
//! | `presence` | who is here, seen from other namespaces, after `execve` and `fork` |
//! | `standing` | what may be replaced and removed |
//! | `forked` | what a forked child can do with its copies |
//! | `forgotten` | what becomes of a guard that is leaked |
//! | `hostile` | any word with any value |
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod bells;
mod forgotten;
mod forked;
mod hostile;
mod membership;
mod opening;
mod presence;
mod recovery;
mod slots;
mod standing;

use core::time::Duration;
use std::vec::Vec;

use super::{Consumer, Creation, Expected, Geometry, Link, Producer, Profile, RecvError, Role, Side};
use crate::name::Name;
use crate::platform::Access;
use crate::testing::FakePlatform;

const NAME: &str = "link";
const SLOTS: u64 = 4;
const SLOT_LEN: u64 = 64;
const PROFILES: [Profile; 2] = [Profile::Superblock, Profile::Seed];
/// Long enough for whatever comes for sure.
const PATIENCE: Duration = Duration::from_secs(300);
/// For what does not come.
const MOMENT: Duration = Duration::from_millis(2);

type Ends = Link<FakePlatform>;

fn name() -> Name {
    Name::new(NAME).unwrap()
}

fn geometry(profile: Profile) -> Geometry {
    Geometry::new(SLOTS, SLOT_LEN, 4096, profile).unwrap()
}

fn creation(profile: Profile) -> Creation {
    Creation {
        geometry: geometry(profile),
        access: Access::default(),
        role: Role::Auto,
        strangers: false,
        keep: false,
    }
}

/// A link made by process 1.
fn create(system: &FakePlatform, profile: Profile) -> Ends {
    Link::create(system.clone(), &name(), creation(profile)).unwrap()
}

/// The link as another process opens it.
fn open(system: &FakePlatform, pid: u64, role: Role) -> Ends {
    Link::open(system.process(pid), &name(), Expected::default(), role).unwrap()
}

/// A link made by process 1, opened by process 2.
fn pair(system: &FakePlatform, profile: Profile) -> (Ends, Ends) {
    (create(system, profile), open(system, 2, Role::Secondary))
}

fn send(producer: &mut Producer<FakePlatform>, message: &[u8]) {
    producer.send(message, PATIENCE).unwrap();
}

/// The next message, which is there.
#[track_caller]
fn receive(consumer: &mut Consumer<FakePlatform>) -> Vec<u8> {
    consumer.try_recv().unwrap().to_vec()
}

#[track_caller]
fn expect_empty(consumer: &mut Consumer<FakePlatform>) {
    assert_eq!(consumer.try_recv().err(), Some(RecvError::Empty));
}

/// Sends so many messages through both directions that each slot is used several times.
#[track_caller]
fn expect_usable(primary: &mut Ends, secondary: &mut Ends) {
    assert_eq!((primary.side(), secondary.side()), (Side::Primary, Side::Secondary));
    for round in 1..=3 * u8::try_from(SLOTS).unwrap() {
        for (from, to) in [
            (&mut primary.producer, &mut secondary.consumer),
            (&mut secondary.producer, &mut primary.consumer),
        ] {
            send(from, &[round; 9]);
            assert_eq!(receive(to), [round; 9]);
            expect_empty(to);
        }
    }
}
