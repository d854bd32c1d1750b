//! Locks of names in the fake system.

use std::string::String;
use std::sync::{Arc, Mutex};

use super::{World, lock};
use crate::name::Name;
use crate::platform::Pid;

/// A lock of the fake system.
#[derive(Debug)]
pub struct FakeLock {
    pub(super) world: Arc<Mutex<World>>,
    pub(super) name: String,
    pub(super) holder: Pid,
}

impl Drop for FakeLock {
    fn drop(&mut self) {
        let mut world = lock(&self.world);
        if world.locks.get(&self.name) == Some(&Some(self.holder)) {
            world.locks.remove(&self.name);
        }
    }
}

pub(super) fn lock_name(name: &Name) -> String {
    std::format!("{name}.lock")
}
