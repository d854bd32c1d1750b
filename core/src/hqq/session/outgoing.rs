//! Which messages are being sent, whose turn it is, and which wait to be acknowledged.
//!
//! A lane is a class of a connection. Messages of one lane go one after the other, in the order of their beginning;
//! lanes of one class take turns by connection.
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use heapless::Vec;

use super::error::UnsentReason;
use super::message::{CLASSES, ConnectionId, Marks, MessageKey};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// Chunks are left.
    Sending,
    /// The peer is to be told that it ends.
    Aborting,
    /// Ended, and our user does not know yet.
    Sent,
    /// Ended early, and our user does not know yet.
    Unsent(UnsentReason),
}

/// A message that is being sent.
#[derive(Clone, Debug)]
pub(super) struct Entry<B> {
    pub(super) key: MessageKey,
    pub(super) marks: Marks,
    pub(super) aux: u64,
    pub(super) total: u64,
    /// Bytes sent.
    pub(super) offset: u64,
    /// Whether a chunk was sent.
    pub(super) begun: bool,
    pub(super) progress: Progress,
    /// What its bytes are taken from: never apart from what is known of them.
    pub(super) body: B,
}

impl<B> Entry<B> {
    pub(super) fn new(key: MessageKey, marks: Marks, (aux, total): (u64, u64), body: B) -> Self {
        Self { key, marks, aux, total, offset: 0, begun: false, progress: Progress::Sending, body }
    }

    /// Bytes of its next chunk, of slots that take `limit`.
    pub(super) const fn next_len(&self, limit: u64) -> u64 {
        let rest = self.total.saturating_sub(self.offset);
        if rest < limit { rest } else { limit }
    }

    fn lane(&self) -> (ConnectionId, u8) {
        (self.key.connection, self.marks.priority)
    }
}

/// At most `N` messages, in the order of their beginning.
#[derive(Debug)]
pub(super) struct Sending<const N: usize, B> {
    all: Vec<Entry<B>, N>,
    /// The connection that each class served last.
    served: [u64; CLASSES],
}

impl<const N: usize, B: Clone> Sending<N, B> {
    pub(super) const fn new() -> Self {
        Self { all: Vec::new(), served: [0; CLASSES] }
    }

    /// Whether it was taken.
    pub(super) fn push(&mut self, entry: Entry<B>) -> bool {
        self.all.push(entry).is_ok()
    }

    pub(super) fn is_full(&self) -> bool {
        self.all.is_full()
    }

    pub(super) fn find_mut(&mut self, key: MessageKey) -> Option<&mut Entry<B>> {
        self.all.iter_mut().find(|entry| entry.key == key && entry.progress == Progress::Sending)
    }

    /// Whether it is not yet ended.
    pub(super) fn contains(&self, key: MessageKey) -> bool {
        let ongoing = |entry: &Entry<B>| matches!(entry.progress, Progress::Sending | Progress::Aborting);
        self.all.iter().any(|entry| entry.key == key && ongoing(entry))
    }

    /// Ends it without a report.
    pub(super) fn remove(&mut self, key: MessageKey) {
        self.all.retain(|entry| entry.key != key || entry.progress != Progress::Sending);
    }

    /// Ends those that `keep` does not say, without a report.
    pub(super) fn retain(&mut self, keep: impl Fn(&Entry<B>) -> bool) {
        self.all.retain(|entry| keep(entry) || entry.progress == Progress::Sent);
    }

    /// Those that `which` says end early, for `why`.
    pub(super) fn end(&mut self, why: UnsentReason, which: impl Fn(&Entry<B>) -> bool) {
        // Who gave a message up need not hear of it again.
        self.all.retain(|entry| entry.progress != Progress::Aborting || !which(entry));
        for entry in &mut self.all {
            if entry.progress == Progress::Sending && which(entry) {
                entry.progress = Progress::Unsent(why);
            }
        }
    }

    /// One that is to be told to have been given up, removed.
    pub(super) fn take_aborting(&mut self) -> Option<Entry<B>> {
        self.take(|entry| entry.progress == Progress::Aborting)
    }

    /// One that ended and was not reported, removed.
    pub(super) fn take_ended(&mut self) -> Option<Entry<B>> {
        self.take(|entry| matches!(entry.progress, Progress::Sent | Progress::Unsent(_)))
    }

    /// Unfinished messages of which a chunk was sent.
    pub(super) fn begun(&self) -> usize {
        self.all.iter().filter(|entry| entry.begun && entry.progress == Progress::Sending).count()
    }

    /// Per class, the message whose turn it is among those that `may_send`.
    pub(super) fn heads(&self, may_send: impl Fn(&Entry<B>) -> bool) -> [Option<MessageKey>; CLASSES] {
        let mut best = [None; CLASSES];
        for (at, entry) in self.all.iter().enumerate() {
            let class = usize::from(entry.marks.priority);
            let (Some(best), Some(served)) = (best.get_mut(class), self.served.get(class)) else { continue };
            // How far round from the connection after the one served last.
            let distance = entry.key.connection.0.wrapping_sub(*served).wrapping_sub(1);
            let nearer = best.is_none_or(|(nearest, _)| distance < nearest);
            if entry.progress == Progress::Sending && nearer && may_send(entry) && self.is_head(at, entry) {
                *best = Some((distance, entry.key));
            }
        }
        best.map(|best| best.map(|(_, key)| key))
    }

    /// A chunk of `key` was sent.
    pub(super) fn serve(&mut self, class: usize, key: MessageKey) {
        if let Some(served) = self.served.get_mut(class) {
            *served = key.connection.0;
        }
    }

    /// Whether no earlier message of its lane is unfinished.
    fn is_head(&self, at: usize, entry: &Entry<B>) -> bool {
        let mut earlier = self.all.iter().take(at).filter(|earlier| earlier.progress == Progress::Sending);
        earlier.all(|earlier| earlier.lane() != entry.lane())
    }

    fn take(&mut self, which: impl Fn(&Entry<B>) -> bool) -> Option<Entry<B>> {
        let at = self.all.iter().position(which)?;
        // In order, so that lanes keep theirs.
        Some(self.all.remove(at))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wait {
    /// For its acknowledgement.
    Acknowledgement,
    /// For the next peer.
    NextPeer,
    /// For our user to hear that it was given up.
    Report,
}

/// A message that was begun and not acknowledged.
#[derive(Clone, Debug)]
pub(super) struct Unacknowledged<B> {
    pub(super) key: MessageKey,
    pub(super) marks: Marks,
    pub(super) aux: u64,
    pub(super) total: u64,
    /// Whether all of its chunks were sent.
    pub(super) sent: bool,
    pub(super) body: B,
    wait: Wait,
}

/// At most `N` messages that wait to be acknowledged.
#[derive(Debug)]
pub(super) struct Reliable<const N: usize, B> {
    all: Vec<Unacknowledged<B>, N>,
}

impl<const N: usize, B: Clone> Reliable<N, B> {
    pub(super) const fn new() -> Self {
        Self { all: Vec::new() }
    }

    pub(super) fn is_full(&self) -> bool {
        self.all.is_full()
    }

    /// Waits for its acknowledgement.
    pub(super) fn push(&mut self, entry: &Entry<B>) {
        let Entry { key, marks, aux, total, .. } = *entry;
        let (sent, body, wait) = (false, entry.body.clone(), Wait::Acknowledgement);
        let _ = self.all.push(Unacknowledged { key, marks, aux, total, sent, body, wait });
    }

    pub(super) fn sent(&mut self, key: MessageKey) {
        for entry in self.all.iter_mut().filter(|entry| entry.key == key) {
            entry.sent = true;
        }
    }

    /// Whether it stands here, for whatever it waits.
    pub(super) fn contains(&self, key: MessageKey) -> bool {
        self.all.iter().any(|entry| entry.key == key)
    }

    /// Whether it waited for that.
    pub(super) fn acknowledge(&mut self, key: MessageKey) -> bool {
        let waits =
            |entry: &Unacknowledged<B>| entry.key == key && entry.sent && entry.wait == Wait::Acknowledgement;
        let waited = self.all.iter().any(waits);
        self.all.retain(|entry| !waits(entry));
        waited
    }

    /// Nobody waits for it any more.
    pub(super) fn remove(&mut self, key: MessageKey) {
        self.all.retain(|entry| entry.key != key || entry.wait == Wait::Report);
    }

    /// A connection is closed: what was sent on it is given up.
    pub(super) fn close(&mut self, connection: ConnectionId) {
        for entry in self.all.iter_mut().filter(|entry| entry.key.connection == connection) {
            if entry.wait == Wait::Acknowledgement {
                entry.wait = Wait::Report;
            }
        }
    }

    /// The peer is dead: what it has not acknowledged goes to the next, however often it was sent.
    pub(super) fn lose(&mut self) {
        for entry in self.all.iter_mut().filter(|entry| entry.wait == Wait::Acknowledgement) {
            (entry.wait, entry.sent) = (Wait::NextPeer, false);
        }
    }

    /// The next peer does not acknowledge: what waits for it is given up.
    pub(super) fn give_up(&mut self) {
        for entry in self.all.iter_mut().filter(|entry| entry.wait == Wait::NextPeer) {
            entry.wait = Wait::Report;
        }
    }

    /// A message given up and not reported.
    pub(super) fn take_given_up(&mut self) -> Option<Unacknowledged<B>> {
        self.take(Wait::Report)
    }

    /// A message for the next peer.
    pub(super) fn take_again(&mut self) -> Option<Unacknowledged<B>> {
        self.take(Wait::NextPeer)
    }

    /// Messages that wait for anything.
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    fn take(&mut self, wait: Wait) -> Option<Unacknowledged<B>> {
        let at = self.all.iter().position(|entry| entry.wait == wait)?;
        Some(self.all.remove(at))
    }
}
