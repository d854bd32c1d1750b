//! Locks of the fake system: one per folder and name, each held by one process.

use std::format;
use std::string::String;
use std::sync::{Arc, Mutex};

use super::{FakeError, FakePlatform, World, lock};
use crate::name::Name;
use crate::platform::{FaultKind, Identity, LockState, NameLock, Pid};

/// A lock of the fake system.
#[derive(Debug)]
pub struct FakeLock {
    world: Arc<Mutex<World>>,
    key: (u32, String),
    holder: Identity,
    was_left: bool,
}

fn key(platform: &FakePlatform, name: &Name) -> (u32, String) {
    (platform.folder, format!("{name}.lock"))
}

impl FakeLock {
    pub(super) fn take(platform: &FakePlatform, name: &Name) -> Result<Self, FakeError> {
        let (key, holder) = (key(platform, name), platform.this);
        let mut world = lock(&platform.world);
        if matches!(world.locks.get(&key), Some(Some(_))) {
            return Err(FakeError { call: "lock", kind: FaultKind::Busy });
        }
        let was_left = world.locks.insert(key.clone(), Some(holder)).is_some();
        Ok(Self { world: Arc::clone(&platform.world), key, holder, was_left })
    }
}

impl NameLock for FakeLock {
    fn was_left(&self) -> bool {
        self.was_left
    }
}

impl Drop for FakeLock {
    fn drop(&mut self) {
        let mut world = lock(&self.world);
        if world.locks.get(&self.key) == Some(&Some(self.holder)) {
            world.locks.remove(&self.key);
        }
    }
}

pub(super) fn probe(platform: &FakePlatform, name: &Name) -> LockState {
    match lock(&platform.world).locks.get(&key(platform, name)) {
        None => LockState::Absent,
        Some(None) => LockState::Free,
        Some(Some(_)) => LockState::Held,
    }
}

/// The holder's number, as far as this process can see processes.
pub(super) fn holder(platform: &FakePlatform, name: &Name) -> Pid {
    let world = lock(&platform.world);
    let holder = world.locks.get(&key(platform, name)).copied().flatten();
    holder.filter(|holder| holder.realm == platform.this.realm).map_or(Pid(0), |holder| holder.pid)
}
