//! Which messages came lately: one that is sent again is acknowledged again and not delivered again.

use super::super::numbers::MsgType;
use super::event::MessageKey;

const NONE: (MessageKey, MsgType) = (MessageKey { channel: 0, msg_id: 0 }, MsgType::HELLO);

/// The last `N` messages that were accepted. Each type may have numbers of its own.
#[derive(Debug)]
pub(super) struct Recent<const N: usize> {
    keys: [(MessageKey, MsgType); N],
    next: usize,
    /// No number of those is higher: those of a peer rise, and most are seen to be new by this alone.
    highest: u64,
}

impl<const N: usize> Recent<N> {
    pub(super) const fn new() -> Self {
        Self { keys: [NONE; N], next: 0, highest: 0 }
    }

    /// Remembers a message in place of the oldest; those without a number are not.
    pub(super) fn insert(&mut self, message: MessageKey, msg_type: MsgType) {
        if message.msg_id == 0 {
            return;
        }
        self.highest = self.highest.max(message.msg_id);
        if let Some(place) = self.keys.get_mut(self.next) {
            *place = (message, msg_type);
        }
        self.next = self.next.wrapping_add(1).checked_rem(N).unwrap_or(0);
    }

    /// Whether it came before.
    pub(super) fn contains(&self, message: MessageKey, msg_type: MsgType) -> bool {
        message.msg_id != 0 && message.msg_id <= self.highest && self.keys.contains(&(message, msg_type))
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::collections::VecDeque;
    use std::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn exactly_the_last_messages_are_remembered(ids in proptest::collection::vec((0_u32..3, 0_u64..80, any::<bool>()), 0..300)) {
            let mut recent = Recent::<40>::new();
            let mut model = VecDeque::new();
            for (channel, msg_id, asks) in ids {
                let message = MessageKey { channel, msg_id };
                let msg_type = if asks { MsgType::CLARIFY_REQ } else { MsgType::DATA };
                let known: Vec<(MessageKey, MsgType)> = model.iter().copied().collect();
                prop_assert_eq!(recent.contains(message, msg_type), known.contains(&(message, msg_type)));
                recent.insert(message, msg_type);
                if msg_id != 0 {
                    model.push_back((message, msg_type));
                    if model.len() > 40 {
                        model.pop_front();
                    }
                }
            }
        }
    }
}
