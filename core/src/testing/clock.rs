//! The time of the fake system: real time since the first look.

use core::time::Duration;

use super::FakePlatform;
use crate::platform::{Clock, WaitPolicy};
use crate::time::Instant;

impl Clock for FakePlatform {
    fn now(&self) -> Instant {
        real_now()
    }
    fn yield_now(&self) {
        std::thread::yield_now();
    }
    fn wait_policy(&self) -> WaitPolicy {
        WaitPolicy { min_spins: 1, max_spins: 50, yields: 1 }
    }
}

pub(super) fn real_now() -> Instant {
    use std::sync::OnceLock;
    use std::time::Instant as StdInstant;
    static EPOCH: OnceLock<StdInstant> = OnceLock::new();
    let since: Duration = EPOCH.get_or_init(StdInstant::now).elapsed();
    Instant::from_nanos(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
}
