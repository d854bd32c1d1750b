//! Processes of the fake system: who runs in which namespace, and what becomes of whom.

use std::sync::{Arc, Mutex};
use std::thread::{self, ThreadId};
use std::vec::Vec;

use super::{FakePlatform, World, lock};
use crate::name::Name;
use crate::platform::{Fate, Identity, Liveness, Pid, Watch};

/// The threads that are a forked process, whatever their platform says.
static FORKED: Mutex<Vec<(ThreadId, Pid)>> = Mutex::new(Vec::new());

/// Makes this thread another process, or none; what it was.
fn become_forked(process: Option<Pid>) -> Option<Pid> {
    let this = thread::current().id();
    let mut forked = lock(&FORKED);
    let was = forked.iter().position(|(thread, _)| *thread == this).map(|at| forked.swap_remove(at).1);
    forked.extend(process.map(|process| (this, process)));
    was
}

impl FakePlatform {
    /// Runs `act` as the process `pid`, which was forked from whoever opened what it uses: everything that a process has
    /// open is there, and it is another process.
    pub fn forked<T>(pid: u64, act: impl FnOnce() -> T) -> T {
        struct Back(Option<Pid>);
        impl Drop for Back {
            fn drop(&mut self) {
                become_forked(self.0);
            }
        }
        let _back = Back(become_forked(Some(Pid(pid))));
        act()
    }
}

/// A process of the fake system.
#[derive(Debug)]
pub struct FakeWatch {
    world: Arc<Mutex<World>>,
    process: Identity,
    seen: bool,
}

impl Watch for FakeWatch {
    fn pid(&self) -> Pid {
        self.process.pid
    }
    fn is_alive(&self) -> bool {
        self.seen && !lock(&self.world).dead.contains(&self.process)
    }
    fn was_seen(&self) -> bool {
        self.seen
    }
}

impl Liveness for FakePlatform {
    type Watch = FakeWatch;
    fn this(&self) -> Pid {
        let this = thread::current().id();
        let forked = lock(&FORKED);
        forked.iter().find(|(thread, _)| *thread == this).map_or(self.this.pid, |(_, process)| *process)
    }
    fn watch(&self, pid: Pid) -> FakeWatch {
        let world = lock(&self.world);
        let process = world.process(self.this.realm, pid.0);
        // Processes of the fake system have small numbers.
        let seen = pid.0 != 0 && pid.0 < 1000 && !world.dead.contains(&process);
        FakeWatch { world: Arc::clone(&self.world), process, seen }
    }
    fn identity(&self) -> Identity {
        Identity { pid: self.this(), ..self.this }
    }
    fn fate(&self, identity: Identity) -> Fate {
        if identity.realm != self.this.realm || identity.realm == 0 {
            return Fate::Unknown;
        }
        let watch = self.watch(identity.pid);
        if watch.is_alive() && watch.process == identity { Fate::Runs } else { Fate::Gone }
    }
}

impl World {
    /// The process that has this number now, or had it last.
    fn process(&self, realm: u64, pid: u64) -> Identity {
        let born = self.births.get(&(realm, pid)).copied().unwrap_or(1);
        Identity { pid: Pid(pid), born, realm }
    }
}

impl FakePlatform {
    /// The same system seen by another process.
    pub fn process(&self, pid: u64) -> Self {
        self.process_in(self.this.realm, pid)
    }

    /// The same system seen by another process, in a namespace of numbers: 0 is one that no process can tell.
    pub fn process_in(&self, realm: u64, pid: u64) -> Self {
        let this = lock(&self.world).process(realm, pid);
        Self { world: Arc::clone(&self.world), this, folder: self.folder }
    }

    /// The same process with another folder for locks, as a container of its own `/tmp` has.
    #[must_use]
    pub fn with_folder(&self, folder: u32) -> Self {
        Self { folder, ..self.clone() }
    }

    /// Kills `pid` in this process's namespace: its locks, those of segments too, are free from now on, and it no longer
    /// runs. Whatever it mapped stays as it is; what a test still does with it is what a process does whose death was only
    /// believed.
    pub fn kill(&self, pid: u64) {
        let process = self.kill_parent(pid);
        let mut world = lock(&self.world);
        for holder in world.locks.values_mut() {
            if *holder == Some(process) {
                *holder = None;
            }
        }
        for segment in world.segments.values() {
            segment.unlock_of(process);
        }
        for signal in world.signals.values() {
            signal.unlock_of(process);
        }
    }

    /// Kills `pid`, of which a child lives on with every lock that it has inherited.
    pub fn kill_parent(&self, pid: u64) -> Identity {
        let mut world = lock(&self.world);
        let process = world.process(self.this.realm, pid);
        world.dead.push(process);
        process
    }

    /// Gives the number of a process that was killed to a new one; returns its view.
    pub fn reuse(&self, pid: u64) -> Self {
        let realm = self.this.realm;
        *lock(&self.world).births.entry((realm, pid)).or_insert(1) += 1;
        self.process(pid)
    }

    /// `execve` by `pid`: it runs on under its number, and has let go of every lock.
    pub fn exec(&self, pid: u64) {
        let process = lock(&self.world).process(self.this.realm, pid);
        self.kill(pid);
        lock(&self.world).dead.retain(|dead| *dead != process);
    }

    /// Removes the lock files of a name, as a sweep of their folder does.
    pub fn sweep_lock(&self, name: &Name) {
        let file = std::format!("{name}.lock");
        lock(&self.world).locks.retain(|(_, name), _| *name != file);
    }
}
