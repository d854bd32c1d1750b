//! Wrong orders of the ring, each of which must fail its model: otherwise the models prove nothing.
//!
//! `Causality violation` is an access to a buffer that nothing orders. What is mutated is written out here, over the
//! shipped memory.

use super::super::{Corrupt, RingMemory as _};
use super::*;
use crate::sync::Ordering;

/// The orderings of the ring, each of which can be weakened.
#[derive(Clone, Copy, Debug)]
struct Orders {
    cursor: Ordering,
    exchange: Ordering,
    sequence: Ordering,
    publish: Ordering,
    release: Ordering,
    /// Whether the slot is published before it is filled.
    early: bool,
    /// Whether the cursor is stored and not exchanged.
    store: bool,
}

const SHIPPED: Orders = Orders {
    cursor: Ordering::Acquire,
    exchange: Ordering::AcqRel,
    sequence: Ordering::Acquire,
    publish: Ordering::Release,
    release: Ordering::Release,
    early: false,
    store: false,
};

impl Scene {
    /// `Ring::take` for one slot, with these orders; `None` for "unavailable".
    fn take(&self, orders: Orders, due: u64) -> Result<Option<u64>, Corrupt> {
        let (header, capacity) = (self.ring.memory().header(), SLOTS as u64);
        let cursor = if due == 0 { &header.tail } else { &header.head };
        let mut position = cursor.load(orders.cursor);
        loop {
            let found = self.ring.memory().slot(self.ring.index(position)).sequence.load(orders.sequence);
            let ahead = found.wrapping_sub(position.wrapping_add(due)).cast_signed();
            if ahead == 0 {
                if orders.store {
                    cursor.store(position + 1, Ordering::Release);
                    return Ok(Some(position));
                }
                if cursor.compare_exchange(position, position + 1, orders.exchange).is_ok() {
                    return Ok(Some(position));
                }
            }
            let now = cursor.load(orders.cursor);
            if now == position {
                let (capacity, due) = (capacity.cast_signed(), due.cast_signed());
                if [-due, 1 - due - capacity, -capacity].contains(&ahead) {
                    return Ok(None);
                }
                return Err(Corrupt { word: "sequence", found, position, capacity: SLOTS as u64 });
            }
            position = now;
        }
    }

    fn push_with(&self, orders: Orders, value: u8) -> Option<()> {
        let position = self.take(orders, 0).expect("a sound ring")?;
        let slot = self.ring.memory().slot(self.ring.index(position));
        if orders.early {
            slot.sequence.store(position + 1, orders.publish);
        }
        self.write(position, value);
        slot.element[0].store(u64::from(value), Ordering::Relaxed);
        if !orders.early {
            slot.sequence.store(position + 1, orders.publish);
        }
        Some(())
    }

    fn pop_with(&self, orders: Orders) -> Option<Found> {
        let position = self.take(orders, 1).expect("a sound ring")?;
        let slot = self.ring.memory().slot(self.ring.index(position));
        if orders.early {
            slot.sequence.store(position + SLOTS as u64, orders.release);
        }
        let value = self.read(position);
        assert_eq!(slot.element[0].load(Ordering::Relaxed), u64::from(value));
        if !orders.early {
            slot.sequence.store(position + SLOTS as u64, orders.release);
        }
        Some((position, value))
    }
}

/// A producer that sends three messages, so that the third has the slot of the first.
fn going_round(sending: Orders, receiving: Orders) {
    explore(move || {
        let found = against(
            &Scene::new(),
            move |scene| (1..4).for_each(|value| until(|| scene.push_with(sending, value))),
            move |scene| (0..3).map(|_| until(|| scene.pop_with(receiving))).collect(),
        );
        check(found, 0, &[&[1, 2, 3]]);
    });
}

/// Two producers, one message each.
fn racing(orders: Orders) {
    explore(move || {
        let scene = Scene::new();
        against(
            &scene,
            move |scene| scene.push_with(orders, 1).unwrap(),
            move |scene| scene.push_with(orders, 11).unwrap(),
        );
        let found = core::iter::from_fn(|| scene.pop_with(orders)).collect();
        check(found, 0, &[&[1], &[11]]);
    });
}

/// Somebody who looks at the ring for the first time after it has gone round twice.
fn coming_late(orders: Orders) {
    explore(move || {
        against(
            &Scene::new(),
            move |scene| {
                for value in 1..=4 {
                    // Nothing comes of it where the other one has taken a slot.
                    let _ = (scene.push_with(orders, value), scene.pop_with(orders));
                }
            },
            // Full or a place: never a ring that is corrupt.
            move |scene| scene.take(orders, 0).map(drop).expect("a sound ring"),
        );
    });
}

#[test]
fn loom_the_ring_unchanged_passes() {
    going_round(SHIPPED, SHIPPED);
    racing(SHIPPED);
}

#[test]
fn loom_coming_late_to_the_ring_unchanged_passes() {
    coming_late(SHIPPED);
}

#[test]
#[should_panic = "Causality violation"]
fn loom_a_publication_that_does_not_release_is_caught() {
    going_round(Orders { publish: Ordering::Relaxed, ..SHIPPED }, SHIPPED);
}

#[test]
#[should_panic = "Causality violation"]
fn loom_a_release_that_does_not_release_is_caught() {
    going_round(SHIPPED, Orders { release: Ordering::Relaxed, ..SHIPPED });
}

#[test]
#[should_panic = "Causality violation"]
fn loom_a_consumer_that_does_not_acquire_the_sequence_is_caught() {
    going_round(SHIPPED, Orders { sequence: Ordering::Relaxed, ..SHIPPED });
}

#[test]
#[should_panic = "Causality violation"]
fn loom_a_producer_that_does_not_acquire_the_sequence_is_caught() {
    going_round(Orders { sequence: Ordering::Relaxed, ..SHIPPED }, SHIPPED);
}

#[test]
#[should_panic = "Causality violation"]
fn loom_a_slot_published_before_it_is_filled_is_caught() {
    going_round(Orders { early: true, ..SHIPPED }, SHIPPED);
}

#[test]
#[should_panic = "Causality violation"]
fn loom_a_slot_released_before_it_is_read_is_caught() {
    going_round(SHIPPED, Orders { early: true, ..SHIPPED });
}

#[test]
#[should_panic]
fn loom_a_cursor_that_is_not_exchanged_is_caught() {
    racing(Orders { store: true, ..SHIPPED });
}

#[test]
#[should_panic = "a sound ring"]
fn loom_a_cursor_that_is_not_acquired_is_caught() {
    coming_late(Orders { cursor: Ordering::Relaxed, ..SHIPPED });
}

#[test]
#[should_panic = "a sound ring"]
fn loom_a_cursor_moved_without_release_is_caught() {
    coming_late(Orders { exchange: Ordering::Relaxed, ..SHIPPED });
}
