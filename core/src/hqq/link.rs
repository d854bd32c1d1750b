//! Makes and opens links by name, and settles who is the primary.

use core::time::Duration;

use super::base::{Base, Recovered, lock};
use super::consumer::Consumer;
use super::error::{OpenError, Role};
use super::extension::Member;
use super::layout::{Geometry, Side};
use super::port::sealed::Port as _;
use super::producer::Producer;
use super::regions::{AttachError, Expected, Regions};
use super::standing::{Standing, remove_dead, remove_dead_unlike};
use crate::name::Name;
use crate::platform::{Access, FaultKind, Platform, PlatformError as _, Segment as _};

/// How long an opener waits for a creator that has not ended.
const PATIENCE: Duration = Duration::from_secs(1);

/// Opening anew, because the link was removed or made between two looks.
const MOST_TRIES: u32 = 100;

/// How a link is made.
#[derive(Clone, Copy, Debug)]
pub struct Creation {
    /// What it looks like.
    pub geometry: Geometry,
    /// Who may open it.
    pub access: Access,
    /// The side to take; `Auto` is the primary.
    pub role: Role,
    /// Whether processes that are not Strait will take part: they are waited for by polling, and nothing that they may
    /// hold is recovered without being told.
    pub strangers: bool,
    /// Whether the name stays when the last participant leaves.
    pub keep: bool,
}

/// A link: its two halves, before they go separate ways.
#[derive(Debug)]
pub struct Link<P: Platform> {
    /// The half that sends.
    pub producer: Producer<P>,
    /// The half that receives.
    pub consumer: Consumer<P>,
}

impl<P: Platform> Link<P> {
    /// Makes a link. On systems that can, it gets its name when it is ready.
    ///
    /// A link of that name whose participants are all proven dead, and which is not kept, is replaced.
    ///
    /// # Errors
    /// [`OpenError::AlreadyExists`] if the link of that name is in use, may be, or is kept; [`OpenError::NotALink`] if the
    /// name belongs to something else. Both stay as they are.
    pub fn create(platform: P, name: &Name, creation: Creation) -> Result<Self, OpenError<P::Error>> {
        // Bounded: each further turn means that somebody made a link in between, and died.
        for _ in 0..MOST_TRIES {
            if let Some(link) = Self::create_once(&platform, name, creation)? {
                return Ok(link);
            }
            remove_dead(&platform, name)?;
        }
        Err(OpenError::AlreadyExists { standing: Standing::Dead })
    }

    /// `None` if the name is taken.
    fn create_once(
        platform: &P,
        name: &Name,
        creation: Creation,
    ) -> Result<Option<Self>, OpenError<P::Error>> {
        let side = match creation.role {
            Role::Auto | Role::Primary => Side::Primary,
            Role::Secondary => Side::Secondary,
        };
        let geometry = creation.geometry;
        let mut made = Err(AttachError::TooShort { found: 0, wanted: geometry.plan().extended_len });
        let mut prepare = |segment: &P::Segment| {
            made = Regions::initialise(segment, geometry);
            let Ok(regions) = &made else { return };
            if let (Some(extension), Some(participants)) = (&regions.extension, &regions.participants) {
                extension.at(0).keep(creation.keep);
                if creation.strangers {
                    extension.at(0).expect_strangers();
                }
                // Before the link has its name: nobody sees it without a primary.
                for place in [0, 1] {
                    let (identity, serial) = (platform.identity(), extension.at(0).next_serial());
                    let guarded = segment.lock_place(place);
                    participants.at(place).join(Member { identity, side, serial, guarded });
                }
            }
        };
        let len = geometry.plan().extended_len;
        let segment = match platform.create_prepared(name, len, creation.access, &mut prepare) {
            Err(error) if error.kind() == FaultKind::AlreadyExists => return Ok(None),
            outcome => outcome.map_err(open_error)?,
        };
        let regions = made?;
        let seated = regions.participants.is_some();
        let mut first = Base::new(platform.clone(), name.clone(), segment, regions, side);
        let mut second = first.another();
        if seated {
            first.sit_at(0);
            second.sit_at(1);
        }
        Ok(Some(Self::of(first, second)))
    }

    fn of(first: Base<P>, second: Base<P>) -> Self {
        let policy = first.platform.wait_policy();
        Self { producer: Producer::new(first, policy), consumer: Consumer::new(second, policy) }
    }

    /// Opens a link. What dead participants held is recovered first.
    ///
    /// # Errors
    /// [`OpenError::NotFound`]; [`OpenError::Attach`] if the segment is not the link that was expected, after a second
    /// if somebody is still making it; [`OpenError::OthersMayWrite`] unless they are [trusted](Expected::trusts_others);
    /// [`OpenError::TooManyHandles`]; [`OpenError::Busy`].
    pub fn open(
        platform: P,
        name: &Name,
        expected: Expected,
        role: Role,
    ) -> Result<Self, OpenError<P::Error>> {
        let until = platform.now().saturating_add(PATIENCE);
        // Bounded by the clock for links that are being made, by tries for those that are being removed.
        let mut removed = 0;
        loop {
            match Self::open_once(&platform, name, expected, role) {
                Err(OpenError::Attach(AttachError::NotReady { .. } | AttachError::Ring { .. }))
                    if platform.now() < until =>
                {
                    platform.sleep_until(platform.now().saturating_add(Duration::from_millis(1)));
                }
                Ok(None) if removed < MOST_TRIES => removed += 1,
                Ok(None) => return Err(OpenError::NotFound),
                Ok(Some(link)) => return Ok(link),
                Err(error) => return Err(error),
            }
        }
    }

    /// `None` if the link was removed while it was being opened.
    fn open_once(
        platform: &P,
        name: &Name,
        expected: Expected,
        role: Role,
    ) -> Result<Option<Self>, OpenError<P::Error>> {
        let segment = platform.open_segment(name).map_err(open_error)?;
        // Before a byte of it is touched.
        if !expected.trusts_others && platform.others_may_cut(&segment) {
            return Err(OpenError::OthersMayWrite);
        }
        let regions = Regions::attach(&segment, expected)?;
        let side = match role {
            Role::Primary => Side::Primary,
            Role::Auto | Role::Secondary => Side::Secondary,
        };
        let mut first = Base::new(platform.clone(), name.clone(), segment, regions, side);
        if !first.has_table() {
            let second = first.another();
            return Ok(Some(Self::of(first, second)));
        }
        let membership = lock(platform, &first.segment, name)?;
        if !first.segment.is_linked() {
            return Ok(None);
        }
        first.recover_locked(&membership);
        if role == Role::Auto && first.living(Side::Primary) == 0 {
            first.side = Side::Primary;
        }
        let mut second = first.another();
        let sat = first.sit(&membership).and_then(|()| second.sit(&membership));
        // Before a handle is dropped, which takes the lock itself.
        drop(membership);
        sat?;
        Ok(Some(Self::of(first, second)))
    }

    /// Opens the link of that name, or makes it. One that looks different is replaced if [`create`](Self::create) would.
    ///
    /// # Errors
    /// As [`create`](Self::create) and [`open`](Self::open); [`OpenError::Differs`] if a link that looks different stays.
    pub fn open_or_create(
        platform: P,
        name: &Name,
        creation: Creation,
        expected: Expected,
    ) -> Result<Self, OpenError<P::Error>> {
        // Bounded: each further turn means that the link was removed in between.
        for _ in 0..MOST_TRIES {
            if let Some(link) = Self::create_once(&platform, name, creation)? {
                return Ok(link);
            }
            match Self::open(platform.clone(), name, expected, creation.role) {
                Err(OpenError::NotFound) => {}
                Err(OpenError::Attach(error)) if error.is_difference() => {
                    remove_dead_unlike(&platform, name, expected)?;
                }
                outcome => return outcome,
            }
        }
        Err(OpenError::NotFound)
    }

    /// What it looks like.
    pub fn geometry(&self) -> Geometry {
        self.producer.base().regions.geometry
    }

    /// Which side this is.
    pub fn side(&self) -> Side {
        self.producer.base().side
    }
}

fn open_error<E: crate::platform::PlatformError>(error: E) -> OpenError<E> {
    match error.kind() {
        FaultKind::NotFound => OpenError::NotFound,
        _ => OpenError::Os(error),
    }
}

/// What both halves can say of their link.
macro_rules! common {
    ($half:ident) => {
        impl<P: Platform> $half<P> {
            /// What the link looks like.
            pub fn geometry(&self) -> Geometry {
                self.base().regions.geometry
            }

            /// Which side this is.
            pub fn side(&self) -> Side {
                self.base().side
            }

            /// Whether processes that are not Strait may take part.
            pub fn has_strangers(&self) -> bool {
                self.base().has_strangers()
            }

            /// Says that processes that are not Strait take part from now on.
            pub fn expect_strangers(&self) {
                if let Some(extension) = &self.base().regions.extension {
                    extension.at(0).expect_strangers();
                }
            }

            /// Takes the name away from this very link; `false` if it belongs to another one by now, or to none.
            ///
            /// # Errors
            /// [`OpenError::Os`].
            pub fn unlink(&self) -> Result<bool, OpenError<P::Error>> {
                let base = self.base();
                base.check_owner()?;
                base.platform.remove_this_segment(&base.name, &base.segment).map_err(OpenError::Os)
            }

            /// Living handles of a side, as far as the link's table knows.
            pub fn living(&self, side: Side) -> usize {
                self.base().living(side)
            }

            /// Recovers what processes that are not Strait held on `side`. The caller vouches that all processes of that side
            /// have ended and no new one has come; what a living one holds would be sent or overwritten under its hands.
            ///
            /// # Errors
            /// [`OpenError::SideInUse`] if handles of that side are in the table whose processes run, or may, the caller's own
            /// among them; [`OpenError::Busy`] and what the system says.
            pub fn recover_side(&mut self, side: Side) -> Result<Recovered, OpenError<P::Error>> {
                self.base_mut().recover_side(side)
            }

            /// The number that this handle was given when it joined, unlike any other's on this link; `None` on links of
            /// other implementations.
            pub fn serial(&self) -> Option<u64> {
                self.base().serial()
            }

            /// Whether the handle of that number is on a side, and lives, or may.
            pub fn has_member(&self, side: Side, serial: u64) -> bool {
                self.base().has_member(side, serial)
            }

            /// Recovers what dead participants hold if it is in the way of the next attempt.
            pub fn recover_if_stuck(&mut self) {
                if self.lane().is_stuck(Self::WAITS) {
                    self.base_mut().recover();
                }
            }

            /// Recovers what dead participants held, now; `false` if some of it has to wait.
            pub fn recover(&mut self) -> bool {
                self.base_mut().recover()
            }

            /// What this handle has recovered and not yet told by `take_recovered`.
            pub fn recovered(&self) -> Recovered {
                self.base().recovered()
            }

            /// Whether other users may write the segment.
            pub fn is_shared_widely(&self) -> bool {
                let base = self.base();
                base.platform.is_shared_widely(&base.segment)
            }

            /// Tombstones and lost messages of dead participants so far, ring 0 then ring 1.
            pub fn recovered_in_all(&self) -> [(u64, u64); 2] {
                self.base()
                    .regions
                    .extension
                    .as_ref()
                    .map_or([(0, 0); 2], |extension| extension.at(0).recovered())
            }
        }
    };
}
common!(Producer);
common!(Consumer);
