//! The suite on the fake system: each test has one of its own.

use core::sync::atomic::{AtomicU64, Ordering};

use strait_core::name::Name;
use strait_core::platform::{Access, Pid};
use strait_core::testing::FakePlatform;
use strait_core::time::Deadline;
use strait_core::zerobuffer::{Config, ReaderEndpoint, WriterEndpoint};
use strait_tests::pattern;

use crate::system::{Process, System};

/// A fake system.
pub(crate) struct Fake {
    platform: FakePlatform,
    /// Number of the process started last; 1 and 2 are the views of this one.
    last: AtomicU64,
}

impl System for Fake {
    type Platform = FakePlatform;
    type Process = Virtual;

    fn start() -> Self {
        Self { platform: FakePlatform::new(), last: AtomicU64::new(2) }
    }

    fn platform(&self) -> FakePlatform {
        self.platform.clone()
    }

    fn second(&self) -> FakePlatform {
        self.platform.process(2)
    }

    fn spawn(&self) -> Virtual {
        // Relaxed: only the value counts.
        let pid = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        Virtual { platform: self.platform.process(pid), pid, reader: None, writer: None }
    }

    fn listed(&self, name: &Name) -> Vec<String> {
        let mut names = self.platform.leftovers();
        names.retain(|left| left.contains(name.as_str()));
        names
    }
}

/// A process of the fake system: what it holds is given up in order never, once it was killed.
pub(crate) struct Virtual {
    platform: FakePlatform,
    pid: u64,
    reader: Option<ReaderEndpoint<FakePlatform>>,
    writer: Option<WriterEndpoint<FakePlatform>>,
}

impl Process for Virtual {
    fn pid(&self) -> Pid {
        Pid(self.pid)
    }

    fn create(&mut self, name: &Name, payload: u64) {
        let config = Config { metadata_capacity: 64, payload_capacity: payload };
        let reader = ReaderEndpoint::create(self.platform.clone(), name, config, Access::default());
        self.reader = Some(reader.expect("the name is free"));
    }

    fn connect(&mut self, name: &Name) {
        self.writer = Some(WriterEndpoint::attach(self.platform.clone(), name).expect("a reader is there"));
    }

    fn send(&mut self, len: usize, count: u64) {
        let writer = self.writer.as_mut().expect("connected");
        for _ in 0..count {
            let sequence = writer.next_sequence();
            let mut reserved = writer.reserve(len, Deadline::Never).expect("there is room");
            pattern::fill(writer.bytes_mut(&mut reserved), sequence);
            assert_eq!(writer.commit(reserved).expect("commits"), sequence);
        }
    }

    fn kill(&mut self) {
        self.platform.kill(self.pid);
        // A killed process runs no destructor.
        core::mem::forget((self.reader.take(), self.writer.take()));
    }

    fn reap(&mut self) {}
}

impl Drop for Virtual {
    fn drop(&mut self) {
        self.kill();
    }
}

conformance! { crate::fake::Fake }
