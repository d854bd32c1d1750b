//! Processes of the fake system: who runs, and what becomes of whom.

use core::cell::Cell;
use std::sync::{Arc, Mutex};

use super::{FakePlatform, World, lock};
use crate::platform::{Fate, Identity, Liveness, Pid, Watch};

std::thread_local! {
    /// The process that this thread is, whatever its platform says.
    static FORKED: Cell<Option<Pid>> = const { Cell::new(None) };
}

impl FakePlatform {
    /// Runs `act` as the process `pid`, which was forked from whoever opened what it uses: everything that a process has
    /// open is there, and it is another process.
    pub fn forked<T>(pid: u64, act: impl FnOnce() -> T) -> T {
        struct Back(Option<Pid>);
        impl Drop for Back {
            fn drop(&mut self) {
                FORKED.set(self.0);
            }
        }
        let _back = Back(FORKED.replace(Some(Pid(pid))));
        act()
    }
}

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
        FORKED.get().unwrap_or(self.this)
    }
    fn watch(&self, pid: Pid) -> FakeWatch {
        // Processes of the fake system have small numbers.
        let seen = pid.0 != 0 && pid.0 < 1000 && !lock(&self.world).dead.contains(&pid);
        FakeWatch { world: Arc::clone(&self.world), pid, seen }
    }
    fn identity(&self) -> Identity {
        Identity { pid: self.this(), born: 1, realm: self.realm }
    }
    fn fate(&self, identity: Identity) -> Fate {
        match identity {
            Identity { realm, .. } if realm != self.realm => Fate::Unknown,
            Identity { born: 1, pid, .. } if self.watch(pid).is_alive() => Fate::Runs,
            _ => Fate::Gone,
        }
    }
}
