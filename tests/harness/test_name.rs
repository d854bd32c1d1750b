//! A buffer name that no other test has, which proves when it is dropped that nothing of that name is left.

use core::fmt;
use core::ops::Deref;
use core::sync::atomic::{AtomicU32, Ordering};

#[cfg(not(target_os = "linux"))]
use elsewhere::{left, remove};
#[cfg(target_os = "linux")]
use linux::{left, remove};

/// A buffer name of one test's own. Declare it first, so that it is dropped last.
///
/// Dropping it panics if anything of that name is left: on Linux in `/dev/shm` or a lock folder, on Windows a segment or
/// a lock file. In a test that fails anyway it removes what is there instead.
#[derive(Debug)]
pub struct TestName(String);

impl TestName {
    /// A name that says which test it belongs to: process, a count, and `test`.
    pub fn new(test: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        // Relaxed: only the value counts.
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = Self(format!("strait-test-{}-{count}-{test}", std::process::id()));
        // A process of an earlier run may have had this number and been killed.
        remove(&name.0);
        name
    }

    /// Panics if anything of this name exists.
    #[track_caller]
    pub fn assert_nothing_left(&self) {
        let left = left(&self.0);
        assert!(left.is_empty(), "left behind: {left:?}");
    }
}

impl Drop for TestName {
    fn drop(&mut self) {
        if std::thread::panicking() {
            remove(&self.0);
        } else {
            let left = left(&self.0);
            remove(&self.0);
            assert!(left.is_empty(), "left behind: {left:?}");
        }
    }
}

impl Deref for TestName {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TestName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(target_os = "linux")]
mod linux {
    pub(super) use crate::objects::left;

    pub(super) fn remove(name: &str) {
        for path in left(name) {
            if path.is_dir() {
                let _ = std::fs::remove_dir_all(&path);
            } else {
                let _ = std::fs::remove_file(&path);
            }
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod elsewhere {
    use std::path::PathBuf;

    use strait::zerobuffer::{ConnectError, inspect};

    fn lock(name: &str) -> PathBuf {
        std::env::temp_dir().join("zerobuffer").join("locks").join(format!("{name}.lock"))
    }

    /// The lock file, and the segment if it can still be opened. Semaphores cannot be asked for without taking part: they
    /// go with the last process that holds them.
    pub(super) fn left(name: &str) -> Vec<String> {
        let lock = lock(name);
        let lock = lock.exists().then(|| lock.display().to_string());
        let segment = match inspect(name, 0) {
            Err(ConnectError::BufferNotFound { .. }) => None,
            found => Some(format!("segment {name}: {found:?}")),
        };
        lock.into_iter().chain(segment).collect()
    }

    /// The rest goes with the processes that hold it.
    pub(super) fn remove(name: &str) {
        let _ = std::fs::remove_file(lock(name));
    }
}
