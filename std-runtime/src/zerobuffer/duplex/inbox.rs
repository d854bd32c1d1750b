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

/// What the one that receives wants for itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// The response to this request.
    Number(u64),
    /// Whichever comes next.
    Any,
    /// It receives for others.
    #[cfg(feature = "tokio")]
    Nothing,
}

/// A request without a response.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sent {
    pub(super) place: Place,
    /// Nothing was written over it since.
    pub(super) is_whole: bool,
    pub(super) owner: Owner,
}

/// Requests without a response, by number. They come with rising numbers, and mostly go in that order: a map would
/// allocate and free for each of them.
#[derive(Debug, Default)]
pub(super) struct Outstanding(VecDeque<(u64, Sent)>);

impl Outstanding {
    fn find(&self, sequence: u64) -> Option<usize> {
        self.0.binary_search_by_key(&sequence, |(number, _)| *number).ok()
    }

    /// Adds the request with the highest number so far.
    pub(super) fn push(&mut self, sequence: u64, sent: Sent) {
        debug_assert!(self.0.back().is_none_or(|(last, _)| *last < sequence), "numbers rise");
        self.0.push_back((sequence, sent));
    }

    pub(super) fn get(&self, sequence: u64) -> Option<&Sent> {
        self.find(sequence).and_then(|at| self.0.get(at)).map(|(_, sent)| sent)
    }

    pub(super) fn get_mut(&mut self, sequence: u64) -> Option<&mut Sent> {
        self.find(sequence).and_then(|at| self.0.get_mut(at)).map(|(_, sent)| sent)
    }

    pub(super) fn remove(&mut self, sequence: u64) -> Option<Sent> {
        self.find(sequence).and_then(|at| self.0.remove(at)).map(|(_, sent)| sent)
    }

    pub(super) fn all_mut(&mut self) -> impl Iterator<Item = &mut Sent> {
        self.0.iter_mut().map(|(_, sent)| sent)
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

/// A response as it arrived: or why there is none.
pub(super) type Arrived = Result<Response, CallError>;

#[derive(Debug)]
pub(super) struct State {
    pub(super) sent: Outstanding,
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
    /// Threads that wait to be told.
    waiting: usize,
    /// Async calls that wait.
    #[cfg(feature = "tokio")]
    pub(super) asks: super::asking::Asks,
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
            sent: Outstanding::default(),
            arrived: BTreeMap::new(),
            unclaimed: VecDeque::new(),
            reader: Some(Box::new(reader)),
            gone: None,
            out_of_step: false,
            waiting: 0,
            #[cfg(feature = "tokio")]
            asks: super::asking::Asks::default(),
            counts: Counts::default(),
        };
        Self { state: Mutex::new(state), changed: Condvar::new() }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until something changed, or for `timeout`.
    pub(super) fn wait<'s>(
        &self,
        mut state: MutexGuard<'s, State>,
        timeout: Duration,
    ) -> MutexGuard<'s, State> {
        state.waiting += 1;
        let mut state = self.changed.wait_timeout(state, timeout).unwrap_or_else(PoisonError::into_inner).0;
        state.waiting -= 1;
        state
    }

    /// Something changed that others wait for. Telling nobody would still be a system call, at each response.
    pub(super) fn tell(&self, state: &mut State) {
        #[cfg(feature = "tokio")]
        if state.gone.is_some() {
            state.asks.wake_all();
        }
        if state.waiting > 0 {
            self.changed.notify_all();
        }
    }
}

impl State {
    /// What has arrived already for the caller who `wanted` it.
    pub(super) fn take(&mut self, wanted: Option<u64>) -> Option<Arrived> {
        match wanted {
            Some(sequence) => self.arrived.remove(&sequence),
            None => self.unclaimed.pop_front(),
        }
    }

    /// Gives a response that came for somebody else to its owner.
    pub(super) fn deposit(&mut self, sequence: u64, owner: Owner, arrived: Arrived) {
        let arrived = arrived.map(Response::set_aside);
        match owner {
            Owner::Anyone => {
                self.unclaimed.push_back(arrived);
                #[cfg(feature = "tokio")]
                self.asks.wake_next();
            }
            Owner::Waiter => {
                self.arrived.insert(sequence, arrived);
                #[cfg(feature = "tokio")]
                self.asks.wake_for(sequence);
            }
            // Dropping it returns its space.
            Owner::Nobody => self.counts.dropped += 1,
        }
    }
}
