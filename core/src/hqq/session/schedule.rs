//! Which priority class sends next: the most urgent one, unless another was passed over too often.

use super::message::CLASSES;

/// Counts, per class, the chunks of others sent while it waited.
///
/// A class that waits and can send is served after at most `bound` + 2 chunks of others: when it has been passed over
/// `bound` times, at most two other classes can be as hungry.
#[derive(Debug)]
pub(super) struct Schedule {
    bound: u32,
    passed: [u32; CLASSES],
}

impl Schedule {
    /// `bound` is at least 1.
    pub(super) fn new(bound: u32) -> Self {
        Self { bound: bound.max(1), passed: [0; CLASSES] }
    }

    /// The class to serve among those that wait.
    pub(super) fn choose(&mut self, waiting: [bool; CLASSES]) -> Option<usize> {
        let classes = || waiting.iter().zip(self.passed).enumerate().filter(|(_, (waits, _))| **waits);
        let hungriest = classes().filter(|(_, (_, passed))| *passed >= self.bound);
        let hungriest = hungriest.max_by_key(|(_, (_, passed))| *passed).map(|(class, _)| class);
        let chosen = hungriest.or_else(|| classes().map(|(class, _)| class).next_back())?;
        for (class, (passed, waits)) in self.passed.iter_mut().zip(waiting).enumerate() {
            *passed = if waits && class != chosen { passed.saturating_add(1) } else { 0 };
        }
        Some(chosen)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn the_most_urgent_class_goes_first_and_nobody_when_nobody_waits() {
        let mut schedule = Schedule::new(8);
        assert_eq!(schedule.choose([true, true, false, true]), Some(3));
        assert_eq!(schedule.choose([true, true, false, false]), Some(1));
        assert_eq!(schedule.choose([false; 4]), None);
    }

    #[test]
    fn no_class_waits_longer_than_the_bound_and_two() {
        for bound in [0, 1, 2, 8] {
            for waiting in 1..16u32 {
                let waiting = core::array::from_fn(|class| waiting >> class & 1 == 1);
                let mut schedule = Schedule::new(bound);
                let mut since = [0; CLASSES];
                for _ in 0..200 {
                    let chosen = schedule.choose(waiting).unwrap();
                    for class in 0..CLASSES {
                        since[class] = if class == chosen || !waiting[class] { 0 } else { since[class] + 1 };
                        assert!(since[class] <= bound.max(1) + 2, "{bound} {waiting:?}");
                    }
                }
            }
        }
    }
}
