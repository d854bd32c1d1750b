//! Whether a segment is still as long as it was: looks at its size before its bytes are touched.

use super::error::{MetadataError, ReadError, WriteError};
use crate::platform::{Platform, Segment};

/// Where others may cut the segment short, its size is looked at again when the last look is more stamps old than this,
/// some 2 µs: about as long as the caller needs to touch the bytes, so that looking more often would not make it safer.
pub(super) const RECHECK: u64 = 4000;

/// A segment that somebody has cut short.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CutShort {
    pub(super) found: usize,
    pub(super) needed: usize,
}

/// Fails if the segment was cut short.
pub(super) fn check<S: Segment>(segment: &S) -> Result<(), CutShort> {
    let (found, needed) = (segment.backed_len(), segment.len());
    if found < needed { Err(CutShort { found, needed }) } else { Ok(()) }
}

/// When an end looks at the size of its segment.
#[derive(Debug)]
pub(super) struct SizeWatch {
    /// Whether others may cut it short: only then a look at each frame is worth its price.
    is_wary: bool,
    /// Stamp of the last look.
    checked: Option<u64>,
}

impl SizeWatch {
    pub(super) fn new<P: Platform>(platform: &P, segment: &P::Segment) -> Self {
        Self { is_wary: platform.others_may_cut(segment), checked: None }
    }

    pub(super) fn is_wary(&self) -> bool {
        self.is_wary
    }

    /// Looks before a frame is touched, where others may cut the segment short.
    #[inline]
    pub(super) fn at_frame<P: Platform>(
        &mut self,
        platform: &P,
        segment: &P::Segment,
    ) -> Result<(), CutShort> {
        if self.is_wary { self.look(platform, segment) } else { Ok(()) }
    }

    /// Looks, unless the last look was a moment ago.
    pub(super) fn look<P: Platform>(&mut self, platform: &P, segment: &P::Segment) -> Result<(), CutShort> {
        let stamp = platform.stamp();
        if self.checked.is_some_and(|last| stamp.wrapping_sub(last) < RECHECK) {
            return Ok(());
        }
        check(segment)?;
        self.checked = Some(stamp);
        Ok(())
    }
}

impl<E> From<CutShort> for ReadError<E> {
    fn from(CutShort { found, needed }: CutShort) -> Self {
        Self::Truncated { found, needed }
    }
}

impl<E> From<CutShort> for WriteError<E> {
    fn from(CutShort { found, needed }: CutShort) -> Self {
        Self::Truncated { found, needed }
    }
}

impl From<CutShort> for MetadataError {
    fn from(CutShort { found, needed }: CutShort) -> Self {
        Self::Truncated { found, needed }
    }
}
