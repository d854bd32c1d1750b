//! Options of a reader, and how it creates its buffer.

use std::sync::Arc;
use std::time::Duration;

use strait_core::name::Name;
use strait_core::platform::{Access, WaitPolicy};
use strait_core::zerobuffer::{Config, ReaderEndpoint};

use super::DEFAULT_TIMEOUT;
use super::error::CreateError;
use super::reader::Reader;
use crate::os::Os;

/// Options of a [`Reader`].
#[derive(Clone, Debug)]
#[must_use]
pub struct ReaderBuilder {
    name: Arc<str>,
    config: Config,
    access: Access,
    timeout: Duration,
    copy_frames: bool,
    wait_policy: Option<WaitPolicy>,
}

impl ReaderBuilder {
    pub(super) fn new(name: &str) -> Self {
        Self {
            name: name.into(),
            config: Config::default(),
            access: Access::default(),
            timeout: DEFAULT_TIMEOUT,
            copy_frames: false,
            wait_policy: None,
        }
    }

    /// Bytes for metadata, 8 of them for the length; 4096 by default, 0 for none. Rounded up to a multiple of 64.
    pub fn metadata_capacity(mut self, bytes: u64) -> Self {
        self.config.metadata_capacity = bytes;
        self
    }

    /// Bytes of the ring; a frame costs 16 more than its data. 256 MiB by default, reserved at once. Rounded up to a
    /// multiple of 64.
    pub fn payload_capacity(mut self, bytes: u64) -> Self {
        self.config.payload_capacity = bytes;
        self
    }

    /// Permission bits of everything created, whatever the umask; 0600 by default. With bits that let others write,
    /// frames are copied before they are handed out, and those others are trusted with one thing: not to cut the segment
    /// short while it is in use, which ends this process with SIGBUS. Strait looks at its size before each frame then, at most
    /// 2 µs old; no look can prevent it.
    ///
    /// Windows has two of them: 0600, in this session's namespace, and 0666, in the machine's, which takes the right to
    /// create global objects. [`create`](Self::create) refuses others there.
    pub fn mode(mut self, mode: u32) -> Self {
        self.access.mode = mode & 0o777;
        self
    }

    /// Numeric group that shall own everything created; set [`mode`](Self::mode) to let it in. Not on Windows, where
    /// [`create`](Self::create) refuses it.
    pub fn group(mut self, group: u32) -> Self {
        self.access.group = Some(group);
        self
    }

    /// How long [`Reader::recv`] waits; 5 s by default, [`Duration::MAX`] for ever.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Hands out private copies, taken once, instead of slices of shared memory: for writers that are not trusted to
    /// leave a frame alone while it is read.
    pub fn copy_frames(mut self, copy: bool) -> Self {
        self.copy_frames = copy;
        self
    }

    /// How long waits spin before they sleep; by default what suits this machine.
    pub fn wait_policy(mut self, policy: WaitPolicy) -> Self {
        self.wait_policy = Some(policy);
        self
    }

    /// Creates the buffer, replacing what a dead reader of the same name left.
    ///
    /// # Errors
    /// [`CreateError`]: bad name or capacity, a running reader, full memory, no rights. Nothing is left behind.
    pub fn create(self) -> Result<Reader, CreateError> {
        self.create_with(None)
    }

    /// [`create`](Self::create) with the words by which two Strait ends share frames; whether this end `lends` them.
    pub(super) fn create_sharing(self, lends: bool) -> Result<Reader, CreateError> {
        self.create_with(Some(lends))
    }

    fn create_with(self, shares: Option<bool>) -> Result<Reader, CreateError> {
        let name = Name::new(&self.name)
            .map_err(|source| CreateError::BadName { name: Arc::clone(&self.name), source })?;
        let endpoint = match shares {
            None => ReaderEndpoint::create(Os, &name, self.config, self.access),
            Some(lends) => ReaderEndpoint::create_sharing(Os, &name, self.config, self.access, lends),
        };
        let mut endpoint = endpoint.map_err(|error| CreateError::new(&self.name, error))?;
        if let Some(policy) = self.wait_policy {
            endpoint.set_wait_policy(policy);
        }
        let geometry = endpoint.geometry();
        tracing::debug!(buffer = &*self.name, payload = geometry.payload_size, "reader created buffer");
        if let Some(problem) = endpoint.lock_skipped() {
            tracing::warn!(buffer = &*self.name, %problem, "no lock where C# implementations look for it");
        }
        let copy_frames = self.copy_frames || endpoint.is_shared_widely();
        Ok(Reader::of(endpoint, self.name, self.timeout, copy_frames))
    }
}
