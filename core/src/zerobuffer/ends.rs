//! Who the two ends of a buffer are, where both are Strait: words behind the payload ring.
//!
//! ```text
//! segment   OIEB │ metadata │ payload ring │ EndsTable │ ShareTable (duplex only)
//!                                            magic, takeover, taken_from, 0      32 bytes
//!                                            former, reader, writer     pid, born, realm, check
//! ```
//!
//! The words of ZeroBuffer v1 end with the ring; a segment may be longer, and no peer looks there. A Strait reader puts the
//! table there before anybody sees the segment, with itself in it; a Strait writer enters itself when it connects. So the
//! table says of a segment that its reader is Strait, which holds the lock of `sem-r-NAME` for as long as it lives, and of
//! a writer that it holds the segment's.
//!
//! # Trust
//!
//! A record counts only if its check does: one that is half written, or garbage, is none, and then the locks decide alone. A
//! record that somebody forged makes its own end look dead at most where that end's process number has ended.
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use super::layout::Geometry;
use crate::layout::assert_layout;
use crate::platform::{Identity, Pid, Segment};
use crate::shm::view;
use crate::sync::{Ordering, SharedU64};

/// "STRENDS1" as a little-endian number; the last character is the version.
const MAGIC: u64 = u64::from_le_bytes(*b"STRENDS1");

/// One process.
#[derive(Debug)]
#[repr(C)]
pub struct EndRecord {
    /// Process number; 0 = nobody.
    pid: SharedU64,
    /// Its birth, in the system's units; 0 = not known.
    born: SharedU64,
    /// The namespaces that the two before belong to; 0 = not known.
    realm: SharedU64,
    /// [`check_of`] the three before; its complement if this end does not hold its lock, because a child of its predecessor
    /// does.
    check: SharedU64,
}

assert_layout!(EndRecord: 32 bytes, aligned to 8 {
    0x00: 8 pid,
    0x08: 8 born,
    0x10: 8 realm,
    0x18: 8 check,
});

/// The words behind the ring.
#[derive(Debug)]
#[repr(C)]
pub struct EndsTable {
    /// "STRENDS1".
    magic: SharedU64,
    /// Number of the first frame of a writer that took over from a dead one; 0 = none has.
    takeover: SharedU64,
    /// The dead one's process number, or that of one which gave up.
    taken_from: SharedU64,
    /// Stays 0.
    reserved: SharedU64,
    /// The last writer that died: a child of it may still hold the segment's lock.
    former: EndRecord,
    reader: EndRecord,
    writer: EndRecord,
}

/// Bytes of the table.
pub const ENDS_SIZE: usize = 128;

assert_layout!(EndsTable: 128 bytes, aligned to 8 {
    0x00: 8 magic,
    0x08: 8 takeover,
    0x10: 8 taken_from,
    0x18: 8 reserved,
    0x20: 32 former,
    0x40: 32 reader,
    0x60: 32 writer,
});

/// Differs between any two identities that differ in one word, and is not 0 for the record of nobody.
const fn check_of(identity: Identity) -> u64 {
    identity.pid.0.rotate_left(11) ^ identity.born.rotate_left(31) ^ identity.realm.rotate_left(53) ^ MAGIC
}

impl EndRecord {
    fn enter(&self, identity: Identity, locked: bool) {
        // Relaxed, all: whoever sees some of them and not the others finds that the check is wrong.
        self.check.store(0, Ordering::Relaxed);
        self.born.store(identity.born, Ordering::Relaxed);
        self.realm.store(identity.realm, Ordering::Relaxed);
        self.pid.store(identity.pid.0, Ordering::Relaxed);
        let check = check_of(identity);
        self.check.store(if locked { check } else { !check }, Ordering::Relaxed);
    }

    /// Who it is, and whether it holds its lock.
    fn entry(&self) -> Option<(Identity, bool)> {
        // Relaxed, all: as in `enter`.
        let load = |word: &SharedU64| word.load(Ordering::Relaxed);
        let check = load(&self.check);
        let identity =
            Identity { pid: Pid(load(&self.pid)), born: load(&self.born), realm: load(&self.realm) };
        let (locked, bare) = (check == check_of(identity), check == !check_of(identity));
        (identity.pid.0 != 0 && (locked || bare)).then_some((identity, locked))
    }

    fn identity(&self) -> Option<Identity> {
        self.entry().map(|(identity, _)| identity)
    }
}

/// The table of one buffer.
#[derive(Clone, Debug)]
pub struct Ends<S> {
    segment: S,
    offset: usize,
}

impl<S: Segment> Ends<S> {
    /// Makes the table of a new buffer, whose bytes are zero and which nobody sees yet.
    pub(super) fn create(segment: S, geometry: Geometry, reader: Identity) -> Option<Self> {
        let ends = Self { segment, offset: geometry.segment_len()? };
        let table = ends.table()?;
        table.reader.enter(reader, true);
        // Release: whoever finds the magic finds the reader.
        table.magic.store(MAGIC, Ordering::Release);
        Some(ends)
    }

    /// The table of an existing buffer; `None` if its reader is not Strait.
    pub fn open(segment: S, geometry: Geometry) -> Option<Self> {
        let ends = Self { segment, offset: geometry.segment_len()? };
        // Acquire: pairs with the store in `create`.
        (ends.table()?.magic.load(Ordering::Acquire) == MAGIC).then_some(ends)
    }

    /// `None` in a segment that is too short, or was cut short.
    fn table(&self) -> Option<&EndsTable> {
        if self.segment.backed_len() < self.segment.len() {
            return None;
        }
        view::<EndsTable, S>(&self.segment, self.offset).ok()
    }

    /// The process that created the buffer, if its record is whole.
    pub fn reader(&self) -> Option<Identity> {
        self.table()?.reader.identity()
    }

    /// The Strait writer that connected last, if its record is whole. Whether it is the one in `writer_pid`, its number
    /// says.
    pub fn writer(&self) -> Option<Identity> {
        self.table()?.writer.identity()
    }

    /// Whether a Strait writer has ever entered itself: its number stays when it leaves.
    pub(super) fn had_writer(&self) -> bool {
        // Relaxed: only says that somebody has been there.
        self.table().is_some_and(|table| table.writer.pid.load(Ordering::Relaxed) != 0)
    }

    /// Whether the last Strait writer does not hold the segment's lock, so that nothing can be told by it.
    pub(super) fn is_writer_bare(&self) -> bool {
        self.table().and_then(|table| table.writer.entry()).is_some_and(|(_, locked)| !locked)
    }

    /// The last writer that was found dead, if its record is whole.
    pub fn former(&self) -> Option<Identity> {
        self.table()?.former.identity()
    }

    /// Puts a dead writer among the former, so that a later one of its number is not taken for it. Only the reader.
    pub(super) fn bury_writer(&self, writer: Identity) {
        if let Some(table) = self.table() {
            table.former.enter(writer, true);
        }
        self.clear_writer(writer);
    }

    /// Enters this process as the writer, before its number stands in `writer_pid`. The caller holds the segment's lock, or
    /// has proved its holder dead.
    pub(super) fn enter_writer(&self, writer: Identity, locked: bool) {
        if let Some(table) = self.table() {
            table.writer.enter(writer, locked);
        }
    }

    /// Says that the frames from `sequence` on are of a writer that took over from `dead`, which the reader may not have seen
    /// die. Before the first of them is committed.
    pub(super) fn mark_takeover(&self, sequence: u64, dead: Pid) {
        if let Some(table) = self.table() {
            // Relaxed: published by the next store.
            table.taken_from.store(dead.0, Ordering::Relaxed);
            // Release: pairs with the load in `takeover`.
            table.takeover.store(sequence, Ordering::Release);
        }
    }

    /// The last takeover: the number of its first frame, and from whom; `None` if there was none. Asked at every frame: the
    /// caller has looked at the segment's size, if it does so for the frame.
    #[inline]
    pub(super) fn takeover(&self) -> Option<(u64, Pid)> {
        let table = view::<EndsTable, S>(&self.segment, self.offset).ok()?;
        // Acquire: pairs with the store in `mark_takeover`.
        let sequence = table.takeover.load(Ordering::Acquire);
        // Relaxed: published by the store that was just read.
        (sequence != 0).then(|| (sequence, Pid(table.taken_from.load(Ordering::Relaxed))))
    }

    /// Takes a writer out that has left, unless the next one has entered itself.
    pub(super) fn clear_writer(&self, writer: Identity) {
        if let Some(table) = self.table() {
            let check = check_of(writer);
            for check in [check, !check] {
                // Relaxed: as in `enter`.
                let _ = table.writer.check.compare_exchange(check, 0, Ordering::Relaxed);
            }
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::testing::HeapSegment;

    const GEOMETRY: Geometry = Geometry { metadata_size: 64, payload_size: 128 };
    const AT: usize = 128 + 64 + 128;
    const READER: Identity = Identity { pid: Pid(7), born: 100, realm: 5 };

    fn table() -> (HeapSegment, Ends<HeapSegment>) {
        let segment = HeapSegment::new(AT + ENDS_SIZE);
        assert!(Ends::open(segment.clone(), GEOMETRY).is_none(), "no table yet");
        Ends::create(segment.clone(), GEOMETRY, READER).expect("it fits");
        let ends = Ends::open(segment.clone(), GEOMETRY).expect("there is one");
        (segment, ends)
    }

    #[test]
    fn each_end_finds_the_other() {
        let (_, ends) = table();
        assert_eq!((ends.reader(), ends.writer()), (Some(READER), None));
        let writer = Identity { pid: Pid(u64::MAX), born: u64::MAX, realm: 0 };
        for locked in [false, true] {
            ends.enter_writer(writer, locked);
            assert_eq!((ends.reader(), ends.writer()), (Some(READER), Some(writer)));
            assert_eq!(ends.is_writer_bare(), !locked);
        }
        ends.clear_writer(READER);
        assert_eq!(ends.writer(), Some(writer), "another is left alone");
        ends.bury_writer(writer);
        assert_eq!((ends.reader(), ends.writer(), ends.former()), (Some(READER), None, Some(writer)));
    }

    #[test]
    fn a_record_with_any_other_word_is_none() {
        for word in 0..4 {
            for value in [0, 1, 6, 99, u64::MAX] {
                let (segment, ends) = table();
                segment.scribble_u64(AT + 0x40 + word * 8, value);
                assert_eq!(ends.reader(), None, "word {word} is {value}");
            }
        }
        let (segment, ends) = table();
        segment.scribble(AT + 0x40, &[0; 32]);
        assert_eq!(ends.reader(), None, "nobody");
    }

    #[test]
    fn a_segment_of_another_implementation_has_no_table() {
        let segment = HeapSegment::new(AT);
        assert!(Ends::open(segment, GEOMETRY).is_none());
        // A longer one, as Windows rounds up, or with other words behind.
        for bytes in [[0; 8], [0xff; 8], *b"STRSHARE"] {
            let segment = HeapSegment::new(4096);
            segment.scribble(AT, &bytes);
            assert!(Ends::open(segment, GEOMETRY).is_none());
        }
        let (segment, ends) = table();
        segment.truncate(AT + 64);
        assert_eq!(ends.reader(), None, "cut short");
        assert!(Ends::open(segment, GEOMETRY).is_none());
    }
}
