//! Is anybody at the other side of the link, and did one who was there die?

use strait::hqq::{Link, Side, inspect};

/// What is known of those who send to a receiver.
#[derive(Debug)]
pub(super) struct Senders {
    name: String,
    from: Side,
    /// Where their ring stood when we came.
    tail: u64,
    /// Slots in it that others, dead by then, had reserved.
    tombstones: u64,
    seen: bool,
}

/// What a look at them found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// Some are there, may come, or cannot be seen.
    Open,
    /// All have gone, and nothing of theirs is left.
    Gone,
    /// The same, and one of them died: the process of this number, or, for 0, one that held a slot.
    Died(u64),
    /// They have gone, one of them in the middle of a message: whether it died or left cannot be told any more.
    CutOff,
    /// They have gone in order, and this many of their messages were given up by them or refused here.
    Incomplete(u64),
}

impl Senders {
    /// Those of `link`, which was joined just now.
    pub(super) fn of(link: &Link) -> Self {
        let (name, from) = (link.local_address().link, link.side().other());
        let (tail, tombstones) =
            inspect(&name).map_or((0, 0), |info| (info.ring(from).tail, info.ring(from).tombstones));
        Self { name: name.to_string(), from, tail, tombstones, seen: false }
    }

    /// A message came: there is a sender, or was.
    pub(super) fn heard(&mut self) {
        self.seen = true;
    }

    /// Looks, on behalf of who found nothing to receive.
    pub(super) fn look(&mut self) -> Look {
        let Ok(info) = inspect(&self.name) else { return Look::Open };
        if info.has_strangers {
            return Look::Open;
        }
        let (living, ring) = (info.living(self.from), info.ring(self.from));
        let dead = info.participants.iter().find(|one| one.side == self.from && one.alive == Some(false));
        // One may have come and gone between two looks, and another receiver may have taken what it sent.
        self.seen |= living > 0 || dead.is_some() || ring.tail != self.tail;
        if !self.seen || living > 0 || ring.unread + ring.reserved > 0 {
            return Look::Open;
        }
        match dead {
            Some(dead) => Look::Died(dead.pid),
            // What it held in this very ring was recovered since we came, and its entry with it.
            None if ring.tombstones > self.tombstones => Look::Died(0),
            None => Look::Gone,
        }
    }
}

impl Senders {
    /// Who is there to send, as the end of a sentence.
    pub(super) fn who(&self) -> String {
        let from = self.from;
        match inspect(&self.name) {
            Ok(info) if info.has_strangers => format!("whether anybody sends as {from} cannot be seen"),
            Ok(info) => {
                let mut there = info.participants.iter().filter(|one| one.side == from);
                match there.find(|one| one.alive != Some(false)) {
                    Some(one) => format!("process {} is there as {from} and has not closed", one.pid),
                    None => format!("nobody is there as {from}"),
                }
            }
            Err(_) => format!("whether anybody sends as {from} cannot be seen"),
        }
    }
}

/// Why a ring towards side `to` stays full, as the end of a sentence.
pub(super) fn who_receives(name: &str, to: Side) -> String {
    let unknown = "nobody has taken a message from it".to_owned();
    let Ok(info) = inspect(name) else { return unknown };
    if info.has_strangers {
        return unknown;
    }
    let there = || info.participants.iter().filter(|one| one.side == to);
    if let Some(one) = there().find(|one| one.alive != Some(false)) {
        return format!("process {} is there as {to} and takes no message", one.pid);
    }
    match there().next() {
        Some(dead) => format!("process {}, which received, died", dead.pid),
        None => format!("nobody receives as {to}"),
    }
}
