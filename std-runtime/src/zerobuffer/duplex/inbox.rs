//! Which response belongs to whom: requests on their way, and responses that arrived while others were waited for.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use strait_core::zerobuffer::Place;

use super::error::CallError;
use super::response::Response;
use crate::zerobuffer::Reader;

/// Who gets a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// Whoever asks for the next one.
    Anyone,
    /// The one that waits for this number.
    Waiter,
    /// Nobody: cancelled, or given up.
    Nobody,
}

/// A request without a response.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sent {
    pub(super) place: Place,
    /// Nothing was written over it since.
    pub(super) is_whole: bool,
    pub(super) owner: Owner,
}

/// A response as it arrived: or why there is none.
pub(super) type Arrived = Result<Response, CallError>;

#[derive(Debug)]
pub(super) struct State {
    /// By number.
    pub(super) sent: BTreeMap<u64, Sent>,
    /// For those who wait for a number.
    pub(super) arrived: BTreeMap<u64, Arrived>,
    /// For whoever asks next.
    pub(super) unclaimed: VecDeque<Arrived>,
    /// Taken by the one thread that receives; the others wait to be told.
    pub(super) reader: Option<Box<Reader>>,
    /// Why no response will come any more.
    pub(super) gone: Option<String>,
    /// A server that skips requests has left one unanswered.
    pub(super) out_of_step: bool,
    pub(super) counts: Counts,
}

/// What a client has seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) requests: u64,
    pub(super) responses: u64,
    pub(super) failed: u64,
    pub(super) shared: u64,
    pub(super) dropped: u64,
}

/// The state, and the way to wait for it.
#[derive(Debug)]
pub(super) struct Inbox {
    state: Mutex<State>,
    changed: Condvar,
}

impl Inbox {
    pub(super) fn new(reader: Reader) -> Self {
        let state = State {
            sent: BTreeMap::new(),
            arrived: BTreeMap::new(),
            unclaimed: VecDeque::new(),
            reader: Some(Box::new(reader)),
            gone: None,
            out_of_step: false,
            counts: Counts::default(),
        };
        Self { state: Mutex::new(state), changed: Condvar::new() }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until something changed, or for `timeout`.
    pub(super) fn wait<'s>(&self, state: MutexGuard<'s, State>, timeout: Duration) -> MutexGuard<'s, State> {
        self.changed.wait_timeout(state, timeout).unwrap_or_else(PoisonError::into_inner).0
    }

    /// Something changed that others wait for.
    pub(super) fn tell(&self) {
        self.changed.notify_all();
    }
}

impl State {
    /// Gives a response that came for somebody else to its owner.
    pub(super) fn deposit(&mut self, sequence: u64, owner: Owner, arrived: Arrived) {
        let arrived = arrived.map(Response::set_aside);
        match owner {
            Owner::Anyone => self.unclaimed.push_back(arrived),
            Owner::Waiter => {
                self.arrived.insert(sequence, arrived);
            }
            // Dropping it returns its space.
            Owner::Nobody => self.counts.dropped += 1,
        }
    }
}
