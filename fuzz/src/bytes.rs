//! Numbers taken from the fuzzer's bytes, one after another.

/// The bytes not yet used. When there are none, every number is 0.
#[derive(Debug)]
pub(crate) struct Bytes<'d> {
    rest: &'d [u8],
}

impl<'d> Bytes<'d> {
    pub(crate) fn new(data: &'d [u8]) -> Self {
        Self { rest: data }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(crate) fn u8(&mut self) -> u8 {
        let Some((first, rest)) = self.rest.split_first() else { return 0 };
        self.rest = rest;
        *first
    }

    pub(crate) fn u16(&mut self) -> u16 {
        u16::from_le_bytes([self.u8(), self.u8()])
    }

    pub(crate) fn u32(&mut self) -> u32 {
        u32::from(self.u16()) | u32::from(self.u16()) << 16
    }

    pub(crate) fn u64(&mut self) -> u64 {
        u64::from(self.u32()) | u64::from(self.u32()) << 32
    }

    /// A number that matters to a ring of `capacity` bytes, or any other.
    pub(crate) fn value(&mut self, capacity: u64) -> u64 {
        let near = u64::from(self.u8());
        match near % 12 {
            0 => 0,
            1 => 1,
            2 => near >> 4,
            3 => capacity.wrapping_add(near >> 4),
            4 => capacity.wrapping_sub(near >> 4),
            5 => capacity.wrapping_mul(2),
            6 => 1 << (near % 64),
            7 => u64::MAX.wrapping_sub(near >> 4),
            8 | 9 => u64::from(self.u16()) % capacity.max(1),
            _ => self.u64(),
        }
    }
}
