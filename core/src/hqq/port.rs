//! What the guards of a slot need of the handle that gave them: its lane, and who is to be woken.

use super::lane::Lane;
use super::packet::Packet;
use crate::mpmc::{ConsumerTurn, ProducerTurn};
use crate::platform::{Pid, Segment};

/// A handle as its guards see it.
pub trait Port: sealed::Port {}

impl<T: sealed::Port> Port for T {}

pub(super) mod sealed {
    use super::{ConsumerTurn, Lane, Packet, Pid, ProducerTurn, Segment};

    /// Named by nobody outside.
    #[expect(unnameable_types, reason = "sealed: guards are generic over it, users are not")]
    pub trait Port {
        /// The memory.
        type Segment: Segment;
        /// The process that the handle belongs to, if that is not this one.
        fn forked(&self) -> Option<Pid>;
        /// The direction.
        fn lane(&self) -> &Lane<Self::Segment>;
        /// Publishes, and wakes who waits for data.
        fn publish(&self, turn: ProducerTurn, packet: Packet);
        /// Releases, and wakes who waits for space.
        fn release(&self, turn: ConsumerTurn);
        /// Wakes who waits for what was published quietly.
        fn wake_consumers(&self);
        /// Wakes who waits for what was released quietly.
        fn wake_producers(&self);
        /// Counts a slot that was sent with so many bytes, or given up.
        fn count_sent(&mut self, bytes: Option<usize>);
        /// The next number of a copy.
        fn next_copy(&mut self) -> u64;
    }
}
