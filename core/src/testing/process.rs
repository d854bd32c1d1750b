//! Processes of the fake system: who runs, and what becomes of whom.

use std::sync::{Arc, Mutex};

use super::{FakePlatform, World, lock};
use crate::platform::{Fate, Identity, Liveness, Pid, Watch};

/// A process of the fake system.
#[derive(Debug)]
pub struct FakeWatch {
    world: Arc<Mutex<World>>,
    pid: Pid,
    seen: bool,
}

impl Watch for FakeWatch {
    fn pid(&self) -> Pid {
        self.pid
    }
    fn is_alive(&self) -> bool {
        self.seen && !lock(&self.world).dead.contains(&self.pid)
    }
    fn was_seen(&self) -> bool {
        self.seen
    }
}

impl Liveness for FakePlatform {
    type Watch = FakeWatch;
    fn this(&self) -> Pid {
        self.this
    }
    fn watch(&self, pid: Pid) -> FakeWatch {
        // Processes of the fake system have small numbers.
        let seen = pid.0 != 0 && pid.0 < 1000 && !lock(&self.world).dead.contains(&pid);
        FakeWatch { world: Arc::clone(&self.world), pid, seen }
    }
    fn identity(&self) -> Identity {
        Identity { pid: self.this, born: 1, realm: self.realm }
    }
    fn fate(&self, identity: Identity) -> Fate {
        match identity {
            Identity { realm, .. } if realm != self.realm => Fate::Unknown,
            Identity { born: 1, pid, .. } if self.watch(pid).is_alive() => Fate::Runs,
            _ => Fate::Gone,
        }
    }
}
