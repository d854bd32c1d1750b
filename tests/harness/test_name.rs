//! A buffer name that no other test has, which proves when it is dropped that nothing of that name is left.

use core::fmt;
use core::ops::Deref;
use core::sync::atomic::{AtomicU32, Ordering};

use crate::objects;

/// A buffer name of one test's own. Declare it first, so that it is dropped last.
///
/// Dropping it panics if anything of that name is left in `/dev/shm` or a lock folder. In a test that fails anyway it
/// removes what is there instead.
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
        name.remove_all();
        name
    }

    fn remove_all(&self) {
        for path in objects::left(&self.0) {
            if path.is_dir() {
                let _ = std::fs::remove_dir_all(&path);
            } else {
                let _ = std::fs::remove_file(&path);
            }
        }
    }

    /// Panics if anything of this name exists.
    #[track_caller]
    pub fn assert_nothing_left(&self) {
        let left = objects::left(&self.0);
        assert!(left.is_empty(), "left behind: {left:?}");
    }
}

impl Drop for TestName {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.remove_all();
        } else {
            let left = objects::left(&self.0);
            self.remove_all();
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
