//! May this message number be used now? Each number of a channel once, in growing order, and not too many in all.

use core::fmt;
use std::collections::HashMap;

/// Most channels of one direction that may carry sealed messages: about 100 KiB for their last numbers.
pub const MAX_CHANNELS: usize = 4096;
/// Most messages under one key: 2^32. Two of them have the same nonce with probability 2^-33.
pub const MAX_MESSAGES: u64 = 1 << 32;

/// Why a message must not be sealed, or is not opened, under its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OrderError {
    /// 0 is no number.
    #[error("sealed message of channel {channel} has no number")]
    NoNumber {
        /// Its channel.
        channel: u32,
    },
    /// The number, or a higher one, was there before.
    #[error("sealed message {msg_id} of channel {channel} comes after message {last}")]
    NotIncreasing {
        /// Its number.
        msg_id: u64,
        /// Its channel.
        channel: u32,
        /// The highest number so far.
        last: u64,
    },
    /// So many channels have a last number that no other one can be kept.
    #[error("channel {channel} is one too many: {max} carry sealed messages")]
    ChannelsFull {
        /// The new channel.
        channel: u32,
        /// The limit.
        max: usize,
    },
    /// The key has been used as often as it may be.
    #[error("{messages} messages were sealed with one key: a new connection is needed")]
    KeyUsedUp {
        /// How many.
        messages: u64,
    },
}

/// The last number of each channel of one direction.
///
/// No channel is ever forgotten: its next message could be an old one.
#[derive(Default)]
pub(super) struct Order {
    last: HashMap<u32, u64>,
    messages: u64,
}

impl fmt::Debug for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Order");
        out.field("channels", &self.last.len()).field("messages", &self.messages).finish()
    }
}

impl Order {
    /// Whether a message may have this number. Changes nothing.
    pub(super) fn check(&self, msg_id: u64, channel: u32) -> Result<(), OrderError> {
        if msg_id == 0 {
            return Err(OrderError::NoNumber { channel });
        }
        if self.messages >= MAX_MESSAGES {
            return Err(OrderError::KeyUsedUp { messages: self.messages });
        }
        match self.last.get(&channel) {
            Some(&last) if msg_id <= last => Err(OrderError::NotIncreasing { msg_id, channel, last }),
            // Control frames have a place of their own.
            None if channel != 0 && self.last.len() >= MAX_CHANNELS => {
                Err(OrderError::ChannelsFull { channel, max: MAX_CHANNELS })
            }
            _ => Ok(()),
        }
    }

    /// A message that was [checked](Self::check) has this number.
    pub(super) fn record(&mut self, msg_id: u64, channel: u32) {
        self.last.insert(channel, msg_id);
        self.messages += 1;
    }

    /// Messages so far.
    pub(super) fn messages(&self) -> u64 {
        self.messages
    }

    #[cfg(test)]
    pub(super) fn set_messages(&mut self, messages: u64) {
        self.messages = messages;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_full_table_refuses_new_channels_and_keeps_the_old_ones() {
        let mut order = Order::default();
        for channel in 0..u32::try_from(MAX_CHANNELS).unwrap() {
            order.check(5, channel).unwrap();
            order.record(5, channel);
        }
        let full = OrderError::ChannelsFull { channel: u32::MAX, max: MAX_CHANNELS };
        assert_eq!(order.check(1, u32::MAX), Err(full));
        assert_eq!(order.check(6, 77), Ok(()));
        assert_eq!(order.check(5, 77), Err(OrderError::NotIncreasing { msg_id: 5, channel: 77, last: 5 }));
    }

    #[test]
    fn a_key_is_used_up_after_its_last_message() {
        let mut order = Order::default();
        order.set_messages(MAX_MESSAGES - 1);
        order.check(1, 1).unwrap();
        order.record(1, 1);
        assert_eq!(order.check(2, 1), Err(OrderError::KeyUsedUp { messages: MAX_MESSAGES }));
        assert_eq!(order.check(2, 2), Err(OrderError::KeyUsedUp { messages: MAX_MESSAGES }));
    }

    proptest! {
        #[test]
        fn no_number_of_a_channel_is_taken_twice(tries in prop::collection::vec((0..20u64, 0..4u32), 0..200)) {
            let (mut order, mut seen) = (Order::default(), HashSet::new());
            for (msg_id, channel) in tries {
                let above_all = seen.iter().all(|(id, of)| *of != channel || *id < msg_id);
                prop_assert_eq!(order.check(msg_id, channel).is_ok(), msg_id > 0 && above_all);
                if order.check(msg_id, channel).is_ok() {
                    order.record(msg_id, channel);
                    prop_assert!(seen.insert((msg_id, channel)));
                }
            }
            prop_assert_eq!(order.messages(), seen.len() as u64);
        }
    }
}
