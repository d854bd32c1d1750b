//! Does anything wait because the peer allows no more?
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use super::Session;
use super::connections::Stage;
use super::credit::cost;
use crate::hqq::Features;

impl<const CONNECTIONS: usize, const ASSEMBLIES: usize, const OUTGOING: usize, const CALLS: usize, B: Clone>
    Session<CONNECTIONS, ASSEMBLIES, OUTGOING, CALLS, B>
{
    /// Whether a message's next chunk waits for credit of the peer. Never so without flow control.
    pub fn waits_for_credit(&self) -> bool {
        let Some(agreed) = self.agreed().filter(|agreed| agreed.has(Features::FLOW_CONTROL)) else {
            return false;
        };
        let limit = self.limit(agreed);
        let waiting = self.sending.heads(|entry| {
            let connection = self.connections.find(entry.key.connection);
            connection.is_some_and(|connection| {
                connection.stage == Stage::Open && connection.credit.available() < cost(entry.next_len(limit))
            })
        });
        waiting.iter().any(Option::is_some)
    }
}
