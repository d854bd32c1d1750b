//! Named semaphores of the system: counted there, so that looking at the count means taking a permit and putting it back.

use std::os::windows::io::OwnedHandle;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use strait_core::name::Name;
use strait_core::platform::{Access, Signal};
use strait_core::time::Instant;
use windows_sys::Win32::Foundation::ERROR_TOO_MANY_POSTS;

use crate::error::{Error, code};
use crate::namespace::Namespace;
use crate::process::now;
use crate::segment::find;
use crate::sys::{self, Made};

/// Most permits taken at once. Each is a system call; a peer that posts without end must not keep us here.
const MOST_TAKEN: u32 = 1024;

/// A prober has the event open for a moment: so many tries, a millisecond apart, tell it from an owner.
const TRIES: u32 = 20;

/// A named semaphore. Clones share it.
#[derive(Clone, Debug)]
pub struct WindowsSemaphore(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    handle: OwnedHandle,
    path: String,
    /// Where its lock, an event, is; and that event, once it is ours.
    lock_path: String,
    namespace: Namespace,
    lock: Mutex<Option<OwnedHandle>>,
}

impl WindowsSemaphore {
    /// With `locked`, its lock is taken before the semaphore is there.
    pub(crate) fn create(name: &Name, access: Access, locked: bool) -> Result<Self, Error> {
        let namespace = Namespace::of(name, access)?;
        let path = namespace.path("", name);
        let mut lock = None;
        if locked {
            let lock_path = namespace.path("~", name);
            let event =
                take_lock(&lock_path, namespace).ok_or_else(|| Error::busy("CreateEventW", &lock_path))?;
            lock = Some(event);
        }
        let made = sys::create_semaphore(&path, namespace.access())
            .map_err(|error| Error::system("CreateSemaphoreW", &path, error))?;
        Ok(match made {
            Made::New(handle) => Self::new(namespace, name, handle, lock),
            Made::Existing(handle) => {
                let semaphore = Self::new(namespace, name, handle, lock);
                // Of a writer that still holds the last buffer's: its permits are about that one.
                semaphore.empty()?;
                semaphore
            }
        })
    }

    pub(crate) fn open(name: &Name) -> Result<Self, Error> {
        let (namespace, handle) = find(name, sys::open_semaphore, "OpenSemaphoreW")?;
        Ok(Self::new(namespace, name, handle, None))
    }

    fn new(namespace: Namespace, name: &Name, handle: OwnedHandle, lock: Option<OwnedHandle>) -> Self {
        let (path, lock_path) = (namespace.path("", name), namespace.path("~", name));
        Self(Arc::new(Inner { handle, path, lock_path, namespace, lock: Mutex::new(lock) }))
    }

    /// Takes all permits. A million of them, at a microsecond each, is more than any stream leaves.
    fn empty(&self) -> Result<(), Error> {
        const MOST: u32 = 1 << 20;
        for _ in 0..MOST / MOST_TAKEN {
            if self.take(MOST_TAKEN) < MOST_TAKEN {
                return Ok(());
            }
        }
        let why = format!("another program has left more than {MOST} permits in it");
        Err(Error::unsuitable("WaitForSingleObject", &self.0.path, why))
    }

    fn held(&self) -> MutexGuard<'_, Option<OwnedHandle>> {
        self.0.lock.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives the lock back, also where clones of this handle stay: with the name goes what it said of its holder.
    pub(crate) fn give_up(&self) {
        drop(self.held().take());
    }

    /// Takes a permit if one is there. A system that refuses to tell has none to give.
    fn take_one(&self) -> bool {
        sys::wait(&self.0.handle, 0).unwrap_or(false)
    }
}

/// The event that is a semaphore's lock, unless somebody else has it.
fn take_lock(path: &str, namespace: Namespace) -> Option<OwnedHandle> {
    for attempt in 0..=TRIES {
        match sys::create_event(path, namespace.access()) {
            Ok(Made::New(event)) => return Some(event),
            Ok(Made::Existing(_)) if attempt < TRIES => std::thread::sleep(Duration::from_millis(1)),
            _ => return None,
        }
    }
    None
}

impl Signal for WindowsSemaphore {
    type Error = Error;

    fn post(&self) -> Result<(), Error> {
        match sys::release(&self.0.handle) {
            Ok(_) => Ok(()),
            Err(error) if code(&error) == ERROR_TOO_MANY_POSTS => Err(Error::overflow(&self.0.path)),
            Err(error) => Err(Error::system("ReleaseSemaphore", &self.0.path, error)),
        }
    }

    fn permits(&self) -> u32 {
        if !self.take_one() {
            return 0;
        }
        // A kill between the two loses a permit, which recovery makes good. Full meanwhile: then there are enough.
        sys::release(&self.0.handle).map_or(1, |before| before.saturating_add(1))
    }

    fn take(&self, count: u32) -> u32 {
        let most = count.min(MOST_TAKEN);
        let mut taken = 0;
        while taken < most && self.take_one() {
            taken += 1;
        }
        taken
    }

    fn wait(&self, until: Instant) -> Result<bool, Error> {
        self.wait_unless(until, &|| false)
    }

    fn wait_unless(&self, until: Instant, is_over: &dyn Fn() -> bool) -> Result<bool, Error> {
        /// Not the largest number, which means "for ever".
        const LONGEST: u32 = u32::MAX - 1;
        let failed = |call| move |error| Error::system(call, &self.0.path, error);
        loop {
            if is_over() {
                return Ok(false);
            }
            let left = until.saturating_since(now());
            // Up, not down: the wait must not end before its time.
            let milliseconds = left.saturating_add(Duration::from_nanos(999_999)).as_millis();
            let milliseconds = u32::try_from(milliseconds).unwrap_or(LONGEST).min(LONGEST);
            if sys::wait(&self.0.handle, milliseconds).map_err(failed("WaitForSingleObject"))? {
                return match sys::release(&self.0.handle) {
                    Err(error) if code(&error) != ERROR_TOO_MANY_POSTS => {
                        Err(failed("ReleaseSemaphore")(error))
                    }
                    _ => Ok(true),
                };
            }
            if now() >= until {
                return Ok(false);
            }
        }
    }

    fn nudge(&self) {
        // Nothing else ends a wait here. A permit too many costs a look; where there is no room for one, nobody waits.
        let _ = sys::release(&self.0.handle);
    }

    fn lock(&self) -> bool {
        let mut lock = self.held();
        if lock.is_some() {
            return false;
        }
        *lock = take_lock(&self.0.lock_path, self.0.namespace);
        lock.is_some()
    }

    fn is_locked(&self) -> bool {
        self.held().is_none() && sys::has_event(&self.0.lock_path)
    }
}
