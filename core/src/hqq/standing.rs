//! Whether a link that stands under a name may go: who uses it decides, and nothing else.

use core::fmt;

use super::base::lock;
use super::error::OpenError;
use super::extension::PARTICIPANTS;
use super::inspect::Inspection;
use super::presence::Presence;
use super::regions::{Expected, Regions, says_link};
use crate::name::Name;
use crate::platform::{FaultKind, Liveness, Platform, PlatformError as _, Segment};

/// Who uses a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Standing {
    /// Processes that run.
    Live {
        /// Their handles.
        handles: usize,
    },
    /// Nobody, and it was made to stay.
    Kept,
    /// Nobody: whoever did has ended, which is proven. The next one who makes a link of that name replaces it.
    Dead,
    /// Somebody may.
    Unsure(Doubt),
}

/// Why it is not known who uses a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Doubt {
    /// It has no table of participants: another implementation made it.
    NoTable,
    /// Processes of other implementations may take part, which are in no table.
    Strangers,
    /// Processes take part, or did, that cannot be seen from here.
    Hidden {
        /// Their handles.
        handles: usize,
    },
    /// Somebody holds the lock of a place and is not in the table.
    Held {
        /// The place.
        place: usize,
    },
    /// There are more bytes than a link of its numbers has.
    Longer {
        /// Bytes of the segment.
        found: usize,
        /// Bytes of the link.
        wanted: usize,
    },
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Live { handles } => write!(f, "running processes have {handles} handles of it"),
            Self::Kept => f.write_str("nobody uses it, and it was made to stay until it is removed"),
            Self::Dead => f.write_str("all its processes have ended"),
            Self::Unsure(doubt) => doubt.fmt(f),
        }
    }
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoTable => f.write_str("another implementation made it, which does not say who uses it"),
            Self::Strangers => f.write_str("processes of other implementations may use it"),
            Self::Hidden { handles } => {
                write!(f, "processes that cannot be seen from here have {handles} handles of it, or had")
            }
            Self::Held { place } => {
                write!(f, "somebody holds the lock of place {place} and is not in its table")
            }
            Self::Longer { found, wanted } => {
                write!(f, "it has {found} bytes, and a link of its numbers {wanted}")
            }
        }
    }
}

impl<S: Segment> Inspection<S> {
    /// Who uses it.
    pub fn standing(&self, liveness: &impl Liveness) -> Standing {
        let (mut here, mut hidden) = (0, 0);
        for (_, _, presence) in self.presences(liveness) {
            match presence {
                Presence::Here => here += 1,
                Presence::Unknown => hidden += 1,
                Presence::Gone => {}
            }
        }
        match (here, hidden) {
            (1.., _) => return Standing::Live { handles: here },
            (0, 1..) => return Standing::Unsure(Doubt::Hidden { handles: hidden }),
            (0, 0) => {}
        }
        if !self.has_extension() {
            return Standing::Unsure(Doubt::NoTable);
        }
        let (geometry, found) = (self.geometry(), self.segment().len());
        let wanted = geometry.plan().extended_len;
        // Where segments have whole pages there is more than was asked for.
        if found > wanted.next_multiple_of(usize::try_from(geometry.page()).unwrap_or(1)) {
            return Standing::Unsure(Doubt::Longer { found, wanted });
        }
        // Who is in the table and gone may have forked a child that keeps its lock.
        let strays = (0..PARTICIPANTS).filter(|place| self.is_free(*place));
        if let Some(place) =
            strays.into_iter().find(|place| self.segment().is_place_locked(*place) == Some(true))
        {
            return Standing::Unsure(Doubt::Held { place });
        }
        if self.is_kept() {
            Standing::Kept
        } else if self.has_strangers() {
            Standing::Unsure(Doubt::Strangers)
        } else {
            Standing::Dead
        }
    }
}

/// Removes the link `name` if it is one of Strait's whose processes have all ended, and that is not kept; `false` if there is
/// none. What is no link stays. A new link of that name does this first.
///
/// # Errors
/// As [`remove_unused`].
pub fn remove_dead<P: Platform>(platform: &P, name: &Name) -> Result<bool, OpenError<P::Error>> {
    remove_if(platform, name, |standing| standing == Standing::Dead)
}

/// Removes the link `name` as [`remove_dead`] does if it is another than `expected`. One that fits stays: since the caller
/// looked, somebody may have replaced what did not.
///
/// # Errors
/// [`OpenError::Differs`] if it is another and stays; else as [`remove_dead`].
pub(super) fn remove_dead_unlike<P: Platform>(
    platform: &P,
    name: &Name,
    expected: Expected,
) -> Result<(), OpenError<P::Error>> {
    let Some(segment) = find(platform, name)? else { return Ok(()) };
    let error = match Regions::attach(&segment, expected) {
        Err(error) if error.is_difference() => error,
        _ => return Ok(()),
    };
    match remove_this_if(platform, name, &segment, |standing| standing == Standing::Dead) {
        Err(OpenError::AlreadyExists { standing }) => Err(OpenError::Differs { error, standing }),
        outcome => outcome.map(drop),
    }
}

/// Removes the link `name` if nobody uses it, kept or not; `false` if there is none. What is no link stays.
///
/// # Errors
/// Why it stays: [`OpenError::AlreadyExists`], [`OpenError::NotALink`], [`OpenError::Attach`] if it cannot be told who uses
/// it, [`OpenError::Busy`], [`OpenError::Os`].
pub fn remove_unused<P: Platform>(platform: &P, name: &Name) -> Result<bool, OpenError<P::Error>> {
    remove_if(platform, name, |standing| matches!(standing, Standing::Dead | Standing::Kept))
}

/// Removes the link `name`, whoever uses it: nobody finds it any more, and who has it open keeps it. `false` if there is
/// none. What is no link stays.
///
/// # Errors
/// [`OpenError::NotALink`], [`OpenError::Os`].
pub fn remove<P: Platform>(platform: &P, name: &Name) -> Result<bool, OpenError<P::Error>> {
    let Some(segment) = find(platform, name)? else { return Ok(false) };
    match Inspection::of(&segment, Expected::default()) {
        Err(error) if !says_link(&segment) => Err(OpenError::NotALink(error)),
        // Broken or not, it says that it is a link.
        _ => platform.remove_this_segment(name, &segment).map_err(OpenError::Os),
    }
}

fn remove_if<P: Platform>(
    platform: &P,
    name: &Name,
    may_go: impl Fn(Standing) -> bool,
) -> Result<bool, OpenError<P::Error>> {
    match find(platform, name)? {
        Some(segment) => remove_this_if(platform, name, &segment, may_go),
        None => Ok(false),
    }
}

fn remove_this_if<P: Platform>(
    platform: &P,
    name: &Name,
    segment: &P::Segment,
    may_go: impl Fn(Standing) -> bool,
) -> Result<bool, OpenError<P::Error>> {
    let link = Inspection::of(segment, Expected::default()).map_err(|error| match says_link(segment) {
        true => OpenError::Attach(error),
        false => OpenError::NotALink(error),
    })?;
    let check = || match link.standing(platform) {
        standing if may_go(standing) => Ok(()),
        standing => Err(OpenError::AlreadyExists { standing }),
    };
    // Nothing is locked where somebody lives.
    check()?;
    let _membership = lock(platform, segment, name)?;
    // Who joins does so under the lock.
    check()?;
    platform.remove_this_segment(name, segment).map_err(OpenError::Os)
}

fn find<P: Platform>(platform: &P, name: &Name) -> Result<Option<P::Segment>, OpenError<P::Error>> {
    match platform.open_segment(name) {
        Ok(segment) => Ok(Some(segment)),
        Err(error) if error.kind() == FaultKind::NotFound => Ok(None),
        Err(error) => Err(OpenError::Os(error)),
    }
}
