//! Which calls wait for their response, which requests wait for ours, and which nobody waits for any more.
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use heapless::Vec;

use super::error::CallFailure;
use super::fault::ChunkFault;
use super::history::History;
use super::message::ConnectionId;

/// A call by its connection and its request's number.
pub(super) type CallKey = (ConnectionId, u64);

#[derive(Debug)]
struct Call {
    key: CallKey,
    /// Why there will be no response; our user does not know yet.
    failed: Option<CallFailure>,
    /// Whether it was forgotten, and the peer does not know yet.
    abandoned: bool,
}

impl Call {
    fn waits(&self) -> bool {
        self.failed.is_none() && !self.abandoned
    }
}

/// Forgotten calls whose late responses are swallowed.
const FORGOTTEN: usize = 32;

/// At most `N` calls of ours, and `N` of the peer.
#[derive(Debug)]
pub(super) struct Calls<const N: usize> {
    ours: Vec<Call, N>,
    theirs: Vec<CallKey, N>,
    forgotten: History<CallKey, FORGOTTEN>,
}

impl<const N: usize> Calls<N> {
    pub(super) const fn new() -> Self {
        Self { ours: Vec::new(), theirs: Vec::new(), forgotten: History::new() }
    }

    /// Whether one more call of ours has room.
    pub(super) fn has_room(&self) -> bool {
        !self.ours.is_full()
    }

    /// Waits for a response, after [`has_room`](Self::has_room).
    pub(super) fn wait_for(&mut self, key: CallKey) {
        self.forgotten.forget(key);
        let _ = self.ours.push(Call { key, failed: None, abandoned: false });
    }

    /// The response is complete.
    pub(super) fn answered(&mut self, key: CallKey) {
        self.ours.retain(|call| call.key != key || !call.waits());
    }

    /// There will be no response to those that `which` says.
    pub(super) fn fail(&mut self, why: CallFailure, which: impl Fn(CallKey) -> bool) {
        self.ours.retain(|call| !call.abandoned || !which(call.key));
        for call in &mut self.ours {
            if call.waits() && which(call.key) {
                call.failed = Some(why);
            }
        }
    }

    /// Nobody waits any more: a late response is swallowed. Whether it was outstanding.
    pub(super) fn forget(&mut self, key: CallKey) -> bool {
        let waited = self.is_waiting(key);
        if waited {
            self.answered(key);
            self.forgotten.remember(key);
        }
        waited
    }

    /// As [`forget`](Self::forget); the call keeps its place until the peer is told.
    pub(super) fn abandon(&mut self, key: CallKey) {
        for call in self.ours.iter_mut().filter(|call| call.key == key && call.waits()) {
            call.abandoned = true;
            self.forgotten.remember(key);
        }
    }

    /// A call of which the peer is to be told that nobody waits for it.
    pub(super) fn take_abandoned(&mut self) -> Option<CallKey> {
        let at = self.ours.iter().position(|call| call.abandoned)?;
        Some(self.ours.swap_remove(at).key)
    }

    /// Whether a chunk of a response is swallowed; its last one is the last.
    pub(super) fn is_swallowed(&mut self, key: CallKey, last: bool) -> bool {
        let swallowed = self.forgotten.contains(key);
        if swallowed && last {
            self.forgotten.forget(key);
        }
        swallowed
    }

    pub(super) fn is_waiting(&self, key: CallKey) -> bool {
        self.ours.iter().any(|call| call.key == key && call.waits())
    }

    /// A call that failed and was not reported.
    pub(super) fn take_failed(&mut self) -> Option<(CallKey, CallFailure)> {
        let at = self.ours.iter().position(|call| call.failed.is_some())?;
        let call = self.ours.swap_remove(at);
        Some((call.key, call.failed?))
    }

    /// Whether a request of the peer may begin; nothing changes.
    pub(super) fn check_request(&self, key: CallKey) -> Result<(), ChunkFault> {
        if self.theirs.contains(&key) {
            return Err(ChunkFault::RequestExists);
        }
        if self.theirs.is_full() {
            return Err(ChunkFault::TooManyRequests { limit: N });
        }
        Ok(())
    }

    /// A request of the peer begins, after [`check_request`](Self::check_request).
    pub(super) fn requested(&mut self, key: CallKey) {
        let _ = self.theirs.push(key);
    }

    /// Whether a request of the peer waits for its response.
    pub(super) fn is_requested(&self, key: CallKey) -> bool {
        self.theirs.contains(&key)
    }

    /// The peer gives a request up; whether nobody answers it yet.
    pub(super) fn withdraw(&mut self, key: CallKey) -> bool {
        let waited = self.is_requested(key);
        self.theirs.retain(|known| *known != key);
        waited
    }

    /// The response to a request begins, or it is gone with its connection.
    pub(super) fn settle(&mut self, which: impl Fn(CallKey) -> bool) {
        self.theirs.retain(|key| !which(*key));
    }

    pub(super) fn clear_history(&mut self) {
        self.forgotten.clear();
    }

    /// Calls of ours without a response.
    pub(super) fn outstanding(&self) -> usize {
        self.ours.iter().filter(|call| call.waits()).count()
    }
}
