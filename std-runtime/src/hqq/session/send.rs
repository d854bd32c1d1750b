//! Sending a message: compressed where that was agreed and helps, begun, and waited for until it is in the ring.

use std::sync::Arc;
use std::time::Duration;

use strait_core::hqq::Features;
use strait_core::hqq::session::{ConnectionId, MessageKey, Outgoing, SendError as CoreSendError, What};

use super::compress::compress;
use super::error::SessionError;
use super::state::{Call, Look, SendStage, Shared, Stage, State};

/// How a message goes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Way {
    pub(super) connection: ConnectionId,
    pub(super) what: What,
    pub(super) aux: u64,
    pub(super) priority: u8,
    pub(super) timeout: Duration,
}

impl Shared {
    /// Sends `bytes`; returns once all of them are in the ring.
    pub(super) fn send(&self, way: Way, bytes: &[u8]) -> Result<MessageKey, SessionError> {
        let agreed = self.agreed()?;
        let small =
            agreed.features.contains(Features::COMPRESSION).then(|| compress(bytes, self.options.level));
        let small = small.flatten();
        let outgoing = Outgoing {
            what: way.what,
            aux: way.aux,
            total: small.as_ref().map_or(bytes.len(), Vec::len) as u64,
            priority: way.priority,
            compressed: small.is_some(),
        };
        let body: Arc<[u8]> = small.as_deref().unwrap_or(bytes).into();
        let key = self.wait(way.timeout, |state| {
            let key = state.begin(way, outgoing, &body)?;
            if key.is_some() && outgoing.compressed {
                state.statistics.uncompressed_bytes += bytes.len() as u64;
                state.statistics.compressed_bytes += body.len() as u64;
            }
            state.settle(&self.options);
            Ok(key.map_or(Look::Wait, Look::Done))
        })?;
        let sent = self.wait(way.timeout, |state| {
            state.settle(&self.options);
            match state.sending.get(&key).cloned() {
                Some(SendStage::Sending) if state.pending.is_some() => Ok(Look::WaitForRoom),
                Some(SendStage::Sending) => Ok(Look::Wait),
                Some(SendStage::Failed(error)) => {
                    state.sending.remove(&key);
                    Err(error)
                }
                // Polled to its end: the last chunk may still be on its way to the ring.
                None if state.pending_is_of(key) => Ok(Look::WaitForRoom),
                None => Ok(Look::Done(())),
            }
        });
        if sent == Err(SessionError::Timeout) {
            let mut state = self.lock()?;
            state.machine.abort(key);
            state.sending.remove(&key);
            state.calls.remove(&(key.connection, key.message));
            state.settle(&self.options);
        }
        sent.map(|()| key)
    }
}

impl State {
    /// Begins a message; `None` if there is no room for it now.
    fn begin(
        &mut self,
        way: Way,
        outgoing: Outgoing,
        body: &Arc<[u8]>,
    ) -> Result<Option<MessageKey>, SessionError> {
        self.agreed()?;
        match self.connections.get(&way.connection) {
            Some(Stage::Ended(error)) => return Err(error.clone()),
            Some(Stage::Asked) => return Ok(None),
            _ => {}
        }
        let key = match self.machine.begin_with(way.connection, outgoing, Arc::clone(body)) {
            Ok(key) => key,
            Err(
                CoreSendError::TooManyMessages { .. }
                | CoreSendError::TooManyUnacknowledged { .. }
                | CoreSendError::TooManyCalls { .. },
            ) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        if let Some(limit) = self.machine.chunk_limit()
            && outgoing.total > limit
        {
            self.statistics.large_messages += 1;
        }
        self.sending.insert(key, SendStage::Sending);
        if way.what == What::Request {
            self.calls.insert((key.connection, key.message), Call::Waiting);
        }
        Ok(Some(key))
    }

    fn pending_is_of(&self, key: MessageKey) -> bool {
        use strait_core::hqq::session::Transmit;
        matches!(&self.pending, Some(Transmit::Chunk { message, .. }) if *message == key)
    }
}
