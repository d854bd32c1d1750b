//! Messages as they come: assembled, queued for their readers, and what they owe of credit.

use std::collections::{HashMap, VecDeque};

use strait_core::hqq::session::{Arrived, ConnectionId, Kind, MessageKey};

/// A message that has begun to come.
#[derive(Debug)]
pub(super) struct Assembly {
    pub(super) key: MessageKey,
    /// Method of a request, status of a response.
    pub(super) aux: u64,
    /// Bytes of the whole message, as it comes.
    pub(super) total: u64,
    /// Bytes that came and were not read.
    pub(super) bytes: VecDeque<u8>,
    pub(super) compressed: bool,
    pub(super) redelivered: bool,
    pub(super) priority: u8,
    pub(super) failed: bool,
    /// All of it came.
    pub(super) complete: bool,
    /// It will never be complete.
    pub(super) aborted: bool,
    /// Somebody reads it already.
    pub(super) taken: bool,
    /// Credit to give back when its bytes need no more room.
    pub(super) owed: u64,
}

/// Where each message stands. A number for each, because a peer may use a key again.
#[derive(Debug)]
pub(super) struct Incoming {
    /// What unfinished messages of a connection may owe together.
    keeps: u64,
    max_queued: u64,
    next: u64,
    messages: HashMap<u64, Assembly>,
    open: HashMap<MessageKey, u64>,
    /// Messages and requests of each connection in the order in which they began.
    queues: HashMap<(ConnectionId, Kind), VecDeque<u64>>,
}

impl Incoming {
    /// For connections of this window, in chunks of up to `chunk` bytes.
    pub(super) fn new(window: u64, chunk: u64, max_queued: u64) -> Self {
        Self {
            // The peer is granted more once half a window is free, and stops when its credit is less than a chunk.
            keeps: (window / 2).saturating_sub(chunk),
            max_queued,
            next: 0,
            messages: HashMap::new(),
            open: HashMap::new(),
            queues: HashMap::new(),
        }
    }

    /// Takes a chunk; what to give back of its credit at once, and the number of a message that is complete.
    pub(super) fn take(&mut self, arrived: &Arrived, bytes: &[u8]) -> (u64, Option<u64>) {
        let key = arrived.message;
        if arrived.first {
            self.begin(arrived);
        }
        let Some(number) = self.open.get(&key).copied() else { return (arrived.cost, None) };
        let unfinished = self.open.iter().filter(|(of, _)| of.connection == key.connection && **of != key);
        let others = unfinished.filter_map(|(_, number)| self.messages.get(number));
        let others = others.filter(|other| !other.taken).map(|other| other.owed);
        let others = others.fold(0, u64::saturating_add);
        let Some(assembly) = self.messages.get_mut(&number) else { return (arrived.cost, None) };
        assembly.bytes.extend(bytes);
        assembly.owed = assembly.owed.saturating_add(arrived.cost);
        // Messages must make room while they come, or those that do not fit a window together have no end. The rest stays
        // owed until somebody takes them, so that a connection nobody reads stops. A response is waited for already.
        // Whoever reads one while it comes gives back what was read.
        let now = match key.kind {
            _ if assembly.taken => 0,
            Kind::Response => assembly.owed,
            _ => assembly.owed.saturating_add(others).saturating_sub(self.keeps).min(assembly.owed),
        };
        assembly.owed -= now;
        if arrived.last {
            assembly.complete = true;
            self.open.remove(&key);
        }
        (now, arrived.last.then_some(number))
    }

    fn begin(&mut self, arrived: &Arrived) {
        let key = arrived.message;
        let number = self.next;
        self.next = number.wrapping_add(1);
        let assembly = Assembly {
            key,
            aux: arrived.aux,
            total: arrived.total,
            bytes: VecDeque::new(),
            compressed: arrived.compressed,
            redelivered: arrived.redelivered,
            priority: arrived.priority,
            failed: arrived.failed,
            complete: false,
            aborted: false,
            taken: false,
            owed: 0,
        };
        self.messages.insert(number, assembly);
        self.open.insert(key, number);
        if key.kind != Kind::Response {
            self.queues.entry((key.connection, key.kind)).or_default().push_back(number);
        }
    }

    /// A message will not be complete, or nobody wants its answer any more; what it owed.
    pub(super) fn abort(&mut self, key: MessageKey) -> u64 {
        let number = self.open.remove(&key).or_else(|| {
            let queue = self.queues.get(&(key.connection, key.kind))?;
            let same = |number: &&u64| self.messages.get(*number).is_some_and(|message| message.key == key);
            queue.iter().rev().find(same).copied()
        });
        let Some(number) = number else { return 0 };
        let Some(assembly) = self.messages.get_mut(&number) else { return 0 };
        let owed = core::mem::take(&mut assembly.owed);
        assembly.aborted = true;
        if !assembly.taken {
            self.remove(number);
        }
        owed
    }

    pub(super) fn get_mut(&mut self, number: u64) -> Option<&mut Assembly> {
        self.messages.get_mut(&number)
    }

    pub(super) fn remove(&mut self, number: u64) -> Option<Assembly> {
        let assembly = self.messages.remove(&number)?;
        self.open.retain(|_, open| *open != number);
        let queue = (assembly.key.connection, assembly.key.kind);
        if let Some(queue) = self.queues.get_mut(&queue) {
            queue.retain(|queued| *queued != number);
        }
        Some(assembly)
    }

    /// The first complete message or request of a connection, out of its queue.
    pub(super) fn pop(&mut self, connection: ConnectionId, kind: Kind) -> Option<Assembly> {
        let queue = self.queues.get(&(connection, kind))?;
        let complete = |number: &&u64| self.messages.get(*number).is_some_and(|message| message.complete);
        let number = *queue.iter().find(complete)?;
        self.remove(number)
    }

    /// The first message of a connection that can be read while it comes, taken out of its queue.
    pub(super) fn take_stream(&mut self, connection: ConnectionId) -> Option<u64> {
        let queue = self.queues.get_mut(&(connection, Kind::Message))?;
        let messages = &self.messages;
        // A compressed one can be read once it is there.
        let readable = |number: &u64| {
            messages.get(number).is_some_and(|message| message.complete || !message.compressed)
        };
        let at = queue.iter().position(readable)?;
        let number = queue.remove(at)?;
        self.messages.get_mut(&number)?.taken = true;
        Some(number)
    }

    /// Whether so much waits for its readers that no more should be taken out of the ring, on sessions without credits.
    pub(super) fn is_overfull(&self) -> bool {
        let waiting = self.messages.values().filter(|message| message.complete && !message.taken);
        waiting.map(|message| message.bytes.len() as u64 + 64).sum::<u64>() > self.max_queued
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(message: u64, total: u64, offset: u64, len: u64) -> Arrived {
        let connection = ConnectionId::IMPLICIT;
        Arrived {
            message: MessageKey { connection, message, kind: Kind::Message },
            failed: false,
            aux: 0,
            total,
            offset,
            len,
            first: offset == 0,
            last: offset + len == total,
            compressed: false,
            redelivered: false,
            priority: 0,
            cost: len,
        }
    }

    #[test]
    fn messages_come_whole_in_the_order_of_their_ends() {
        let mut incoming = Incoming::new(100, 0, 1000);
        assert_eq!(incoming.take(&chunk(1, 4, 0, 2), b"ab"), (0, None));
        assert_eq!(incoming.take(&chunk(2, 1, 0, 1), b"x").1, Some(1));
        let first = incoming.pop(ConnectionId::IMPLICIT, Kind::Message).expect("the second is whole");
        assert_eq!((first.key.message, first.owed), (2, 1));
        assert!(incoming.pop(ConnectionId::IMPLICIT, Kind::Message).is_none());
        assert_eq!(incoming.take(&chunk(1, 4, 2, 2), b"cd").1, Some(0));
        let second = incoming.pop(ConnectionId::IMPLICIT, Kind::Message).expect("and now the first");
        assert_eq!((second.bytes, second.owed), (b"abcd".to_vec().into(), 4));
    }

    #[test]
    fn a_message_longer_than_half_a_window_makes_room_while_it_comes() {
        let mut incoming = Incoming::new(8, 0, 1000);
        let given: Vec<u64> = (0..10).map(|at| incoming.take(&chunk(1, 20, 2 * at, 2), b"ab").0).collect();
        assert_eq!(given, [0, 0, 2, 2, 2, 2, 2, 2, 2, 2], "half a window stays owed");
        assert_eq!(incoming.pop(ConnectionId::IMPLICIT, Kind::Message).map(|whole| whole.owed), Some(4));
    }

    #[test]
    fn messages_that_come_side_by_side_owe_less_than_half_a_window_together() {
        let mut incoming = Incoming::new(16, 3, 1000);
        let mut owed = 0;
        for at in 0..10 {
            for message in 1..=4 {
                owed += 2 - incoming.take(&chunk(message, 100, 2 * at, 2), b"ab").0;
                assert!(owed <= 5, "half of the window less a chunk");
            }
        }
    }

    #[test]
    fn a_message_that_is_read_while_it_comes_owes_what_was_not_read() {
        let mut incoming = Incoming::new(8, 0, 1000);
        incoming.take(&chunk(1, 20, 0, 2), b"ab");
        let number = incoming.take_stream(ConnectionId::IMPLICIT).expect("it can be read as it comes");
        assert!((1..10).all(|at| incoming.take(&chunk(1, 20, 2 * at, 2), b"ab").0 == 0));
        assert_eq!(incoming.get_mut(number).map(|message| message.owed), Some(20));
    }

    #[test]
    fn a_response_owes_nothing() {
        let mut incoming = Incoming::new(100, 0, 1000);
        let mut chunk = chunk(1, 4, 0, 2);
        chunk.message.kind = Kind::Response;
        assert_eq!(incoming.take(&chunk, b"ab"), (2, None));
    }

    #[test]
    fn an_aborted_message_is_gone_unless_somebody_reads_it() {
        let mut incoming = Incoming::new(100, 0, 1000);
        incoming.take(&chunk(1, 4, 0, 2), b"ab");
        assert_eq!(incoming.abort(chunk(1, 4, 0, 2).message), 2);
        assert!(incoming.messages.is_empty() && incoming.open.is_empty());
        incoming.take(&chunk(1, 4, 0, 2), b"ab");
        let number = incoming.take_stream(ConnectionId::IMPLICIT).expect("it can be read as it comes");
        incoming.abort(chunk(1, 4, 0, 2).message);
        assert!(incoming.get_mut(number).is_some_and(|message| message.aborted));
    }
}
