//! The mapping `~NAME` beside a segment: which segment this is, who made it, and which writer has locked it.
//!
//! ```text
//! word 0   identity   differs between any two segments of one name
//! word 1   creator    ticket of the process that made the segment
//! word 2   holder     ticket of the process that holds the writer's lock; 0 = nobody
//! ```
//!
//! It is made before the segment and lives as long, because its creator's handle holds the name of both. A segment of
//! another implementation has none.

use core::sync::atomic::{AtomicBool, Ordering};
use std::io;
use std::os::windows::io::OwnedHandle;

use strait_core::name::Name;

use crate::namespace::Namespace;
use crate::process::Ticket;
use crate::sys::{self, Made, Mode, View};

const IDENTITY: usize = 0;
const CREATOR: usize = 1;
const HOLDER: usize = 2;
/// Bytes; the system rounds up to a page.
const LEN: usize = 64;

pub(crate) fn path(namespace: Namespace, name: &Name) -> String {
    namespace.path("~", name)
}

/// What stands beside a segment.
#[derive(Debug)]
pub(crate) struct Companion {
    view: View,
    identity: u64,
    /// Whether the lock was taken through this handle.
    locked: AtomicBool,
}

impl Companion {
    /// Fills a new mapping. The handle, which holds the name, is the caller's to keep.
    pub(crate) fn create(mapping: &OwnedHandle) -> io::Result<Self> {
        let view = View::new(mapping, Mode::ReadWrite)?;
        let this = Ticket::this();
        // The counter differs between two segments of one process; the ticket between two processes.
        let identity = sys::counter().rotate_left(32) ^ this.0;
        view.word(IDENTITY).store(identity, Ordering::Relaxed);
        // Release: whoever finds a creator finds the identity.
        view.word(CREATOR).store(this.0, Ordering::Release);
        Ok(Self { view, identity, locked: AtomicBool::new(false) })
    }

    /// The companion of that name now; none beside a segment of another implementation.
    pub(crate) fn open(namespace: Namespace, name: &Name) -> Option<Self> {
        let mapping = sys::open_mapping(&path(namespace, name), Mode::ReadWrite).ok()?;
        let view = View::new(&mapping, Mode::ReadWrite).ok()?;
        // Acquire: pairs with the store in `create`. 0: it is being made, and so is its segment.
        if view.word(CREATOR).load(Ordering::Acquire) == 0 {
            return None;
        }
        let identity = view.word(IDENTITY).load(Ordering::Relaxed);
        Some(Self { view, identity, locked: AtomicBool::new(false) })
    }

    pub(crate) const fn len() -> usize {
        LEN
    }

    /// Whether the companion of that name is still this one.
    pub(crate) fn is_current(&self, namespace: Namespace, name: &Name) -> bool {
        Self::open(namespace, name).is_some_and(|now| now.identity == self.identity)
    }

    /// Takes the writer's lock, unless somebody who runs holds it.
    pub(crate) fn lock(&self) -> bool {
        let (word, this) = (self.view.word(HOLDER), Ticket::this());
        let mut found = 0;
        // Bounded: each turn meets another process that came and died.
        for _ in 0..16 {
            // Acquire: pairs with the Release in `drop`: the last holder has finished.
            match word.compare_exchange(found, this.0, Ordering::Acquire, Ordering::Relaxed) {
                Ok(_) => {
                    // Relaxed: tells this handle's `drop`, which has it exclusively.
                    self.locked.store(true, Ordering::Relaxed);
                    return true;
                }
                Err(holder) => found = holder,
            }
            if found != 0 && Ticket(found).is_alive() {
                return false;
            }
        }
        false
    }

    /// Whether another handle holds the writer's lock.
    pub(crate) fn is_locked(&self) -> bool {
        // Relaxed, both: a look, nothing is read by it.
        let holder = self.view.word(HOLDER).load(Ordering::Relaxed);
        holder != 0 && !self.locked.load(Ordering::Relaxed) && Ticket(holder).is_alive()
    }
}

impl Drop for Companion {
    fn drop(&mut self) {
        if *self.locked.get_mut() {
            // Release: everything done under the lock comes before. Fails only if a process that took us for dead has it.
            let this = Ticket::this().0;
            let _ = self.view.word(HOLDER).compare_exchange(this, 0, Ordering::Release, Ordering::Relaxed);
        }
    }
}

/// Creates the mapping for a companion, or says that one is there.
pub(crate) fn make(namespace: Namespace, name: &Name) -> io::Result<Made> {
    sys::create_mapping(&path(namespace, name), Companion::len(), namespace.access())
}
