//! Options of a link, and how it is made or opened.

use std::sync::Arc;
use std::time::Duration;

use strait_core::hqq::{Creation, Expected, Geometry, Link as CoreLink, Profile, Role};
use strait_core::name::Name;
use strait_core::platform::{Access, Platform as _, WaitPolicy};

use super::error::OpenError;
use super::link::Link;
use crate::os::Os;

/// Slots of a link that nobody gave a number for.
const DEFAULT_SLOTS: u64 = 1024;
/// Bytes of its slots.
const DEFAULT_SLOT_LEN: u64 = 4096;

/// Options of a [`Link`].
#[derive(Clone, Debug)]
#[must_use]
pub struct LinkBuilder {
    name: Arc<str>,
    slots: Option<u64>,
    slot_len: Option<u64>,
    profile: Option<Profile>,
    role: Role,
    access: Access,
    foreign_peers: bool,
    keep: bool,
    timeout: Duration,
    copy_slots: bool,
    trust_others: bool,
    wait_policy: Option<WaitPolicy>,
}

impl LinkBuilder {
    pub(super) fn new(name: &str) -> Self {
        Self {
            name: name.into(),
            slots: None,
            slot_len: None,
            profile: None,
            role: Role::Auto,
            access: Access::default(),
            foreign_peers: false,
            keep: false,
            timeout: Duration::MAX,
            copy_slots: false,
            trust_others: false,
            wait_policy: None,
        }
    }

    /// Slots per direction, a power of two, at least 2; 1024 when the link is made, and whatever it has when it is opened.
    /// A number given here must be the link's.
    pub fn slots(mut self, slots: u64) -> Self {
        self.slots = Some(slots);
        self
    }

    /// Bytes of a slot, a multiple of 8; 4096 when the link is made, and whatever it has when it is opened. A number given
    /// here must be the link's. One message fits one slot.
    pub fn slot_len(mut self, bytes: u64) -> Self {
        self.slot_len = Some(bytes);
        self
    }

    /// The layout and numbering; [`Profile::Superblock`] when the link is made, and whatever it is when it is opened.
    pub fn profile(mut self, profile: Profile) -> Self {
        self.profile = Some(profile);
        self
    }

    /// Takes the primary's side, which sends through ring 0. Several processes may.
    ///
    /// Without this or [`secondary`](Self::secondary): primary if nobody living is, secondary otherwise.
    pub fn primary(mut self) -> Self {
        self.role = Role::Primary;
        self
    }

    /// Takes the secondary's side, which sends through ring 1. Several processes may.
    pub fn secondary(mut self) -> Self {
        self.role = Role::Secondary;
        self
    }

    /// Permission bits when the link is made, whatever the umask; 0600 by default. With bits that let others write,
    /// messages are copied before they are handed out, and those others are [trusted](Self::trust_others) with not cutting
    /// the link short. On Windows 0600 and 0666 only.
    pub fn mode(mut self, mode: u32) -> Self {
        self.access.mode = mode & 0o777;
        self
    }

    /// Numeric group that shall own the link when it is made; set [`mode`](Self::mode) to let it in. Not on Windows.
    pub fn group(mut self, group: u32) -> Self {
        self.access.group = Some(group);
        self
    }

    /// Says that programs of other implementations will open the link: waits look once a millisecond at least instead of
    /// relying on doorbells, and slots that dead processes held are recovered only by [`Link::recover_side`].
    pub fn foreign_peers(mut self) -> Self {
        self.foreign_peers = true;
        self
    }

    /// Keeps the name when the last process leaves; [`Link::remove`] removes it.
    pub fn keep(mut self) -> Self {
        self.keep = true;
        self
    }

    /// How long sends and receives wait; for ever by default.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Hands out private copies, taken once, instead of slices of shared memory: for senders that are not trusted to leave
    /// a slot alone while it is read.
    pub fn copy_slots(mut self, copy: bool) -> Self {
        self.copy_slots = copy;
        self
    }

    /// Opens the link also where other users may write it. One of them can cut its file short while it is in use, which ends
    /// this process with SIGBUS: no check can prevent it. Without this such a link is refused, unless
    /// [`mode`](Self::mode) lets others in. Windows has no such links.
    pub fn trust_others(mut self, trust: bool) -> Self {
        self.trust_others = trust;
        self
    }

    /// How long waits poll before they sleep; by default what suits this machine.
    pub fn wait_policy(mut self, policy: WaitPolicy) -> Self {
        self.wait_policy = Some(policy);
        self
    }

    /// Makes the link; replaces one of Strait's whose processes have all ended, which must be proven, unless it is
    /// [kept](Self::keep), or programs of other implementations may use it. Whatever else has the name stays as it is.
    ///
    /// # Errors
    /// [`OpenError`]: bad name or numbers, a name in use, full memory, no rights. Nothing is left behind.
    pub fn create(self) -> Result<Link, OpenError> {
        let (name, creation) = (self.name()?, self.creation()?);
        let link =
            CoreLink::create(Os, &name, creation).map_err(|error| OpenError::new(&self.name, error))?;
        Ok(self.finish(link))
    }

    /// Opens the link.
    ///
    /// # Errors
    /// [`OpenError`]: no such link, another one than asked for, no rights.
    pub fn open(self) -> Result<Link, OpenError> {
        let (name, expected) = (self.name()?, self.expected());
        let link = CoreLink::open(Os, &name, expected, self.role);
        Ok(self.clone().finish(link.map_err(|error| OpenError::new(&self.name, error))?))
    }

    /// Opens the link, or makes it if there is none. One that is not as asked for is replaced if [`create`](Self::create)
    /// would replace it.
    ///
    /// # Errors
    /// As [`create`](Self::create) and [`open`](Self::open); [`OpenError::Differs`] if one stays that is not as asked for.
    pub fn open_or_create(self) -> Result<Link, OpenError> {
        let (name, creation, expected) = (self.name()?, self.creation()?, self.expected());
        let link = CoreLink::open_or_create(Os, &name, creation, expected);
        Ok(self.clone().finish(link.map_err(|error| OpenError::new(&self.name, error))?))
    }

    pub(super) fn text(&self) -> Arc<str> {
        Arc::clone(&self.name)
    }

    pub(super) fn name(&self) -> Result<Name, OpenError> {
        Name::new(&self.name).map_err(|source| OpenError::BadName { name: Arc::clone(&self.name), source })
    }

    fn creation(&self) -> Result<Creation, OpenError> {
        let (slots, slot_len) =
            (self.slots.unwrap_or(DEFAULT_SLOTS), self.slot_len.unwrap_or(DEFAULT_SLOT_LEN));
        let geometry =
            Geometry::new(slots, slot_len, Os.page_size() as u64, self.profile.unwrap_or_default());
        let geometry =
            geometry.map_err(|source| OpenError::Geometry { name: Arc::clone(&self.name), source })?;
        Ok(Creation {
            geometry,
            access: self.access,
            role: self.role,
            strangers: self.foreign_peers,
            keep: self.keep,
        })
    }

    pub(super) fn expected(&self) -> Expected {
        // Who lets others in trusts them.
        let trusts_others = self.trust_others || self.access.mode & 0o022 != 0;
        Expected { slots: self.slots, slot_len: self.slot_len, profile: self.profile, trusts_others }
    }

    fn finish(self, mut link: CoreLink<Os>) -> Link {
        if let Some(policy) = self.wait_policy {
            link.producer.set_wait_policy(policy);
            link.consumer.set_wait_policy(policy);
        }
        if self.foreign_peers {
            link.producer.expect_strangers();
        }
        tracing::debug!(link = &*self.name, side = %link.side(), "link opened");
        let copies = self.copy_slots || link.producer.is_shared_widely();
        let mut link = Link::of(link, self.name, self.timeout, copies);
        // By the opening.
        link.sender().note_recovered();
        link
    }
}
