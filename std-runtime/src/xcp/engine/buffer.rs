//! Memory of messages that come; that of long ones is kept, once they were read, for those that follow.
//!
//! A page that the system gives anew costs more than the bytes that are copied into it, and allocators give long pieces
//! of memory back.

use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

/// From this capacity on memory is kept.
const LONG: usize = 64 << 10;
/// Bytes that are kept at most, of all connections of the process.
const KEPT: usize = 16 << 20;

static STORE: Store = Store(Mutex::new(Vec::new()));

/// What is kept.
struct Store(Mutex<Vec<Vec<u8>>>);

impl Store {
    fn kept(&self) -> MutexGuard<'_, Vec<Vec<u8>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Memory for `len` bytes, and not for more than `most`; its bytes are old ones.
    fn take(&self, len: usize, most: usize) -> Option<Vec<u8>> {
        if len < LONG {
            return None;
        }
        let mut kept = self.kept();
        let fits = |memory: &Vec<u8>| (len..=most).contains(&memory.capacity());
        // The last is the warmest.
        let at = kept.iter().rposition(fits)?;
        Some(kept.remove(at))
    }

    fn give(&self, memory: Vec<u8>) {
        if !(LONG..=KEPT).contains(&memory.capacity()) {
            return;
        }
        let mut kept = self.kept();
        // Those that were of no use for longest make room.
        let mut held: usize = kept.iter().map(Vec::capacity).sum();
        while memory.capacity() > KEPT.saturating_sub(held) && !kept.is_empty() {
            held -= kept.remove(0).capacity();
        }
        kept.push(memory);
    }
}

/// Memory for `len` bytes that was kept, empty; without memory if none fits.
pub(super) fn memory(len: usize) -> Vec<u8> {
    let mut memory = STORE.take(len, len.saturating_mul(2)).unwrap_or_default();
    memory.clear();
    memory
}

/// These bytes, to be shared. Once nobody has them any more their memory is kept.
pub(super) fn share(bytes: Vec<u8>) -> Bytes {
    Buffer { len: bytes.len(), memory: bytes, exact: true }.freeze()
}

/// Bytes that come one after the other, and room for more.
#[derive(Debug, Default)]
pub(crate) struct Buffer {
    /// Behind the buffer's own bytes it has old ones, to be written over.
    memory: Vec<u8>,
    len: usize,
    /// It holds one frame of several, and grows to what is needed and no further.
    exact: bool,
}

impl Buffer {
    /// Room for `expected` bytes if so many are kept, and for `most` of them at the most otherwise.
    pub(super) fn new(expected: usize, most: usize) -> Self {
        let fresh = || Vec::with_capacity(expected.min(most));
        let memory = STORE.take(expected, expected.saturating_mul(2)).unwrap_or_else(fresh);
        Self { memory, len: 0, exact: false }
    }

    /// One for a frame of a message that is read as it comes: what it holds counts, so it holds little more.
    pub(super) fn of_frame() -> Self {
        Self { memory: Vec::new(), len: 0, exact: true }
    }

    /// Makes room for `more` bytes: for twice as many as there were at least, and a few more for the end of a message whose
    /// frames are as long as its sender's memory.
    fn reserve(&mut self, more: usize) {
        let (needed, room) = (self.len.saturating_add(more), self.memory.capacity());
        if needed <= room {
            return;
        }
        let (wanted, most) = if self.exact {
            (needed, needed.saturating_add(needed / 4))
        } else {
            let spare = if needed < LONG { 0 } else { LONG };
            let wanted = needed.saturating_add(spare).max(room.saturating_mul(2));
            (wanted, wanted.saturating_mul(2))
        };
        let mut memory = STORE.take(wanted, most).unwrap_or_else(|| Vec::with_capacity(wanted));
        put(&mut memory, 0, self);
        STORE.give(std::mem::replace(&mut self.memory, memory));
    }

    pub(super) fn extend(&mut self, bytes: &[u8]) {
        self.reserve(bytes.len());
        put(&mut self.memory, self.len, bytes);
        self.len += bytes.len();
    }

    /// Room for the next `len` bytes, to be written; [`filled`](Self::filled) says how many were.
    pub(crate) fn room(&mut self, len: usize) -> &mut [u8] {
        self.reserve(len);
        let end = self.len.saturating_add(len);
        if self.memory.len() < end {
            self.memory.resize(end, 0);
        }
        &mut self.memory[self.len..end]
    }

    /// `len` bytes of the [`room`](Self::room) were written.
    pub(crate) fn filled(&mut self, len: usize) {
        self.len = self.memory.len().min(self.len.saturating_add(len));
    }

    pub(super) fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
    }

    /// The bytes, to be shared. Once nobody has them any more their memory is kept.
    pub(super) fn freeze(mut self) -> Bytes {
        if self.memory.capacity() >= LONG {
            return Bytes::from_owner(self);
        }
        let mut memory = std::mem::take(&mut self.memory);
        memory.truncate(self.len);
        Bytes::from(memory)
    }
}

/// Writes bytes from `at` on, over those that are there and behind them.
fn put(memory: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    let over = memory.len().saturating_sub(at).min(bytes.len());
    let (front, back) = bytes.split_at(over);
    memory[at..at + over].copy_from_slice(front);
    memory.extend_from_slice(back);
}

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.memory[..self.len]
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.memory[..self.len]
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        STORE.give(std::mem::take(&mut self.memory));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn memory_is_kept_up_to_a_limit_and_given_to_what_fits() {
        let store = Store(Mutex::new(Vec::new()));
        store.give(vec![0; LONG - 1]);
        assert!(store.kept().is_empty());
        for _ in 0..20 {
            store.give(vec![7; 1 << 20]);
        }
        assert_eq!(store.kept().len(), KEPT >> 20);
        assert_eq!(store.take(2 << 20, 4 << 20), None);
        assert_eq!(store.take(1 << 19, (1 << 20) - 1), None);
        assert_eq!(store.take(1 << 19, 1 << 20).unwrap().capacity(), 1 << 20);
        assert_eq!(store.take(1 << 20, 1 << 20).unwrap().capacity(), 1 << 20);
        assert_eq!(store.kept().len(), (KEPT >> 20) - 2);
        // Others make room for what is used now.
        store.give(vec![7; 3 << 20]);
        store.give(vec![7; 3 << 20]);
        assert_eq!(store.take(3 << 20, 3 << 20).unwrap().capacity(), 3 << 20);
        store.give(vec![7; KEPT + 1]);
        assert!(store.take(3 << 20, 3 << 20).is_some());
        assert!(store.take(3 << 20, 3 << 20).is_none());
    }

    proptest! {
        #[test]
        fn a_buffer_has_the_bytes_it_was_given(
            old in prop::option::of(0..300_usize),
            exact in any::<bool>(),
            steps in prop::collection::vec((any::<bool>(), 0..100_usize, 0..100_usize), 0..20),
        ) {
            let mut buffer = if exact { Buffer::of_frame() } else { Buffer::new(0, 0) };
            if let Some(old) = old {
                buffer.memory = vec![0xAA; old];
            }
            let (mut expected, mut next) = (Vec::new(), 0_u8);
            for (copied, len, unused) in steps {
                let bytes: Vec<u8> = (0..len).map(|_| { next = next.wrapping_add(1); next }).collect();
                if copied {
                    buffer.extend(&bytes);
                } else {
                    buffer.room(len + unused)[..len].copy_from_slice(&bytes);
                    buffer.filled(len);
                }
                expected.extend_from_slice(&bytes);
                prop_assert_eq!(&*buffer, &expected[..]);
            }
            prop_assert_eq!(&buffer.freeze()[..], &expected[..]);
        }
    }
}
