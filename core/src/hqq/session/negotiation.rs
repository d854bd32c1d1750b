//! How two ends agree on version, features and capabilities, whoever asks first.
//!
//! ```text
//!            negotiate                Ack that grants no more than was requested
//!   None ───────────────► Negotiating ──────────────────────────────────────────► Negotiated
//!    │                      │     │ ▲                                                  ▲
//!    │ Negotiate: Ack       │     │ └─ Negotiate of a Strait Secondary: dropped        │
//!    └──────────────────────┼─────┼────────────────────────────────────────────────────┤
//!                           │     └─ Negotiate of a Strait Primary, or of others: Ack ─┘
//!                           └─ error with context 0, an Ack that grants too much ──► Failed
//! ```
//!
//! A request or an answer of another major version fails in each state before `Negotiated`. When both ends request,
//! a Strait Primary's request wins. Others ignore a request while they wait for their answer, so they get it.
//!
//! Source: the protocol document, "Negotiation Flow"; gosuda/HQQ at fb15cd8, whose responder and requester both reject
//! bits that were not requested.
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use super::Side;
use super::error::{CommandError, PeerError};
use super::message::allowed_flags;
use crate::hqq::packet::{Offer, Operation};
use crate::hqq::{Capabilities, ChunkFlags, Features, Profile, Version};

/// What two ends have agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Agreed {
    /// Highest version of both.
    pub version: Version,
    /// Features of both.
    pub features: Features,
    /// Capabilities of both.
    pub capabilities: Capabilities,
    /// Random words of both ends, if the peer is Strait: ours, theirs.
    pub salts: Option<([u64; 3], [u64; 3])>,
}

impl Agreed {
    /// Whether the peer is Strait too.
    pub const fn peer_is_strait(&self) -> bool {
        self.salts.is_some()
    }

    pub(super) const fn has(&self, feature: Features) -> bool {
        self.features.contains(feature)
    }

    /// Whether messages are acknowledged.
    pub const fn is_reliable(&self) -> bool {
        self.capabilities.contains(Capabilities::RELIABLE_DELIVERY)
    }

    pub(super) const fn flags(&self) -> ChunkFlags {
        allowed_flags(self.features, self.capabilities)
    }
}

/// Where a negotiation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Nobody has asked.
    None,
    /// We have asked.
    Negotiating,
    /// Both ends agree.
    Negotiated(Agreed),
    /// It has failed, until the peer is lost.
    Failed,
}

/// What follows from a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// Ours wins.
    Dropped,
    /// It is granted; the packet is for the peer.
    Granted(Operation, Agreed),
}

/// The state machine.
#[derive(Debug)]
pub(super) struct Negotiation {
    side: Side,
    profile: Profile,
    ours: Offer,
    salt: [u64; 3],
    state: State,
    /// What goes without a negotiation, once that was decided.
    standard: Option<Agreed>,
    /// The salt of a peer that is dead: its request may still be in the ring.
    lost: Option<[u64; 3]>,
}

impl Negotiation {
    /// `ours` is what we offer; its salt is ignored.
    pub(super) fn new(side: Side, profile: Profile, ours: Offer, salt: [u64; 3]) -> Self {
        Self {
            side,
            profile,
            ours: Offer { salt: Some(salt), ..ours },
            salt,
            state: State::None,
            standard: None,
            lost: None,
        }
    }

    pub(super) const fn state(&self) -> State {
        self.state
    }

    pub(super) const fn agreed(&self) -> Option<&Agreed> {
        match &self.state {
            State::Negotiated(agreed) => Some(agreed),
            _ => None,
        }
    }

    /// Nothing is negotiated, and nothing will be.
    pub(super) fn go_standard(&mut self) -> Result<Agreed, CommandError> {
        if matches!(self.state, State::Negotiated(_)) {
            return self.standard.ok_or(CommandError::AlreadyNegotiated);
        }
        let agreed = Agreed {
            version: self.profile.version(),
            features: match self.profile {
                Profile::Superblock => Features::NONE,
                // Its document's chunks have a total and an offset, negotiated or not.
                Profile::Seed => Features::LARGE_COPY,
            },
            capabilities: Capabilities::NONE,
            salts: None,
        };
        (self.standard, self.state) = (Some(agreed), State::Negotiated(agreed));
        Ok(agreed)
    }

    pub(super) const fn is_standard(&self) -> bool {
        self.standard.is_some()
    }

    /// The request to send.
    pub(super) fn request(&mut self) -> Result<Operation, CommandError> {
        if self.state != State::None {
            return Err(CommandError::AlreadyNegotiated);
        }
        self.state = State::Negotiating;
        Ok(Operation::Negotiate(self.ours))
    }

    pub(super) fn handle_request(&mut self, offer: &Offer) -> Result<Answer, PeerError> {
        if offer.salt.is_some() && offer.salt == self.lost {
            return Err(PeerError::StaleNegotiate);
        }
        if matches!(self.state, State::Negotiated(_) | State::Failed) {
            return Err(PeerError::UnexpectedNegotiate { offer: *offer });
        }
        if offer.version.major != self.profile.version().major {
            self.state = State::Failed;
            return Err(PeerError::MajorVersion { found: offer.version });
        }
        let crossing = self.state == State::Negotiating;
        if crossing && self.side == Side::Primary && offer.salt.is_some() {
            return Ok(Answer::Dropped);
        }
        let granted = Offer {
            version: offer.version.min(self.profile.version()),
            features: self.understood(self.ours.features.intersection(offer.features), offer.salt),
            capabilities: understood_capabilities(
                self.ours.capabilities.intersection(offer.capabilities),
                offer.salt,
            ),
            // Others know no mark: what stands in those operands must be 0.
            salt: offer.salt.map(|_| self.salt),
        };
        let agreed = self.agree(&granted, offer.salt);
        Ok(Answer::Granted(Operation::Ack(granted), agreed))
    }

    pub(super) fn handle_ack(&mut self, granted: &Offer) -> Result<Agreed, PeerError> {
        if self.state != State::Negotiating {
            return Err(PeerError::UnexpectedAck { offer: *granted });
        }
        let fits = granted.version.major == self.ours.version.major
            && granted.version <= self.ours.version
            && self.ours.features.contains(granted.features)
            && self.ours.capabilities.contains(granted.capabilities);
        if !fits {
            self.state = State::Failed;
            return Err(PeerError::BadAck { requested: self.ours, granted: *granted });
        }
        Ok(self.agree(granted, granted.salt))
    }

    /// The peer refuses; whether that ends a negotiation.
    pub(super) fn handle_refusal(&mut self) -> bool {
        let negotiating = self.state == State::Negotiating;
        if negotiating {
            self.state = State::Failed;
        }
        negotiating
    }

    /// The peer is dead; the next one is greeted with `salt`.
    pub(super) fn lose(&mut self, salt: [u64; 3]) {
        if let State::Negotiated(Agreed { salts: Some((_, theirs)), .. }) = self.state {
            self.lost = Some(theirs);
        }
        self.ours.salt = Some(salt);
        self.salt = salt;
        self.state = self.standard.map_or(State::None, State::Negotiated);
    }

    fn agree(&mut self, granted: &Offer, theirs: Option<[u64; 3]>) -> Agreed {
        let agreed = Agreed {
            version: granted.version,
            features: self.understood(granted.features, theirs),
            capabilities: understood_capabilities(granted.capabilities, theirs),
            salts: theirs.map(|theirs| (self.salt, theirs)),
        };
        self.state = State::Negotiated(agreed);
        agreed
    }

    /// Others grant bits whose meaning on the wire nobody has written down; we do not take them at their word.
    fn understood(&self, features: Features, salt: Option<[u64; 3]>) -> Features {
        match (salt, self.profile) {
            (Some(_), _) => features,
            (None, Profile::Superblock) => features.intersection(Features::KNOWN_TO_ALL),
            // Calls need flags, and the protocol document's chunks have none.
            (None, Profile::Seed) => features.intersection(Features::LARGE_COPY),
        }
    }
}

fn understood_capabilities(capabilities: Capabilities, salt: Option<[u64; 3]>) -> Capabilities {
    if salt.is_some() { capabilities } else { capabilities.intersection(Capabilities::KNOWN_TO_ALL) }
}
