//! What a handshake leads to: the keys of a connection, made from HELLO and its answer.

use strait_core::xcp::Flags;

use super::guard::Guard;
use super::{CONTROL, Engine, HEADER};

/// Longest frame with a HELLO that core takes, and a little.
const LONGEST_HELLO: usize = HEADER + CONTROL + 64;
#[derive(Debug, Default)]
pub(super) struct Transcript {
    sent: Vec<u8>,
    received: Vec<u8>,
}

impl Transcript {
    /// A HELLO of more bytes is refused once it is over: whoever sends it must not have it kept until then.
    pub(super) fn received(&mut self, bytes: &[u8]) {
        let len = bytes.len().min(LONGEST_HELLO - self.received.len());
        self.received.extend_from_slice(&bytes[..len]);
    }

    pub(super) fn sent(&mut self, bytes: &[u8]) {
        self.sent.extend_from_slice(bytes);
    }
}

impl Engine {
    /// Makes the keys once HELLO and its answer have passed.
    pub(super) fn make_keys(&mut self) {
        let Some(transcript) = self.transcript.take() else { return };
        let agreed_on = self.core.agreed().is_some_and(|agreed| agreed.features.contains(Flags::CRYPT));
        if !agreed_on {
            return;
        }
        let side = self.core.config().side;
        let (ours, theirs) =
            (self.core.config().crypt.clone(), self.core.agreed().and_then(|a| a.crypt.clone()));
        let (Some(ours), Some(theirs)) = (ours, theirs) else { return };
        let frames = (transcript.sent.as_slice(), transcript.received.as_slice());
        let guard =
            Guard::derive(&self.options.key, self.exported.as_deref(), side, (&ours, &theirs), frames);
        match guard {
            Some(guard) => *self.core.protection_mut() = guard,
            None => {
                let reason = self.core.close();
                self.closed(reason);
            }
        }
    }
}
