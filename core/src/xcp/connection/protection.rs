//! Where a connection has its control frames sealed, if it has.

use super::super::numbers::Flags;

/// Bytes that sealing adds at most.
pub const SEAL_OVERHEAD: usize = 16;

/// A frame whose body is sealed: what the seal covers besides the body.
#[derive(Clone, Copy, Debug)]
pub struct SealedFrame<'h> {
    /// The frame's version, major and minor, a nibble each.
    pub version: u8,
    /// The frame's flags.
    pub flags: Flags,
    /// The frame's header, as on the wire.
    pub header: &'h [u8],
    /// Number of the message.
    pub msg_id: u64,
    /// The channel it is on.
    pub channel: u32,
}

/// Seals and opens the bodies of control frames. Those of messages are the driver's: they are sealed whole, before they
/// are split.
///
/// Control frames are numbered when they are sent, on channel 0, and messages when they begin: so that numbers of a channel
/// rise there are no sealed messages on channel 0, in neither direction.
pub trait Protection {
    /// Whether control frames are sealed, both ways. HELLO and its answer never are.
    fn is_on(&self) -> bool;

    /// Seals the first `len` bytes of `body`, which has [`SEAL_OVERHEAD`] bytes of room behind them; how many bytes it
    /// has then. `None` if no more can be sealed: the frame is not sent.
    fn seal(&mut self, frame: SealedFrame<'_>, body: &mut [u8], len: usize) -> Option<usize>;

    /// Opens a body; how many bytes of it are left. `None` if it was not sealed by the peer, or came before.
    fn open(&mut self, frame: SealedFrame<'_>, body: &mut [u8]) -> Option<usize>;
}

/// Nothing is sealed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Plain;

impl Protection for Plain {
    fn is_on(&self) -> bool {
        false
    }

    fn seal(&mut self, _frame: SealedFrame<'_>, _body: &mut [u8], _len: usize) -> Option<usize> {
        None
    }

    fn open(&mut self, _frame: SealedFrame<'_>, _body: &mut [u8]) -> Option<usize> {
        None
    }
}
