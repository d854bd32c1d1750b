//! How long a wait polls before it blocks: spins, learned within bounds, then yields.

use crate::platform::{Clock, WaitPolicy};
use crate::sync::spin_loop;

/// Polls that take about a microsecond.
const SHORT_SPIN: u32 = 16;

/// Spins and yields before blocking, within a [`WaitPolicy`].
#[derive(Debug)]
pub(crate) struct Backoff {
    policy: WaitPolicy,
    spins: u32,
}

impl Backoff {
    pub(crate) fn new(policy: WaitPolicy) -> Self {
        Self { policy, spins: policy.max_spins }
    }

    /// One with the same policy that has learned nothing.
    pub(crate) fn again(&self) -> Self {
        Self::new(self.policy)
    }

    pub(crate) fn set_policy(&mut self, policy: WaitPolicy) {
        *self = Self::new(policy);
    }

    /// Goes by `policy` from now on; what was learned within the same one is kept.
    pub(crate) fn follow(&mut self, policy: WaitPolicy) {
        if self.policy != policy {
            self.set_policy(policy);
        }
    }

    /// Spinning paid, or would have paid: spin twice as long next time.
    pub(crate) fn grow(&mut self) {
        self.spins = self.spins.saturating_mul(2).clamp(self.policy.min_spins, self.policy.max_spins);
    }

    /// Spinning did not pay: spin half as long next time.
    fn shrink(&mut self) {
        self.spins = (self.spins / 2).max(self.policy.min_spins);
    }

    /// Polls `ready` without blocking; how soon it was, if at all.
    pub(crate) fn spin<C: Clock>(&mut self, clock: &C, mut ready: impl FnMut() -> bool) -> Spun {
        for polls in 0..self.spins {
            if ready() {
                self.grow();
                return if polls < SHORT_SPIN { Spun::AtOnce } else { Spun::Ready };
            }
            spin_loop();
        }
        for _ in 0..self.policy.yields {
            clock.yield_now();
            if ready() {
                // The spin before it was in vain: on one processor the other end runs only when we do not.
                self.shrink();
                return Spun::Ready;
            }
        }
        self.shrink();
        Spun::InVain
    }
}

/// How a spin ended.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spun {
    /// Within [`SHORT_SPIN`] polls.
    AtOnce,
    Ready,
    InVain,
}
