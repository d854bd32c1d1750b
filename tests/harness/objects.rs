//! The files behind a buffer, as another implementation or an administrator meets them.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

/// Offset of `metadata_written_bytes`.
pub const METADATA_WRITTEN: u64 = 0x18;
/// Offset of `payload_free_bytes`.
pub const FREE_BYTES: u64 = 0x28;
/// Offset of `payload_write_pos`.
pub const WRITE_POS: u64 = 0x30;
/// Offset of `payload_read_pos`.
pub const READ_POS: u64 = 0x38;
/// Offset of `payload_written_count`.
pub const WRITTEN_COUNT: u64 = 0x40;
/// Offset of `writer_pid`.
pub const WRITER_PID: u64 = 0x50;
/// Offset of `reader_pid`.
pub const READER_PID: u64 = 0x58;

/// Where shared memory is.
pub const SHM: &str = "/dev/shm";

/// The segment's file.
pub fn segment(name: &str) -> PathBuf {
    Path::new(SHM).join(name)
}

/// The file of the semaphore that counts unread frames.
pub fn data_ready(name: &str) -> PathBuf {
    Path::new(SHM).join(format!("sem.sem-w-{name}"))
}

/// The file of the semaphore that says that space was returned.
pub fn space_free(name: &str) -> PathBuf {
    Path::new(SHM).join(format!("sem.sem-r-{name}"))
}

/// The lock files: of the C++ and Python implementations, and of the C# one.
pub fn locks(name: &str) -> [PathBuf; 2] {
    let file = format!("{name}.lock");
    [Path::new("/tmp/zerobuffer").join(&file), std::env::temp_dir().join("zerobuffer/locks").join(&file)]
}

/// Everything in the folders of segments, semaphores and locks whose name contains `name`.
pub fn left(name: &str) -> Vec<PathBuf> {
    let [lock, other_lock] = locks(name);
    let folders =
        [Path::new(SHM), lock.parent().unwrap_or(&lock), other_lock.parent().unwrap_or(&other_lock)];
    let mut found: Vec<PathBuf> = folders
        .iter()
        .filter_map(|folder| std::fs::read_dir(folder).ok())
        .flat_map(|entries| entries.filter_map(Result::ok))
        .filter(|entry| entry.file_name().to_string_lossy().contains(name))
        .map(|entry| entry.path())
        .collect();
    found.sort();
    found.dedup();
    found
}

fn open(path: &Path) -> File {
    let file = OpenOptions::new().read(true).write(true).open(path);
    file.unwrap_or_else(|error| panic!("{} cannot be opened: {error}", path.display()))
}

/// The aligned 64-bit word at `offset`.
pub fn word(path: &Path, offset: u64) -> u64 {
    let mut bytes = [0; 8];
    open(path).read_exact_at(&mut bytes, offset).expect("the file is long enough for the word");
    u64::from_le_bytes(bytes)
}

/// Overwrites bytes, as a peer that keeps no rule would.
pub fn scribble(path: &Path, offset: u64, bytes: &[u8]) {
    open(path).write_all_at(bytes, offset).expect("the file can be written");
}

/// Overwrites the 64-bit word at `offset`.
pub fn set_word(path: &Path, offset: u64, value: u64) {
    scribble(path, offset, &value.to_le_bytes());
}

/// Cuts the file to `len` bytes.
pub fn truncate(path: &Path, len: u64) {
    open(path).set_len(len).expect("the file can be truncated");
}

/// Permits of a semaphore: the low half of its first word.
pub fn permits(semaphore: &Path) -> u32 {
    u32::try_from(word(semaphore, 0) & 0xffff_ffff).expect("32 bits")
}

/// Sleepers at a semaphore: the high half of its first word.
pub fn waiters(semaphore: &Path) -> u32 {
    u32::try_from(word(semaphore, 0) >> 32).expect("32 bits")
}
