//! The Advanced link as a state machine: packets in, packets and events out. No memory, no clock, no heap.
//!
//! ```text
//!                 handle_packet(now, packet) ──► Event          begin, open, close, consumed, …
//!  peer's packets ──────────────────────────►┌─────────┐◄────────────────────────────── user
//!                                            │ Session │
//!  ring ◄── Transmit ──── poll_packet() ─────└─────────┘── poll_event(), poll_timeout()
//! ```
//!
//! A message's bytes are never looked at: `Transmit::Chunk` says which bytes of which body go into the slot,
//! [`Event::Chunk`] says where those in the slot belong. A body is whatever [`begin_with`](Session::begin_with) was given: it
//! stays with what is known of its message, also while that waits to be sent again.
//!
//! | file | question it answers |
//! |---|---|
//! | `negotiation` | what both ends agree on |
//! | `connections`, `credit`, `flow` | which connections there are, how much may be sent on each, whether that stops any |
//! | `message` | what a message is called, what a chunk's flags say |
//! | `assembly` | which incoming messages are unfinished |
//! | `outgoing`, `schedule` | which message sends next, which waits to be acknowledged |
//! | `calls` | which calls and requests are open |
//! | `receive`, `arrive` | what a packet does, what a chunk does |
//! | `standard` | what goes without a negotiation |
//! | `transmit`, `command` | what to send, what the user wants |
//!
//! # Bounds
//!
//! Whatever a peer sends, a session has at most `CONNECTIONS` connections besides connection 0, `ASSEMBLIES` unfinished
//! messages with `max_assembly_bytes` together, `CALLS` requests to answer, and [`CONTROL`] packets to send. What is
//! beyond is refused with `BUFFER_OVERFLOW`, and the session goes on.
//!
//! # Order
//!
//! Messages of one connection and one class arrive in the order of their [`begin`](Session::begin). Classes and
//! connections overtake each other: a connection without credit stops none of the others.
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

mod arrive;
mod assembly;
mod calls;
mod command;
mod connections;
mod credit;
mod error;
mod event;
mod fault;
mod flow;
mod history;
mod message;
mod negotiation;
mod outgoing;
mod receive;
mod schedule;
mod standard;
#[cfg(all(test, not(loom)))]
mod tests;
mod transmit;

use core::time::Duration;

use heapless::Deque;

pub use error::{AbortReason, CallFailure, CommandError, PeerError, SendError, UnsentReason};
pub use event::{Arrived, CloseReason, Event, Transmit};
pub use fault::ChunkFault;
pub use message::{ConnectionId, Kind, MessageKey, Outgoing, What};
pub use negotiation::{Agreed, State};

use super::packet::{Counters, Offer, Packet};
use super::{Capabilities, ErrorCode, Features, Profile, Side, Version};
use assembly::{Assemblies, Bounds};
use calls::Calls;
use connections::Connections;
use negotiation::Negotiation;
use outgoing::{Reliable, Sending};
use schedule::Schedule;

/// Packets without bytes that wait for the peer, at most.
pub const CONTROL: usize = 32;
/// Of those, how many are kept free for answers to the peer: commands use the others.
const REPLIES: usize = 16;

/// What a session offers, and its bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// Which end this is: a Primary's request wins and its connections have odd numbers, a Secondary's even ones.
    pub side: Side,
    /// What the link speaks.
    pub profile: Profile,
    /// Bytes of a slot's buffer.
    pub slot_len: u64,
    /// Version of our request. The answer to another's is at most the [profile's](Profile::version), and never above the
    /// request.
    pub version: Version,
    /// Features offered.
    pub features: Features,
    /// Capabilities offered.
    pub capabilities: Capabilities,
    /// Longest message, either way, in bytes.
    pub max_message: u64,
    /// Bytes of all unfinished incoming messages, by their whole lengths.
    pub max_assembly_bytes: u64,
    /// How long an unfinished message may wait for its next chunk. It does not age while we allow the peer to send no
    /// further chunk on its connection.
    pub assembly_age: Duration,
    /// Bytes that the peer may have sent on a connection and we have not consumed; at least two slots are granted.
    pub window: u64,
    /// How often a class that waits is passed over by more urgent ones; at least 1.
    pub starvation_bound: u32,
    /// Random words for the peer: a key is derived from both ends'.
    pub salt: [u64; 3],
    /// Whether the peer may open connections.
    pub listening: bool,
    /// Whether [`go_standard`](Session::go_standard) may follow a negotiation that fails: then copies that come before are
    /// messages already.
    pub fallback: bool,
    /// What sealing adds to each chunk, in bytes: 8 of counter and 16 of tag.
    pub chunk_overhead: u64,
}

impl Config {
    /// Offers everything, with messages of up to 64 MiB, windows of 1 MiB, and 30 s for each next chunk.
    pub const fn new(side: Side, profile: Profile, slot_len: u64, salt: [u64; 3]) -> Self {
        Self {
            side,
            profile,
            slot_len,
            version: profile.version(),
            features: Features::ALL,
            capabilities: Capabilities::ALL,
            max_message: 64 << 20,
            max_assembly_bytes: 256 << 20,
            assembly_age: Duration::from_secs(30),
            window: 1 << 20,
            starvation_bound: 8,
            salt,
            listening: true,
            fallback: false,
            chunk_overhead: 24,
        }
    }
}

/// One end of an Advanced link.
///
/// - **Getters** take `&self`.
/// - **`handle_*`** take what the world did: [`handle_packet`](Self::handle_packet),
///   [`handle_timeout`](Self::handle_timeout), [`handle_peer_lost`](Self::handle_peer_lost).
/// - **Commands** take what the user wants: [`negotiate`](Self::negotiate), [`begin`](Self::begin), …
/// - **`poll_*`** give what the runtime must now do. After any of the above: [`poll_event`](Self::poll_event) until it
///   is `None`, [`poll_packet`](Self::poll_packet) until it is `None` or no slot is free, `poll_event` again, and
///   [`poll_timeout`](Self::poll_timeout). Ended things keep their place in the tables until their event was polled.
///
/// `now` must not go backwards. The packets of the peer must come in the order of the ring, and each once: one task
/// receives.
///
/// `CONNECTIONS`, `ASSEMBLIES` and `CALLS` bound what is named so; `OUTGOING` the messages being sent, and those not
/// acknowledged. An end never has more than its own `ASSEMBLIES` messages half sent, so that equal ends never refuse
/// each other's.
#[derive(Debug)]
pub struct Session<
    const CONNECTIONS: usize,
    const ASSEMBLIES: usize,
    const OUTGOING: usize,
    const CALLS: usize,
    B = (),
> {
    config: Config,
    negotiation: Negotiation,
    /// What came of a negotiation that failed; our user does not know yet.
    failed: Option<Option<ErrorCode>>,
    control: Deque<Packet, CONTROL>,
    connections: Connections<CONNECTIONS>,
    assemblies: Assemblies<ASSEMBLIES>,
    sending: Sending<OUTGOING, B>,
    reliable: Reliable<OUTGOING, B>,
    schedule: Schedule,
    calls: Calls<CALLS>,
    next_message: u64,
    counters: Counters,
    /// Whether the peer waits for our counters.
    statistics_due: bool,
    /// How many of the peer's counters we wait for.
    asked: u32,
}

impl<const CONNECTIONS: usize, const ASSEMBLIES: usize, const OUTGOING: usize, const CALLS: usize, B: Clone>
    Session<CONNECTIONS, ASSEMBLIES, OUTGOING, CALLS, B>
{
    /// A session that has not negotiated. Encryption is not offered if its overhead leaves no room in a slot.
    pub fn new(config: Config) -> Self {
        // Two slots: then half a window, which is free once all is consumed, always takes a whole chunk.
        let window = config.window.max(config.slot_len.saturating_mul(2));
        let seals = config.slot_len > config.chunk_overhead;
        let features = if seals { config.features } else { config.features.without(Features::ENCRYPTION) };
        let Config { side, profile, version, capabilities, salt, .. } = config;
        let bounds = Bounds {
            max_message: config.max_message,
            max_bytes: config.max_assembly_bytes,
            age: config.assembly_age,
        };
        Self {
            config,
            negotiation: Negotiation::new(
                side,
                profile,
                Offer { version, features, capabilities, salt: None },
                salt,
            ),
            failed: None,
            control: Deque::new(),
            connections: Connections::new(side, window),
            assemblies: Assemblies::new(bounds),
            sending: Sending::new(),
            reliable: Reliable::new(),
            schedule: Schedule::new(config.starvation_bound),
            calls: Calls::new(),
            next_message: 1,
            counters: Counters::default(),
            statistics_due: false,
            asked: 0,
        }
    }

    /// Counters, to correct: bytes are counted as they travel, and the runtime knows those before compression.
    pub fn counters_mut(&mut self) -> &mut Counters {
        &mut self.counters
    }

    /// What was sent and received so far.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Where the negotiation stands.
    pub fn state(&self) -> State {
        self.negotiation.state()
    }

    /// What was agreed.
    pub fn agreed(&self) -> Option<&Agreed> {
        self.negotiation.agreed()
    }

    /// Whether [`handle_packet`](Self::handle_packet) may be called: there is room for an answer.
    ///
    /// Packets of the peer stay in the ring meanwhile. A peer that keeps the rules never fills that room.
    pub fn is_ready(&self) -> bool {
        !self.control.is_full()
    }

    /// Most bytes of a message in one chunk; `None` before the negotiation.
    pub fn chunk_limit(&self) -> Option<u64> {
        self.agreed().map(|agreed| self.limit(agreed))
    }

    /// Incoming messages that are unfinished.
    pub fn unfinished(&self) -> usize {
        self.assemblies.len()
    }

    /// Calls that wait for their response.
    pub fn outstanding(&self) -> usize {
        self.calls.outstanding()
    }

    /// Messages that are not acknowledged.
    pub fn unacknowledged(&self) -> usize {
        self.reliable.len()
    }

    fn limit(&self, agreed: &Agreed) -> u64 {
        // Cannot be 0: encryption is only offered where a slot is longer than its overhead.
        let overhead = if agreed.has(Features::ENCRYPTION) { self.config.chunk_overhead } else { 0 };
        self.config.slot_len.saturating_sub(overhead)
    }

    /// Whether chunks have no flags: in the seed profile, others want the upper bits of the opcode's word to be 0.
    fn is_plain(&self, agreed: &Agreed) -> bool {
        self.config.profile == Profile::Seed && !agreed.peer_is_strait()
    }

    fn next_message(&mut self) -> u64 {
        let message = self.next_message;
        self.next_message = message.checked_add(1).unwrap_or(1);
        message
    }
}
