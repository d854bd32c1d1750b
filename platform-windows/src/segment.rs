//! Shared memory: named mappings backed by the page file, every page reserved there when they are created.
#![expect(unsafe_code, reason = "promises what a mapping is")]

use std::io;
use std::os::windows::io::OwnedHandle;
use std::ptr::NonNull;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use strait_core::name::Name;
use strait_core::platform::{Access, FaultKind, Segment};

use crate::companion::{self, Companion};
use crate::error::{Error, kind};
use crate::namespace::Namespace;
use crate::sys::{self, Made, Mode, View};

/// An opener holds a handle, and so the name, for a moment: so many tries, a millisecond apart, tell it from an owner.
const TRIES: u32 = 20;

/// A mapped segment. Clones share the mapping; the last one unmaps it.
#[derive(Clone, Debug)]
pub struct WindowsSegment(Arc<Mapping>);

#[derive(Debug)]
struct Mapping {
    view: View,
    /// What was asked for at creation; whole pages otherwise.
    len: usize,
    name: Name,
    namespace: Namespace,
    companion: Option<Companion>,
    mode: Mode,
    /// The writer's lock on a segment without a companion: an event of its own.
    lock: Mutex<Option<OwnedHandle>>,
    /// Whether this process made it.
    is_creator: bool,
    /// The creator's handles, of the segment and its companion: they hold the names until it is removed or dropped. An
    /// opener keeps none.
    names: Mutex<Option<[OwnedHandle; 2]>>,
}

/// The segments that this process has made, by name: those that [`remove`] can take the name from while somebody still
/// reads a frame of them.
static CREATED: Mutex<Vec<(Name, Weak<Mapping>)>> = Mutex::new(Vec::new());

fn created() -> MutexGuard<'static, Vec<(Name, Weak<Mapping>)>> {
    CREATED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Gives up the name of what this process has made under it. What another process has made goes with that.
pub(crate) fn remove(name: &Name) {
    created().retain(|(made, mapping)| {
        let mapping = mapping.upgrade();
        if let Some(mapping) = mapping.as_ref().filter(|_| made == name) {
            drop(mapping.names().take());
        }
        mapping.is_some() && made != name
    });
}

impl Mapping {
    fn lock(&self) -> MutexGuard<'_, Option<OwnedHandle>> {
        self.lock.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_path(&self) -> String {
        self.namespace.path("~lock-", &self.name)
    }

    /// Takes the lock of a segment that another implementation made. It belongs to the name: as long as a writer to an
    /// earlier segment of that name holds it, no other gets it.
    fn lock_without_companion(&self) -> bool {
        let mut lock = self.lock();
        for attempt in 0..=TRIES {
            match sys::create_event(&self.lock_path(), self.namespace.access()) {
                Ok(Made::New(event)) if lock.is_none() => {
                    *lock = Some(event);
                    return true;
                }
                // A prober has it open for a moment.
                Ok(Made::Existing(_)) if attempt < TRIES => std::thread::sleep(Duration::from_millis(1)),
                _ => return false,
            }
        }
        false
    }

    fn names(&self) -> MutexGuard<'_, Option<[OwnedHandle; 2]>> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl WindowsSegment {
    /// The 32-bit word at `offset`; `None` if it is no aligned word of the mapping.
    pub(crate) fn word(&self, offset: usize) -> Option<u32> {
        if !offset.is_multiple_of(4) || offset.checked_add(4)? > self.0.view.len() / 8 * 8 {
            return None;
        }
        let both = self.0.view.word(offset / 8).load(Ordering::Acquire);
        u32::try_from(both >> (offset % 8 * 8) & u64::from(u32::MAX)).ok()
    }

    pub(crate) fn create(name: &Name, len: usize, access: Access) -> Result<Self, Error> {
        let namespace = Namespace::of(name, access)?;
        // First: who finds the segment finds its companion.
        let companion_path = companion::path(namespace, name);
        let companion_mapping = new(&companion_path, || companion::make(namespace, name))?;
        let companion = Companion::create(&companion_mapping)
            .map_err(|error| Error::system("MapViewOfFile", &companion_path, error))?;
        let path = namespace.path("", name);
        let mapping = new(&path, || sys::create_mapping(&path, len, namespace.access()))?;
        let view = View::new(&mapping, Mode::ReadWrite)
            .map_err(|error| Error::system("MapViewOfFile", &path, error))?;
        if view.len() < len {
            let why = format!("{} bytes were mapped instead of {len}", view.len());
            return Err(Error::unsuitable("MapViewOfFile", path, why));
        }
        let mapping = Arc::new(Mapping {
            view,
            len,
            name: name.clone(),
            namespace,
            companion: Some(companion),
            mode: Mode::ReadWrite,
            lock: Mutex::new(None),
            is_creator: true,
            names: Mutex::new(Some([mapping, companion_mapping])),
        });
        let mut created = created();
        created.retain(|(_, mapping)| mapping.strong_count() > 0);
        created.push((name.clone(), Arc::downgrade(&mapping)));
        drop(created);
        Ok(Self(mapping))
    }

    pub(crate) fn open(name: &Name, mode: Mode) -> Result<Self, Error> {
        let (namespace, mapping) = find(name, |path| sys::open_mapping(path, mode), "OpenFileMappingW")?;
        let view = View::new(&mapping, mode).map_err(|error| {
            let path = namespace.path("", name);
            match error.raw_os_error() {
                Some(_) => Error::system("MapViewOfFile", path, error),
                None => Error::unsuitable("VirtualQuery", path, error.to_string()),
            }
        })?;
        // The handle is closed on return: the name is the creator's to hold.
        let companion = Companion::open(namespace, name);
        let (len, name) = (view.len(), name.clone());
        Ok(Self(Arc::new(Mapping {
            view,
            len,
            name,
            namespace,
            companion,
            mode,
            lock: Mutex::new(None),
            is_creator: false,
            names: Mutex::new(None),
        })))
    }

    /// Gives up the name, if this is the handle that made it.
    pub(crate) fn give_up(&self) {
        drop(self.0.names().take());
    }

    /// Whether others may write it: all that Strait makes in the session's namespace is the user's own. What another
    /// implementation has made is taken to be open.
    pub(crate) fn is_shared_widely(&self) -> bool {
        self.0.companion.is_none() || self.0.namespace == Namespace::Global
    }
}

/// A new mapping, once the last opener of one that is going has closed its handle.
fn new(path: &str, mut make: impl FnMut() -> io::Result<Made>) -> Result<OwnedHandle, Error> {
    let failed = |error| Error::system("CreateFileMappingW", path, error);
    for attempt in 0.. {
        match make().map_err(failed)? {
            Made::New(mapping) => return Ok(mapping),
            Made::Existing(_) if attempt < TRIES => std::thread::sleep(Duration::from_millis(1)),
            Made::Existing(_) => break,
        }
    }
    let exists = windows_sys::Win32::Foundation::ERROR_ALREADY_EXISTS;
    Err(failed(io::Error::from_raw_os_error(exists.cast_signed())))
}

/// What `open` finds in the session's namespace, or else in the machine's.
///
/// # Errors
/// The first that is not about a missing name; else the session's.
pub(crate) fn find<T>(
    name: &Name,
    mut open: impl FnMut(&str) -> io::Result<T>,
    call: &'static str,
) -> Result<(Namespace, T), Error> {
    let mut missing = None;
    for namespace in Namespace::ALL {
        let path = namespace.path("", name);
        match open(&path) {
            Ok(found) => return Ok((namespace, found)),
            Err(error) if kind(&error) == FaultKind::NotFound => {
                missing.get_or_insert_with(|| Error::system(call, path, error));
            }
            Err(error) => return Err(Error::system(call, path, error)),
        }
    }
    let nowhere = || Error::unsuitable(call, name.as_str(), "there is no namespace to look in");
    Err(missing.unwrap_or_else(nowhere))
}

// SAFETY: a view starts at a page boundary and is valid for at least `len` bytes until the last clone is dropped; they
// are committed and cannot be given back while it is mapped. No references into it are made here. A read-only view is
// only given to `inspect`, which loads and copies out.
unsafe impl Segment for WindowsSegment {
    #[inline]
    fn base(&self) -> NonNull<u8> {
        self.0.view.base()
    }

    #[inline]
    fn len(&self) -> usize {
        self.0.len
    }

    fn is_linked(&self) -> bool {
        let mapping = &*self.0;
        if mapping.is_creator {
            return mapping.names().is_some();
        }
        match &mapping.companion {
            Some(companion) => companion.is_current(mapping.namespace, &mapping.name),
            None => sys::open_mapping(&mapping.namespace.path("", &mapping.name), Mode::ReadOnly).is_ok(),
        }
    }

    fn lock(&self) -> bool {
        let mapping = &*self.0;
        match &mapping.companion {
            _ if mapping.mode == Mode::ReadOnly => false,
            Some(companion) => companion.lock(),
            None => mapping.lock_without_companion(),
        }
    }

    fn is_locked(&self) -> bool {
        let mapping = &*self.0;
        match &mapping.companion {
            Some(companion) => companion.is_locked(),
            None => mapping.lock().is_none() && sys::has_event(&mapping.lock_path()),
        }
    }
}
