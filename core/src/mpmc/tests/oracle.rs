//! The ring against `VecDeque`, under any sequence of operations.

use std::collections::VecDeque;
use std::vec::Vec;

use proptest::prelude::*;

use super::super::{ArrayMemory, ConsumerTurn, ProducerTurn, Ring, TurnError};

/// What is done to both.
#[derive(Clone, Copy, Debug)]
enum Step {
    Reserve(u64),
    /// Publishes the oldest, or the newest, slot that is reserved.
    Publish {
        oldest: bool,
    },
    Claim(u64),
    Release {
        oldest: bool,
    },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        (1..6u64).prop_map(Step::Reserve),
        any::<bool>().prop_map(|oldest| Step::Publish { oldest }),
        any::<bool>().prop_map(|oldest| Step::Publish { oldest }),
        (1..6u64).prop_map(Step::Claim),
        any::<bool>().prop_map(|oldest| Step::Release { oldest }),
        any::<bool>().prop_map(|oldest| Step::Release { oldest }),
    ];
    prop::collection::vec(step, 0..400)
}

/// What a slot of the model is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Reserved,
    Filled(u64),
    Claimed,
    Released,
}

/// Slots in order of position; those at the front that are released are gone.
struct Model {
    slots: VecDeque<State>,
    capacity: usize,
    next: u64,
}

impl Model {
    /// How many of `most` can be reserved: the free ones up to the first that is not.
    fn reserve(&mut self, most: u64) -> u64 {
        while self.slots.front() == Some(&State::Released) {
            self.slots.pop_front();
        }
        let count = most.min((self.capacity - self.slots.len()) as u64);
        (0..count).for_each(|_| self.slots.push_back(State::Reserved));
        count
    }

    fn claim(&mut self, most: u64) -> Vec<u64> {
        let taken = |state: &State| matches!(state, State::Claimed | State::Released);
        let first = self.slots.iter().position(|state| !taken(state)).unwrap_or(self.slots.len());
        let mut claimed = Vec::new();
        for state in self.slots.iter_mut().skip(first).take(usize::try_from(most).expect("small")) {
            let State::Filled(value) = *state else { break };
            claimed.push(value);
            *state = State::Claimed;
        }
        claimed
    }

    /// Index in `slots` of the `from`-th, counted from the end if not `oldest`, that is in `state`.
    fn find(&self, state: State, oldest: bool) -> Option<usize> {
        let mut found = self.slots.iter().enumerate().filter(|(_, at)| **at == state).map(|(at, _)| at);
        if oldest { found.next() } else { found.next_back() }
    }
}

fn take<T>(turns: &mut VecDeque<T>, oldest: bool) -> Option<T> {
    if oldest { turns.pop_front() } else { turns.pop_back() }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn the_ring_is_a_bounded_queue(steps in steps()) {
        let ring = Ring::<_, 2>::initialise(ArrayMemory::<4, 2>::new(), 4).unwrap();
        let mut model = Model { slots: VecDeque::new(), capacity: 4, next: 0 };
        let mut reserved: VecDeque<ProducerTurn> = VecDeque::new();
        let mut claimed: VecDeque<(ConsumerTurn, u64)> = VecDeque::new();
        for step in steps {
            match step {
                Step::Reserve(most) => {
                    let expected = model.reserve(most);
                    match ring.try_reserve(most, &()) {
                        Ok(mut turn) => {
                            prop_assert_eq!(turn.count(), expected);
                            while let Some(one) = turn.take_first() {
                                reserved.push_back(one);
                            }
                        }
                        Err(TurnError::Unavailable) => prop_assert_eq!(expected, 0),
                        Err(error) => panic!("{error}"),
                    }
                }
                Step::Publish { oldest } => {
                    let Some(turn) = take(&mut reserved, oldest) else { continue };
                    model.next += 1;
                    ring.publish(turn, [model.next, !model.next]);
                    let at = model.find(State::Reserved, oldest).unwrap();
                    model.slots[at] = State::Filled(model.next);
                }
                Step::Claim(most) => {
                    let expected = model.claim(most);
                    match ring.try_claim(most, &()) {
                        Ok(mut turn) => {
                            prop_assert_eq!(turn.count(), expected.len() as u64);
                            for value in expected {
                                claimed.push_back((turn.take_first().unwrap(), value));
                            }
                        }
                        Err(TurnError::Unavailable) => prop_assert!(expected.is_empty()),
                        Err(error) => panic!("{error}"),
                    }
                }
                Step::Release { oldest } => {
                    let Some((turn, value)) = take(&mut claimed, oldest) else { continue };
                    // Read as late as can be: nobody has written it meanwhile.
                    prop_assert_eq!(ring.read(&turn), [value, !value]);
                    ring.release(turn);
                    let at = model.find(State::Claimed, oldest).unwrap();
                    model.slots[at] = State::Released;
                }
            }
        }
    }

    #[test]
    fn any_words_in_memory_are_answered_and_never_followed(
        words in prop::collection::vec(prop_oneof![any::<u64>(), 0..12u64, (u64::MAX - 8)..=u64::MAX], 6),
        rounds in 1..20usize,
    ) {
        let memory = ArrayMemory::<4, 1>::new();
        let ring = Ring::<_, 1>::initialise(&memory, 4).unwrap();
        ring.scribble(words[0], words[1], &words[2..6]);
        for _ in 0..rounds {
            if let Ok(mut turn) = ring.try_reserve(3, &()) {
                while let Some(one) = turn.take_first() {
                    ring.publish(one, [7]);
                }
            }
            if let Ok(mut turn) = ring.try_claim(3, &()) {
                while let Some(one) = turn.take_first() {
                    ring.release(one);
                }
            }
        }
    }
}
