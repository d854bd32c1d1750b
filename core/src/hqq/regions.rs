//! A segment seen as a link: made, or checked word by word before anything of it is used.

use super::extension::{EXTENSION_LEN, ExtensionHeader, PARTICIPANTS, ParticipantEntry};
use super::lane::{Lane, LaneError, Make};
use super::layout::{Geometry, GeometryError};
use super::numbers::Profile;
use super::superblock::{self, Superblock};
use crate::mpmc::{self, RingHeader};
use crate::platform::Segment;
use crate::shm::{Table, ViewError, view};

/// Why a segment is not the link that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AttachError {
    /// The first word is neither a superblock's nor a ring's.
    #[error("first word is {found:#018x}{}: neither a superblock nor a ring of the seed profile", seems(*found))]
    NotALink {
        /// What it is.
        found: u64,
    },
    /// The other layout is there.
    #[error("the segment has the {found} profile, not the {wanted} profile")]
    OtherProfile {
        /// What is there.
        found: Profile,
        /// What was asked for.
        wanted: Profile,
    },
    /// Somebody began to initialise it and has not ended.
    #[error(
        "superblock is in state {state}, not ready (2): its creator is still at work, or died, or this is no link at all"
    )]
    NotReady {
        /// The state's number.
        state: u64,
    },
    /// Another major version.
    #[error("link has version {major}.{minor}; this is version 1")]
    Version {
        /// Its major version.
        major: u64,
        /// Its minor version.
        minor: u64,
    },
    /// A number is not the expected one.
    #[error("link says {field} is {found}, expected is {wanted}")]
    Mismatch {
        /// The number's name.
        field: &'static str,
        /// What the link says.
        found: u64,
        /// What was asked for, or follows from the other numbers.
        wanted: u64,
    },
    /// Numbers that cannot be a link's.
    #[error("link has impossible numbers: {0}")]
    Geometry(#[from] GeometryError),
    /// The seed profile does not say how long its slots are.
    #[error("a link of the seed profile does not say how long its slots are: give the slot length")]
    SlotLenUnknown,
    /// The segment ends before the layout does.
    #[error("segment has {found} bytes, a link of its numbers {wanted}")]
    TooShort {
        /// Bytes of the segment.
        found: usize,
        /// Bytes of the layout.
        wanted: usize,
    },
    /// A ring is not one.
    #[error("ring {lane}: {error}")]
    Ring {
        /// 0 from the primary, 1 from the secondary.
        lane: usize,
        /// What is wrong with it.
        error: mpmc::AttachError,
    },
    /// The segment is not aligned as a segment must be.
    #[error(transparent)]
    View(#[from] ViewError),
}

impl AttachError {
    /// Whether a link is there, only not the one that was asked for.
    pub(super) fn is_difference(&self) -> bool {
        matches!(self, Self::OtherProfile { .. } | Self::Mismatch { .. })
    }
}

/// What the first word of something that is no link looks like, as a part of a sentence.
fn seems(found: u64) -> &'static str {
    // The first field of a ZeroBuffer's control block is its size, in 32 bits.
    if found & u64::from(u32::MAX) == 128 { ", as a ZeroBuffer has it" } else { "" }
}

/// What a caller expects of a link; what is `None` is taken as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Expected {
    /// Slots per direction.
    pub slots: Option<u64>,
    /// Bytes of a slot.
    pub slot_len: Option<u64>,
    /// The layout.
    pub profile: Option<Profile>,
    /// Whether other users may write the segment: one that cuts it short while it is in use ends this process, by SIGBUS on
    /// Linux.
    pub trusts_others: bool,
}

/// Everything of a link that stands in memory.
#[derive(Clone, Debug)]
pub(super) struct Regions<S> {
    pub(super) geometry: Geometry,
    pub(super) lanes: [Lane<S>; 2],
    pub(super) extension: Option<Table<S, ExtensionHeader>>,
    pub(super) participants: Option<Table<S, ParticipantEntry>>,
}

impl<S: Segment> Regions<S> {
    /// Makes zeroed memory a link. With an extension if the segment is long enough for it.
    pub(super) fn initialise(segment: &S, geometry: Geometry) -> Result<Self, AttachError> {
        let plan = geometry.plan();
        check_len(segment, &geometry)?;
        let superblock = match geometry.profile() {
            Profile::Superblock => Some(view::<Superblock, S>(segment, 0)?),
            Profile::Seed => None,
        };
        if let Some(superblock) = superblock
            && !superblock.claim()
        {
            return Err(AttachError::NotReady { state: superblock.words().state });
        }
        if segment.len() >= plan.extended_len {
            view::<ExtensionHeader, S>(segment, plan.layout_len)?.initialise(&geometry);
        }
        let regions = Self::see(segment, geometry, Make::Initialise)?;
        if let Some(superblock) = superblock {
            superblock.publish(&geometry);
        }
        Ok(regions)
    }

    /// Checks every word that says what the link is.
    pub(super) fn attach(segment: &S, expected: Expected) -> Result<Self, AttachError> {
        let geometry = identify(segment, expected)?;
        for (field, found, wanted) in [
            ("slots", geometry.slots(), expected.slots),
            ("slot length", geometry.slot_len(), expected.slot_len),
        ] {
            if let Some(wanted) = wanted.filter(|wanted| *wanted != found) {
                return Err(AttachError::Mismatch { field, found, wanted });
            }
        }
        check_len(segment, &geometry)?;
        Self::see(segment, geometry, Make::Attach)
    }

    fn see(segment: &S, geometry: Geometry, make: Make) -> Result<Self, AttachError> {
        let extension = extension(segment, &geometry);
        let participants = extension.as_ref().and_then(|_| {
            let offset = geometry.plan().layout_len + size_of::<ExtensionHeader>();
            Table::new(segment.clone(), offset, PARTICIPANTS).ok()
        });
        let lane = |lane| {
            Lane::new(segment, geometry, lane, make, extension.clone()).map_err(|error| match error {
                LaneError::View(error) => AttachError::View(error),
                LaneError::Ring(error) => AttachError::Ring { lane, error },
            })
        };
        Ok(Self { geometry, lanes: [lane(0)?, lane(1)?], extension, participants })
    }
}

fn check_len<S: Segment>(segment: &S, geometry: &Geometry) -> Result<(), AttachError> {
    let found = segment.len().min(segment.backed_len());
    let wanted = geometry.plan().layout_len;
    if found < wanted { Err(AttachError::TooShort { found, wanted }) } else { Ok(()) }
}

/// The extension of a link of this geometry, if there is one that says the same.
fn extension<S: Segment>(segment: &S, geometry: &Geometry) -> Option<Table<S, ExtensionHeader>> {
    let plan = geometry.plan();
    if segment.len().min(segment.backed_len()) < plan.extended_len {
        return None;
    }
    let table = Table::<S, ExtensionHeader>::new(segment.clone(), plan.layout_len, 1).ok()?;
    let same = table.at(0).geometry().is_ok_and(|found| found == *geometry);
    same.then_some(table)
}

/// Whether the first word says that it is a link, whole or broken.
pub(super) fn says_link<S: Segment>(segment: &S) -> bool {
    segment.len().min(segment.backed_len()) >= size_of::<Superblock>()
        && view::<Superblock, S>(segment, 0)
            .is_ok_and(|superblock| [superblock::MAGIC, mpmc::MAGIC].contains(&superblock.words().magic))
}

fn identify<S: Segment>(segment: &S, expected: Expected) -> Result<Geometry, AttachError> {
    let found = segment.len().min(segment.backed_len());
    if found < size_of::<Superblock>() {
        return Err(AttachError::TooShort { found, wanted: size_of::<Superblock>() });
    }
    let words = view::<Superblock, S>(segment, 0)?.words();
    let profile = match words.magic {
        superblock::MAGIC => Profile::Superblock,
        mpmc::MAGIC => Profile::Seed,
        // Its creator has not come to the magic.
        0 if words.state <= superblock::INITIALISING => {
            return Err(AttachError::NotReady { state: words.state });
        }
        found => return Err(AttachError::NotALink { found }),
    };
    if let Some(wanted) = expected.profile.filter(|wanted| *wanted != profile) {
        return Err(AttachError::OtherProfile { found: profile, wanted });
    }
    match profile {
        Profile::Superblock => from_superblock(words),
        Profile::Seed => from_rings(segment, expected),
    }
}

fn from_superblock(words: superblock::Words) -> Result<Geometry, AttachError> {
    if words.state != superblock::READY {
        return Err(AttachError::NotReady { state: words.state });
    }
    if !words.is_spoken() {
        return Err(AttachError::Version { major: words.major, minor: words.minor });
    }
    let geometry = Geometry::new(words.slots, words.slot_len, words.page, Profile::Superblock)?;
    let wanted = geometry.plan().layout_len as u64;
    if words.layout_len != wanted {
        return Err(AttachError::Mismatch { field: "layout length", found: words.layout_len, wanted });
    }
    Ok(geometry)
}

/// Page size that the seed profile is made with where nothing says another.
const SEED_PAGE: u64 = 4096;
const SEED_PAGE_LEN: usize = 4096;

fn from_rings<S: Segment>(segment: &S, expected: Expected) -> Result<Geometry, AttachError> {
    // Made by Strait: its extension ends with the segment, or, where segments have whole pages, in the last of them, and
    // knows all numbers.
    let last = segment.len().checked_sub(EXTENSION_LEN).filter(|_| segment.backed_len() >= segment.len());
    for offset in last.into_iter().flat_map(|last| [last, last - last % SEED_PAGE_LEN]) {
        if let Ok(table) = Table::<S, ExtensionHeader>::new(segment.clone(), offset, 1)
            && let Ok(geometry) = table.at(0).geometry()
            && geometry.profile() == Profile::Seed
            && geometry.plan().layout_len == offset
        {
            return Ok(geometry);
        }
    }
    let found = segment.len().min(segment.backed_len());
    if found < size_of::<RingHeader>() {
        return Err(AttachError::TooShort { found, wanted: size_of::<RingHeader>() });
    }
    let [_, slots, _] = view::<RingHeader, S>(segment, 0)?.identity();
    let slot_len = expected.slot_len.ok_or(AttachError::SlotLenUnknown)?;
    Ok(Geometry::new(slots, slot_len, SEED_PAGE, Profile::Seed)?)
}
