//! Time: it does not go back, it goes on, and how long to wait is in order.

use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;
use std::thread;

use strait_core::platform::{Clock as _, WaitPolicy};
use strait_core::time::Instant;

use crate::scene::{Scene, wait_until};
use crate::system::System;

pub(crate) fn now_never_goes_backwards<S: System>() {
    let scene = Scene::<S>::new();
    let latest = AtomicU64::new(0);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut own = Instant::from_nanos(0);
                for round in 0..20_000_u32 {
                    // Pairs with the Release below: the instant comes from a call that has returned.
                    let before = latest.load(Ordering::Acquire);
                    let now = scene.platform.now();
                    assert!(now.as_nanos() >= before, "{now:?} after {before} of some thread");
                    assert!(now >= own, "{now:?} after {own:?}");
                    own = now;
                    latest.fetch_max(now.as_nanos(), Ordering::Release);
                    if round.is_multiple_of(1000) {
                        scene.platform.yield_now();
                    }
                }
            });
        }
    });
    assert!(scene.system.second().now().as_nanos() >= latest.into_inner(), "one clock for all processes");
}

pub(crate) fn now_and_the_stamp_advance<S: System>() {
    let scene = Scene::<S>::new();
    for _ in 0..10 {
        let (now, stamp) = (scene.platform.now(), scene.platform.stamp());
        let later = now.saturating_add(Duration::from_millis(1));
        wait_until(|| scene.platform.now() >= later);
        wait_until(|| scene.platform.stamp() != stamp);
    }
}

pub(crate) fn a_wait_policy_has_its_bounds_in_order<S: System>() {
    let scene = Scene::<S>::new();
    let WaitPolicy { min_spins, max_spins, .. } = scene.platform.wait_policy();
    assert!(min_spins <= max_spins, "{min_spins} to {max_spins}");
}
