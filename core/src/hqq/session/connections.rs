//! Which logical connections there are, and what is still to be said about them.
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use heapless::Vec;

use super::Side;
use super::credit::Credit;
use super::error::PeerError;
use super::history::History;
use super::message::ConnectionId;
use crate::hqq::OpCode;

/// Connections closed by us whose stragglers are dropped without a word.
const CLOSED: usize = 16;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// We have asked for it.
    Opening,
    /// Chunks may go.
    Open,
    /// Its peer is dead, and our user does not know yet.
    Lost,
}

#[derive(Debug)]
pub(super) struct Connection {
    pub(super) id: ConnectionId,
    pub(super) stage: Stage,
    /// Whether the peer has not yet been told that it is granted.
    pub(super) accept_due: bool,
    pub(super) credit: Credit,
}

impl Connection {
    fn new(id: ConnectionId, stage: Stage, window: u64) -> Self {
        Self { id, stage, accept_due: false, credit: Credit::new(window) }
    }

    /// Whether messages may be begun on it.
    pub(super) fn is_usable(&self) -> bool {
        self.stage != Stage::Lost
    }
}

/// Connection 0 and at most `N` others.
#[derive(Debug)]
pub(super) struct Connections<const N: usize> {
    window: u64,
    implicit: Connection,
    others: Vec<Connection, N>,
    /// The last number tried: odd ones are the Primary's, even ones the Secondary's.
    last: u64,
    closed: History<ConnectionId, CLOSED>,
}

impl<const N: usize> Connections<N> {
    pub(super) fn new(side: Side, window: u64) -> Self {
        Self {
            window,
            implicit: Connection::new(ConnectionId::IMPLICIT, Stage::Open, window),
            others: Vec::new(),
            last: match side {
                Side::Primary => u64::MAX,
                Side::Secondary => 0,
            },
            closed: History::new(),
        }
    }

    /// A connection of our own; `None` if there are too many.
    pub(super) fn open(&mut self) -> Option<ConnectionId> {
        if self.others.is_full() {
            return None;
        }
        // Bounded: at most N numbers are taken, and 0 is.
        let id = loop {
            self.last = self.last.wrapping_add(2);
            let id = ConnectionId(self.last);
            if id != ConnectionId::IMPLICIT && self.find(id).is_none() {
                break id;
            }
        };
        self.closed.forget(id);
        self.others.push(Connection::new(id, Stage::Opening, self.window)).ok().map(|()| id)
    }

    /// The peer asks for one.
    pub(super) fn create(&mut self, id: ConnectionId) -> Result<(), PeerError> {
        if self.find(id).is_some() {
            return Err(PeerError::ConnectionExists { connection: id.0 });
        }
        let connection = Connection { accept_due: true, ..Connection::new(id, Stage::Open, self.window) };
        let full = PeerError::TooManyConnections { connection: id.0, limit: N };
        self.others.push(connection).map_err(|_| full)?;
        self.closed.forget(id);
        Ok(())
    }

    /// Forgets it; whether it was there.
    pub(super) fn remove(&mut self, id: ConnectionId) -> bool {
        let before = self.others.len();
        self.others.retain(|connection| connection.id != id);
        self.others.len() < before
    }

    /// Closes it for our part; whether it was there.
    pub(super) fn close(&mut self, id: ConnectionId) -> bool {
        let removed = self.remove(id);
        if removed {
            self.closed.remember(id);
        }
        removed
    }

    /// The peer is dead: connection 0 starts anew, the others wait to be reported.
    pub(super) fn lose(&mut self) {
        self.closed.clear();
        self.implicit = Connection::new(ConnectionId::IMPLICIT, Stage::Open, self.window);
        for connection in &mut self.others {
            connection.stage = Stage::Lost;
        }
    }

    /// A connection of a dead peer that was not reported.
    pub(super) fn take_lost(&mut self) -> Option<ConnectionId> {
        let id = self.others.iter().find(|connection| connection.stage == Stage::Lost)?.id;
        self.remove(id);
        Some(id)
    }

    pub(super) fn find(&self, id: ConnectionId) -> Option<&Connection> {
        if id == ConnectionId::IMPLICIT {
            return Some(&self.implicit);
        }
        self.others.iter().find(|connection| connection.id == id)
    }

    pub(super) fn find_mut(&mut self, id: ConnectionId) -> Option<&mut Connection> {
        if id == ConnectionId::IMPLICIT {
            return Some(&mut self.implicit);
        }
        self.others.iter_mut().find(|connection| connection.id == id)
    }

    /// The open connection that a packet of the peer names; `None` if it is one that we have just closed.
    pub(super) fn named(&mut self, id: u64, opcode: OpCode) -> Result<Option<&mut Connection>, PeerError> {
        let closed = self.closed.contains(ConnectionId(id));
        match self.find_mut(ConnectionId(id)) {
            Some(connection) if connection.stage == Stage::Open => Ok(Some(connection)),
            None if closed => Ok(None),
            _ => Err(PeerError::UnknownConnection { opcode, connection: id }),
        }
    }

    pub(super) fn was_closed(&self, id: u64) -> bool {
        self.closed.contains(ConnectionId(id))
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Connection> {
        core::iter::once(&mut self.implicit).chain(&mut self.others)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn both_sides_choose_numbers_that_never_meet() {
        let mut primary = Connections::<3>::new(Side::Primary, 1);
        let mut secondary = Connections::<3>::new(Side::Secondary, 1);
        let open = |table: &mut Connections<3>| {
            (0..4).map(|_| table.open().map(|id| id.0)).collect::<std::vec::Vec<_>>()
        };
        assert_eq!(open(&mut primary), [Some(1), Some(3), Some(5), None]);
        assert_eq!(open(&mut secondary), [Some(2), Some(4), Some(6), None]);
    }

    #[test]
    fn numbers_that_the_peer_took_are_skipped_and_0_is_never_given() {
        let mut table = Connections::<3>::new(Side::Secondary, 1);
        table.create(ConnectionId(2)).unwrap();
        assert_eq!(table.open(), Some(ConnectionId(4)));
        table.last = u64::MAX - 1;
        assert_eq!(table.open(), Some(ConnectionId(6)));
        assert_eq!(
            table.create(ConnectionId(9)),
            Err(PeerError::TooManyConnections { connection: 9, limit: 3 })
        );
    }

    #[test]
    fn a_connection_that_we_closed_has_stragglers_and_others_have_not() {
        let mut table = Connections::<3>::new(Side::Primary, 1);
        table.create(ConnectionId(7)).unwrap();
        assert!(table.named(7, OpCode::CREDIT).unwrap().is_some());
        assert!(table.close(ConnectionId(7)) && !table.close(ConnectionId(8)));
        assert!(table.named(7, OpCode::CREDIT).unwrap().is_none());
        let unknown = PeerError::UnknownConnection { opcode: OpCode::CREDIT, connection: 8 };
        assert_eq!(table.named(8, OpCode::CREDIT).map(|_| ()), Err(unknown));
    }
}
