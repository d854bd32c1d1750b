//! What Strait ends share behind the layout: doorbells, who takes part, and what each is about to take.
//!
//! ```text
//! 0     magic, version, slots, slot length, page, profile, participants, flags
//! 64    four doorbells, a line each: data in ring 0, space in ring 0, data in ring 1, space in ring 1
//! 320   counters of what was recovered: tombstones and releases, per ring
//! 384   participants, 64 bytes each: the one at index i may hold the lock of the segment's place i
//! ```
//!
//! Advisory: a process that is not Strait neither rings the bells nor writes itself into the table, so who waits wakes by
//! itself too, and what such a process holds is never recovered without being told.

use crate::layout::assert_layout;
use crate::mpmc::journal::{covers, held};
use crate::platform::{Identity, PLACES, Pid};
use crate::sync::{Ordering, SharedU32, SharedU64};

use super::layout::{Geometry, Side};
use super::numbers::Profile;

/// `STRAITX1`, little-endian.
const MAGIC: u64 = u64::from_le_bytes(*b"STRAITX1");
/// 2: participants may hold the locks of their places.
const VERSION: u64 = 2;
/// Handles of all processes together.
pub const PARTICIPANTS: usize = PLACES;
const HEADER_LEN: usize = 384;
/// Bytes of the extension.
pub const EXTENSION_LEN: usize = HEADER_LEN + PARTICIPANTS * 64;

/// Flag: processes that are not Strait may take part.
const STRANGERS: u64 = 1;

/// A doorbell: sleepers announce themselves, and who has something for them rings.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Bell {
    /// 0 until somebody sleeps for the first time; then odd while somebody sleeps, else even.
    word: SharedU32,
    rest: [SharedU32; 15],
}

assert_layout!(Bell: 64 bytes, aligned to 4 {
    0: 4 word,
    4: 60 rest,
});

/// The extension's first words.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct ExtensionHeader {
    magic: SharedU64,
    version: SharedU64,
    slots: SharedU64,
    slot_len: SharedU64,
    page: SharedU64,
    profile: SharedU64,
    participants: SharedU64,
    flags: SharedU64,
    bells: [Bell; 4],
    /// Tombstones of ring 0 and 1, releases of ring 0 and 1.
    recovered: [SharedU64; 4],
    /// Not 0: the name stays when the last participant leaves.
    kept: SharedU64,
    /// Participants that have joined so far.
    joins: SharedU64,
    rest: [SharedU64; 2],
}

assert_layout!(ExtensionHeader: 384 bytes, aligned to 8 {
    0: 8 magic,
    8: 8 version,
    16: 8 slots,
    24: 8 slot_len,
    32: 8 page,
    40: 8 profile,
    48: 8 participants,
    56: 8 flags,
    64: 256 bells,
    320: 32 recovered,
    352: 8 kept,
    360: 8 joins,
    368: 16 rest,
});

/// A handle of some process: a sender, a receiver, or the link itself.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct ParticipantEntry {
    /// 0 free, 1 being written, 2 and 3 in use by the primary's or the secondary's side.
    state: SharedU64,
    pid: SharedU64,
    born: SharedU64,
    realm: SharedU64,
    /// What it may hold in ring 0 and in ring 1.
    journals: [SharedU64; 2],
    /// Its number among all that have ever joined.
    serial: SharedU64,
    /// 1: it holds the lock of its place, which is that of its index.
    guarded: SharedU64,
}

assert_layout!(ParticipantEntry: 64 bytes, aligned to 8 {
    0: 8 state,
    8: 8 pid,
    16: 8 born,
    24: 8 realm,
    32: 16 journals,
    48: 8 serial,
    56: 8 guarded,
});

/// Who has an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) identity: Identity,
    pub(crate) side: Side,
    /// Its number among all that have ever joined.
    pub(crate) serial: u64,
    /// Whether it holds the lock of its place, as long as it takes part.
    pub(crate) guarded: bool,
}

/// What waits at a bell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Waits {
    /// Consumers, for data.
    Data,
    /// Producers, for space.
    Space,
}

impl Waits {
    const fn index(self) -> usize {
        match self {
            Self::Data => 0,
            Self::Space => 1,
        }
    }
}

/// Offset of a bell's word in the extension, bytes.
pub(super) const fn bell_offset(lane: usize, waits: Waits) -> usize {
    64 + 64 * (2 * (lane & 1) + waits.index())
}

/// Offset of a participant's journals in the extension, bytes.
pub(super) const fn journals_offset(entry: usize) -> usize {
    HEADER_LEN + 64 * entry + 32
}

/// Sleeping and waking at a word in shared memory.
pub(crate) trait Sleep {
    /// Sleeps while the word is `expected`. May return early.
    fn sleep(&self, expected: u32);
    /// Wakes all who sleep at the word.
    fn wake(&self);
}

impl Bell {
    /// In memory of its own, for models.
    #[cfg(all(test, loom))]
    pub(crate) fn new() -> Self {
        Self { word: SharedU32::new(0), rest: core::array::from_fn(|_| SharedU32::new(0)) }
    }

    /// The word that sleepers compare, for models.
    #[cfg(all(test, loom))]
    pub(crate) fn word(&self) -> u32 {
        // Relaxed: compared under the lock that the model's waker takes.
        self.word.load(Ordering::Relaxed)
    }

    /// Whether anybody has ever slept here. Who publishes without a fence while this is `false` can miss the very first
    /// sleeper, who wakes by himself after a slice.
    #[inline]
    pub(crate) fn was_used(&self) -> bool {
        // Relaxed: see above.
        self.word.load(Ordering::Relaxed) != 0
    }

    /// Whether somebody sleeps here, or did and nobody has rung since.
    pub(crate) fn is_announced(&self) -> bool {
        // Relaxed: a look, nothing is done by it.
        self.word.load(Ordering::Relaxed) & 1 == 1
    }

    /// Says that the caller is about to sleep; what to expect of the word. The caller then looks again at what it waits
    /// for, and sleeps only if it is not there.
    pub(crate) fn announce(&self) -> u32 {
        // Relaxed: the exchange orders.
        let mut found = self.word.load(Ordering::Relaxed);
        // Bounded: only a ring or another sleeper makes the exchange fail; after so many the sleep ends at once.
        for _ in 0..64 {
            let asleep = found | 1;
            match self.word.compare_exchange(found, asleep, Ordering::AcqRel) {
                Ok(_) => {
                    found = asleep;
                    break;
                }
                Err(now) => found = now,
            }
        }
        // Pairs with the fence of `publish_and_fence` and `release_and_fence`: either the caller's look finds what was
        // published, or `ring` finds the announcement.
        crate::sync::full_fence();
        found | 1
    }

    /// Wakes the sleepers, if any. Comes after a fence behind what they wait for.
    #[inline]
    pub(crate) fn ring(&self, sleepers: &impl Sleep) {
        // Relaxed: the fence before orders it.
        let found = self.word.load(Ordering::Relaxed);
        if found & 1 == 1 {
            self.ring_slowly(found, sleepers);
        }
    }

    #[cold]
    fn ring_slowly(&self, mut found: u32, sleepers: &impl Sleep) {
        // Bounded as in `announce`.
        for _ in 0..64 {
            if found & 1 == 0 {
                // Somebody else has rung since.
                return;
            }
            // Never back to 0, which says that nobody has slept.
            let awake = match found.wrapping_add(1) {
                0 => 2,
                awake => awake,
            };
            match self.word.compare_exchange(found, awake, Ordering::AcqRel) {
                Ok(_) => break,
                Err(now) => found = now,
            }
        }
        sleepers.wake();
    }
}

/// Why the bytes behind a layout are no extension that can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NoExtension;

impl ExtensionHeader {
    /// Writes the words into zeroed memory.
    pub(super) fn initialise(&self, geometry: &Geometry) {
        let store = |word: &SharedU64, value: u64| word.store(value, Ordering::Relaxed);
        // Relaxed: nobody looks before the magic, or before the file has its name.
        store(&self.version, VERSION);
        store(&self.slots, geometry.slots());
        store(&self.slot_len, geometry.slot_len());
        store(&self.page, geometry.page());
        store(&self.profile, u64::from(geometry.profile() == Profile::Seed));
        store(&self.participants, PARTICIPANTS as u64);
        // Pairs with the Acquire in `geometry`.
        self.magic.store(MAGIC, Ordering::Release);
    }

    /// What it says the link looks like.
    pub(super) fn geometry(&self) -> Result<Geometry, NoExtension> {
        // Pairs with the Release in `initialise`.
        let magic = self.magic.load(Ordering::Acquire);
        let load = |word: &SharedU64| word.load(Ordering::Relaxed);
        if magic != MAGIC || load(&self.version) != VERSION || load(&self.participants) != PARTICIPANTS as u64
        {
            return Err(NoExtension);
        }
        let profile = match load(&self.profile) {
            0 => Profile::Superblock,
            1 => Profile::Seed,
            _ => return Err(NoExtension),
        };
        Geometry::new(load(&self.slots), load(&self.slot_len), load(&self.page), profile)
            .map_err(|_| NoExtension)
    }

    pub(super) fn bell(&self, lane: usize, waits: Waits) -> &Bell {
        let [data0, space0, data1, space1] = &self.bells;
        match (lane & 1, waits) {
            (0, Waits::Data) => data0,
            (0, Waits::Space) => space0,
            (_, Waits::Data) => data1,
            (_, Waits::Space) => space1,
        }
    }

    /// Whether processes that are not Strait may take part.
    pub(super) fn has_strangers(&self) -> bool {
        // Relaxed: it is raised and never lowered, and only says how to wait and what to leave alone.
        self.flags.load(Ordering::Relaxed) & STRANGERS != 0
    }

    pub(super) fn expect_strangers(&self) {
        // Relaxed: as above. A store: there is one flag.
        self.flags.store(STRANGERS, Ordering::Relaxed);
    }

    /// The number of the next participant that joins; from 1 on.
    pub(super) fn next_serial(&self) -> u64 {
        // Relaxed: only the value counts.
        self.joins.fetch_add(1, Ordering::Relaxed).wrapping_add(1)
    }

    /// Whether the name stays when the last participant leaves.
    pub(super) fn is_kept(&self) -> bool {
        // Relaxed: set before the segment has its name, or under the lock of the membership.
        self.kept.load(Ordering::Relaxed) != 0
    }

    pub(super) fn keep(&self, keep: bool) {
        // Relaxed: as above.
        self.kept.store(u64::from(keep), Ordering::Relaxed);
    }

    /// Counts what was recovered in a ring.
    pub(super) fn count_recovered(&self, lane: usize, tombstones: u64, releases: u64) {
        let [tombstones0, tombstones1, releases0, releases1] = &self.recovered;
        let (tombstone, release) =
            if lane == 0 { (tombstones0, releases0) } else { (tombstones1, releases1) };
        // Relaxed: counters.
        tombstone.fetch_add(tombstones, Ordering::Relaxed);
        release.fetch_add(releases, Ordering::Relaxed);
    }

    /// Tombstones and releases so far, in the order ring 0, ring 1.
    pub(super) fn recovered(&self) -> [(u64, u64); 2] {
        let [a, b, c, d] = &self.recovered;
        // Relaxed: counters.
        let load = |word: &SharedU64| word.load(Ordering::Relaxed);
        [(load(a), load(c)), (load(b), load(d))]
    }
}

const FREE: u64 = 0;
const JOINING: u64 = 1;
const LIVE: [u64; 2] = [2, 3];

impl ParticipantEntry {
    /// In memory of its own, for models.
    #[cfg(all(test, loom))]
    pub(crate) fn new() -> Self {
        let word = || SharedU64::new(0);
        Self {
            state: word(),
            pid: word(),
            born: word(),
            realm: word(),
            journals: [word(), word()],
            serial: word(),
            guarded: word(),
        }
    }

    /// Whether nobody uses the entry. One that is being written belongs to nobody either: the writer holds the lock of
    /// the membership, or has died.
    pub(crate) fn is_free(&self) -> bool {
        // Pairs with the Release in `leave`.
        matches!(self.state.load(Ordering::Acquire), FREE | JOINING)
    }

    /// Writes `member` into a free entry. Under the lock of the membership, after that of the place.
    pub(crate) fn join(&self, member: Member) {
        let Member { identity, side, serial, guarded } = member;
        // Relaxed: the last store publishes.
        self.state.store(JOINING, Ordering::Relaxed);
        self.pid.store(identity.pid.0, Ordering::Relaxed);
        self.born.store(identity.born, Ordering::Relaxed);
        self.realm.store(identity.realm, Ordering::Relaxed);
        self.serial.store(serial, Ordering::Relaxed);
        self.guarded.store(u64::from(guarded), Ordering::Relaxed);
        for journal in &self.journals {
            journal.store(0, Ordering::Relaxed);
        }
        // Pairs with the Acquire in `member`.
        self.state.store(LIVE[side.lane()], Ordering::Release);
    }

    /// Gives the entry up. By its owner, who holds nothing, or under the lock of the membership.
    pub(crate) fn leave(&self) {
        // Pairs with the Acquire in `is_free` and `member`.
        self.state.store(FREE, Ordering::Release);
    }

    /// Who has the entry.
    pub(crate) fn member(&self) -> Option<Member> {
        // Pairs with the Release in `join`.
        let side = match self.state.load(Ordering::Acquire) {
            2 => Side::Primary,
            3 => Side::Secondary,
            _ => return None,
        };
        // Relaxed: ordered by the state.
        let load = |word: &SharedU64| word.load(Ordering::Relaxed);
        let identity =
            Identity { pid: Pid(load(&self.pid)), born: load(&self.born), realm: load(&self.realm) };
        Some(Member { identity, side, serial: load(&self.serial), guarded: load(&self.guarded) == 1 })
    }

    /// What it is about to take in a ring, or has taken.
    #[inline]
    pub(crate) fn journal(&self, lane: usize) -> &SharedU64 {
        let [first, second] = &self.journals;
        if lane == 0 { first } else { second }
    }

    /// Whether it may hold `position` of a ring.
    pub(crate) fn may_hold(&self, lane: usize, position: u64) -> bool {
        covers(held(self.journal(lane)), position)
    }
}
