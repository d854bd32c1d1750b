//! One state at a time: what is refused, what a stalled participant does, which words are corrupt.

use super::super::{ArrayMemory, AttachError, Corrupt, INITIALISED, MAGIC, Ring, RingMemory as _, TurnError};

type Four = Ring<ArrayMemory<4, 1>, 1>;

fn four() -> Four {
    Ring::initialise(ArrayMemory::new(), 4).expect("a power of two")
}

#[test]
fn a_stalled_producer_empties_the_ring_for_consumers_and_then_fills_it() {
    let ring = four();
    ring.try_push([1]).unwrap();
    let stalled = ring.try_reserve(1, &()).unwrap();
    ring.try_push([3]).unwrap();
    assert_eq!(ring.try_pop(), Ok([1]));
    assert_eq!(ring.try_pop(), Err(TurnError::Unavailable), "3 is behind the stalled slot");
    ring.try_push([4]).unwrap();
    ring.try_push([5]).unwrap();
    assert_eq!(ring.try_push([6]), Err(TurnError::Unavailable));
    ring.publish(stalled, [2]);
    for value in 2..=5 {
        assert_eq!(ring.try_pop(), Ok([value]));
    }
}

#[test]
fn a_stalled_consumer_stops_producers_one_lap_later_and_no_consumer() {
    let ring = four();
    (1..=4).for_each(|value| ring.try_push([value]).unwrap());
    let stalled = ring.try_claim(1, &()).unwrap();
    for value in 2..=4 {
        assert_eq!(ring.try_pop(), Ok([value]));
    }
    assert_eq!(ring.try_push([5]), Err(TurnError::Unavailable));
    assert_eq!(ring.read(&stalled), [1]);
    ring.release(stalled);
    assert_eq!(ring.try_push([5]), Ok(()));
}

#[test]
fn guards_publish_and_release_what_is_left() {
    let ring = four();
    let mut slots = ring.reserve_guard(3).unwrap();
    assert!(slots.publish([7]));
    drop(slots);
    let mut claims = ring.claim_guard(9).unwrap();
    assert_eq!((claims.len(), claims.next(), claims.next()), (3, Some([7]), Some([0])));
    drop(claims);
    assert_eq!(ring.reserve_guard(9).unwrap().len(), 4, "all four are free again");
}

#[test]
fn positions_wrap_at_the_end_of_numbers() {
    let ring = four();
    let start = u64::MAX - 2;
    ring.scribble(start, start, &[0, u64::MAX - 2, u64::MAX - 1, u64::MAX]);
    for value in 0..9 {
        assert_eq!(ring.try_push([value]), Ok(()), "{value}");
        assert_eq!(ring.try_pop(), Ok([value]));
    }
}

#[test]
fn a_sequence_that_nobody_leaves_is_corrupt() {
    let ring = four();
    ring.scribble(0, 0, &[9, 1, 2, 3]);
    let corrupt = Corrupt { word: "sequence", found: 9, position: 0, capacity: 4 };
    assert_eq!(ring.try_push([1]), Err(TurnError::Corrupt(corrupt)));
    assert_eq!(ring.try_pop(), Err(TurnError::Corrupt(corrupt)));
}

#[test]
fn memory_that_is_no_ring_is_refused_with_what_it_says() {
    let memory = ArrayMemory::<4, 1>::new();
    assert_eq!(Ring::attach(&memory, 4).err(), Some(AttachError::Magic { found: 0 }));
    for slots in [0, 1, 3, 6, u64::MAX] {
        assert_eq!(Ring::initialise(&memory, slots).err(), Some(AttachError::Slots { slots }));
    }
    let ring = Ring::initialise(&memory, 4).unwrap();
    assert_eq!(ring.memory().header().identity(), [MAGIC, 4, INITIALISED]);
    assert_eq!(Ring::attach(&memory, 2).err(), Some(AttachError::Capacity { found: 4, wanted: 2 }));
    assert!(Ring::attach(&memory, 4).is_ok());
}
