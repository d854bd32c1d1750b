//! How does a test name a link that no other test has, and that goes with it?

use core::sync::atomic::{AtomicU32, Ordering};

use strait::hqq::Link;

use crate::support::{LONG, Running, start};

/// A link's name. Declared before the processes that use it, it goes after them, and the link with it.
pub(crate) struct LinkName(String);

impl LinkName {
    pub(crate) fn new(what: &str) -> Self {
        static COUNTER: AtomicU32 = AtomicU32::new(0);
        // Relaxed: a number, nothing ordered by it.
        let count = COUNTER.fetch_add(1, Ordering::Relaxed);
        Self(format!("cli-link-{what}-{}-{count}", std::process::id()))
    }

    /// Starts a process of the link that waits for it, and for messages, as long as any machine takes.
    pub(crate) fn start(&self, verb: &str, args: &[&str]) -> Running {
        let waits: Vec<&str> = ["--wait-ms", "--timeout-ms"]
            .into_iter()
            .filter(|option| !args.contains(option))
            .flat_map(|option| [option, LONG])
            .collect();
        start(&[&["link", verb, self], &waits[..], args].concat())
    }

    /// Starts a receiver that makes the link, of `slots` slots of `slot_len` bytes.
    pub(crate) fn receiver(&self, slots: &str, slot_len: &str, args: &[&str]) -> Running {
        let shape = ["--create", "--slots", slots, "--slot-len", slot_len];
        self.start("recv", &[&shape[..], args].concat())
    }
}

impl core::ops::Deref for LinkName {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl Drop for LinkName {
    fn drop(&mut self) {
        let _ = Link::remove(&self.0);
    }
}
