//! What does a link hold, for who does not join it?

use strait_core::hqq::{Geometry, Holder, Inspection, Presence, RingState, Side, Standing};
use strait_core::platform::Segment as _;

use super::builder::LinkBuilder;
use super::error::OpenError;
use crate::os::Os;

/// What a link holds. Taken without changing a byte of it; of a link in use the numbers may belong to slightly different
/// moments.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct LinkInfo {
    /// The link.
    pub name: String,
    /// Bytes of its segment.
    pub segment_len: usize,
    /// What it looks like.
    pub geometry: Geometry,
    /// Who uses it, and so whether it may go.
    pub standing: Standing,
    /// Whether it has the words that Strait adds: without them nothing is known of who takes part.
    pub is_strait: bool,
    /// Whether processes that are not Strait may take part.
    pub has_strangers: bool,
    /// Whether the name stays when the last process leaves.
    pub is_kept: bool,
    /// Whether other users may write it: then its messages are copied before they are handed out.
    pub is_shared_widely: bool,
    /// Ring 0, through which the primary sends, and ring 1; looked at after the participants.
    pub rings: [RingState; 2],
    /// Who holds slots of ring 0 and of ring 1, handle by handle. What the rings count beyond that is held by processes that
    /// are not Strait.
    pub holders: [Vec<Holder>; 2],
    /// The handles of all processes; a link in one hand is two.
    pub participants: Vec<Participant>,
}

/// A handle of a process that takes part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Participant {
    /// The process.
    pub pid: u64,
    /// Where it sends from.
    pub side: Side,
    /// Whether it runs, and is still the program that joined; `None` if it cannot be seen from here. One that does not is
    /// removed by whoever next waits for what it held, or opens the link.
    pub alive: Option<bool>,
}

impl LinkInfo {
    /// The ring through which `from` sends.
    pub fn ring(&self, from: Side) -> &RingState {
        let [primary, secondary] = &self.rings;
        match from {
            Side::Primary => primary,
            Side::Secondary => secondary,
        }
    }

    /// Handles of a side whose processes run, or may.
    pub fn living(&self, side: Side) -> usize {
        self.participants.iter().filter(|one| one.side == side && one.alive != Some(false)).count()
    }
}

/// Looks at the link `name`, without joining it.
///
/// # Errors
/// As [`LinkBuilder::inspect`].
pub fn inspect(name: &str) -> Result<LinkInfo, OpenError> {
    LinkBuilder::new(name).inspect()
}

impl LinkBuilder {
    /// Looks at the link, without joining it. Of the options the slots, their length and the profile are looked at: a link
    /// of the seed profile that Strait has not made does not know its slot length.
    ///
    /// # Errors
    /// [`OpenError::BadName`], [`OpenError::NotFound`], [`OpenError::Os`]; [`OpenError::Attach`] if what is there is no
    /// link, or not the expected one.
    pub fn inspect(&self) -> Result<LinkInfo, OpenError> {
        use strait_core::platform::Platform as _;
        let segment = Os.open_read_only(&self.name()?).map_err(|error| self.error(error))?;
        let link = Inspection::of(&segment, self.expected())
            .map_err(|source| OpenError::Attach { name: self.text(), source })?;
        // Before the rings: if nobody is left who sends, what stands in the rings is all that there will be.
        let participants = link.presences(&Os).map(|(identity, side, presence)| {
            let alive = match presence {
                Presence::Here => Some(true),
                Presence::Gone => Some(false),
                Presence::Unknown => None,
            };
            Participant { pid: identity.pid.0, side, alive }
        });
        let participants = participants.collect();
        let standing = link.standing(&Os);
        Ok(LinkInfo {
            standing,
            name: self.text().to_string(),
            segment_len: segment.len(),
            geometry: link.geometry(),
            is_strait: link.has_extension(),
            has_strangers: link.has_strangers(),
            is_kept: link.is_kept(),
            is_shared_widely: Os.is_shared_widely(&segment),
            rings: [Side::Primary, Side::Secondary].map(|side| link.ring(side)),
            holders: [Side::Primary, Side::Secondary].map(|side| link.holders(side).collect()),
            participants,
        })
    }

    pub(super) fn error(&self, error: crate::os::OsError) -> OpenError {
        use strait_core::platform::{FaultKind, PlatformError as _};
        match error.kind() {
            FaultKind::NotFound => OpenError::NotFound { name: self.text() },
            _ => OpenError::Os { name: self.text(), source: Box::new(error) },
        }
    }
}
