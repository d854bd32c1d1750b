//! Which messages came lately: one that is sent again is acknowledged again and not delivered again.

use super::event::MessageKey;

/// How many messages are remembered.
const REMEMBERED: usize = 128;

/// The last messages that were accepted.
#[derive(Debug)]
pub(super) struct Recent {
    keys: [MessageKey; REMEMBERED],
    next: usize,
    /// No number of those is higher: those of a peer rise, and most are seen to be new by this alone.
    highest: u64,
}

impl Recent {
    pub(super) const fn new() -> Self {
        Self { keys: [MessageKey { channel: 0, msg_id: 0 }; REMEMBERED], next: 0, highest: 0 }
    }

    /// Remembers a message in place of the oldest; those without a number are not.
    pub(super) fn insert(&mut self, message: MessageKey) {
        if message.msg_id == 0 {
            return;
        }
        self.highest = self.highest.max(message.msg_id);
        if let Some(place) = self.keys.get_mut(self.next) {
            *place = message;
        }
        self.next = self.next.wrapping_add(1) % REMEMBERED;
    }

    /// Whether it came before.
    pub(super) fn contains(&self, message: MessageKey) -> bool {
        message.msg_id != 0 && message.msg_id <= self.highest && self.keys.contains(&message)
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
        fn exactly_the_last_messages_are_remembered(ids in proptest::collection::vec((0_u32..3, 0_u64..200), 0..600)) {
            let mut recent = Recent::new();
            let mut model = VecDeque::new();
            for (channel, msg_id) in ids {
                let message = MessageKey { channel, msg_id };
                let known: Vec<MessageKey> = model.iter().copied().collect();
                prop_assert_eq!(recent.contains(message), known.contains(&message));
                recent.insert(message);
                if msg_id != 0 {
                    model.push_back(message);
                    if model.len() > REMEMBERED {
                        model.pop_front();
                    }
                }
            }
        }
    }
}
