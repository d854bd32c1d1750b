//! What two processes share without Strait: words and blocks in anonymous memory, found through `/proc`.
#![expect(unsafe_code, reason = "the references that Strait is measured against are bare memory")]

use core::sync::atomic::{AtomicU32, AtomicU64};
use std::fs::{File, OpenOptions};
use std::os::fd::AsRawFd;

use memmap2::{MmapOptions, MmapRaw};
use rustix::fs::MemfdFlags;

use crate::Outcome;

/// Memory that two processes map. It has no name, so nothing of it can be left behind.
#[derive(Debug)]
pub struct Shared {
    file: File,
    mapping: MmapRaw,
}

impl Shared {
    /// `len` zeroed bytes.
    pub fn create(len: usize) -> Outcome<Self> {
        let file = File::from(rustix::fs::memfd_create("strait-bench", MemfdFlags::CLOEXEC)?);
        file.set_len(u64::try_from(len)?)?;
        Self::map(file, len)
    }

    /// The memory that another process calls [`path`](Self::path).
    pub fn open(path: &str, len: usize) -> Outcome<Self> {
        Self::map(OpenOptions::new().read(true).write(true).open(path)?, len)
    }

    fn map(file: File, len: usize) -> Outcome<Self> {
        let mapping = MmapOptions::new().len(len).map_raw(&file)?;
        Ok(Self { file, mapping })
    }

    /// Where another process opens it, as long as this one runs.
    pub fn path(&self) -> String {
        format!("/proc/{}/fd/{}", std::process::id(), self.file.as_raw_fd())
    }

    /// The word `offset` bytes from the start.
    ///
    /// # Panics
    /// If `offset` is no multiple of 8 or the word lies outside.
    pub fn word(&self, offset: usize) -> &AtomicU64 {
        assert!(offset.is_multiple_of(8) && offset + 8 <= self.mapping.len(), "no word at {offset}");
        let address = self.mapping.as_mut_ptr().wrapping_add(offset).cast::<u64>();
        // SAFETY: inside the mapping and aligned (checked above, mappings are page-aligned); it lives as long as
        // `self`; every process accesses the bytes below `blocks` only through this.
        unsafe { AtomicU64::from_ptr(address) }
    }

    /// The 32-bit word `offset` bytes from the start, where no [`word`](Self::word) is used.
    ///
    /// # Panics
    /// If `offset` is no multiple of 4 or the word lies outside.
    pub fn half_word(&self, offset: usize) -> &AtomicU32 {
        assert!(offset.is_multiple_of(4) && offset + 4 <= self.mapping.len(), "no half word at {offset}");
        let address = self.mapping.as_mut_ptr().wrapping_add(offset).cast::<u32>();
        // SAFETY: inside the mapping and aligned (checked above, mappings are page-aligned); it lives as long as
        // `self`; every process accesses these bytes only through this.
        unsafe { AtomicU32::from_ptr(address) }
    }

    /// `len` bytes from `offset`, for reading.
    ///
    /// # Safety
    /// Until the slice is dropped, nobody writes these bytes.
    pub unsafe fn block(&self, offset: usize, len: usize) -> &[u8] {
        assert!(offset.saturating_add(len) <= self.mapping.len(), "no block at {offset}");
        let address = self.mapping.as_mut_ptr().wrapping_add(offset);
        // SAFETY: inside the mapping (checked above), which lives as long as `self`; nobody writes (caller).
        unsafe { core::slice::from_raw_parts(address, len) }
    }

    /// `len` bytes from `offset`, for writing.
    ///
    /// # Safety
    /// Until the slice is dropped, nobody else reads or writes these bytes.
    #[expect(
        clippy::mut_from_ref,
        reason = "the bytes belong to whoever's turn it is, which the caller knows"
    )]
    pub unsafe fn block_mut(&self, offset: usize, len: usize) -> &mut [u8] {
        assert!(offset.saturating_add(len) <= self.mapping.len(), "no block at {offset}");
        let address = self.mapping.as_mut_ptr().wrapping_add(offset);
        // SAFETY: inside the mapping (checked above), which lives as long as `self`; nobody else has it (caller).
        unsafe { core::slice::from_raw_parts_mut(address, len) }
    }
}
