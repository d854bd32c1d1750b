//! Spans of payload bytes: copied in, copied out, or lent while the protocol gives us their turn.
#![expect(unsafe_code, reason = "the one place where payload bytes are touched")]

use core::marker::PhantomData;
#[cfg(not(all(test, loom)))]
use core::ptr::NonNull;

use crate::platform::Segment;

/// A checked range of a segment. All offsets are relative to its start; every access is bounds-checked again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span<'s> {
    #[cfg(not(all(test, loom)))]
    base: NonNull<u8>,
    #[cfg(not(all(test, loom)))]
    len: usize,
    #[cfg(all(test, loom))]
    cells: &'s [loom::cell::UnsafeCell<u8>],
    segment: PhantomData<&'s ()>,
}

/// An access beyond a span's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OutOfSpan;

#[cfg(not(all(test, loom)))]
impl<'s> Span<'s> {
    /// The `len` bytes at `offset` of `segment`.
    #[inline]
    pub(crate) fn new<S: Segment>(segment: &'s S, offset: usize, len: usize) -> Result<Self, OutOfSpan> {
        let end = offset.checked_add(len).ok_or(OutOfSpan)?;
        if end > segment.len() {
            return Err(OutOfSpan);
        }
        // SAFETY: `offset <= end <= segment.len()`, so the result stays inside the segment's allocation.
        let base = unsafe { segment.base().add(offset) };
        Ok(Self { base, len, segment: PhantomData })
    }

    /// No bytes at all.
    pub(crate) fn empty() -> Self {
        Self { base: NonNull::dangling(), len: 0, segment: PhantomData }
    }

    #[inline]
    fn at(self, offset: u64, len: usize) -> Result<NonNull<u8>, OutOfSpan> {
        let offset = usize::try_from(offset).map_err(|_| OutOfSpan)?;
        let end = offset.checked_add(len).ok_or(OutOfSpan)?;
        if end > self.len {
            return Err(OutOfSpan);
        }
        // SAFETY: `offset <= end <= self.len`, inside the span.
        Ok(unsafe { self.base.add(offset) })
    }

    /// Copies 16 bytes out, each read from memory exactly once, whatever the peer writes meanwhile.
    #[inline]
    pub(crate) fn read16(self, offset: u64) -> Result<[u8; 16], OutOfSpan> {
        /// Eight bytes at any address.
        #[repr(C, packed)]
        #[derive(Clone, Copy)]
        struct Unaligned(u64);

        let from = self.at(offset, 16)?.cast::<Unaligned>();
        // SAFETY: the first 8 of 16 bytes inside the span; alignment 1.
        let low = unsafe { from.as_ptr().read_volatile() };
        // SAFETY: stays inside the 16 bytes checked above.
        let second = unsafe { from.add(1) };
        // SAFETY: the second 8 of 16 bytes inside the span; alignment 1.
        let high = unsafe { second.as_ptr().read_volatile() };
        let mut out = [0; 16];
        let (a, b) = out.split_at_mut(8);
        a.copy_from_slice(&{ low.0 }.to_ne_bytes());
        b.copy_from_slice(&{ high.0 }.to_ne_bytes());
        Ok(out)
    }

    /// Copies `bytes` in.
    #[inline]
    pub(crate) fn write(self, offset: u64, bytes: &[u8]) -> Result<(), OutOfSpan> {
        let to = self.at(offset, bytes.len())?;
        // SAFETY: `to` is valid for `bytes.len()` bytes inside the span; `bytes` is a Rust slice, which never
        // overlaps the segment except for slices lent by `slice`, which borrow the reader and not the writer.
        unsafe { core::ptr::copy(bytes.as_ptr(), to.as_ptr(), bytes.len()) };
        Ok(())
    }

    /// Copies bytes out into `out`.
    #[inline]
    pub(crate) fn read(self, offset: u64, out: &mut [u8]) -> Result<(), OutOfSpan> {
        let from = self.at(offset, out.len())?;
        // SAFETY: `from` is valid for `out.len()` bytes inside the span and `out` does not overlap it.
        unsafe { core::ptr::copy_nonoverlapping(from.as_ptr(), out.as_mut_ptr(), out.len()) };
        Ok(())
    }

    /// Lends bytes for reading.
    ///
    /// # Safety
    /// For the whole of `'s` it is the caller's turn to read them: the protocol forbids everybody to write them.
    #[inline]
    pub(crate) unsafe fn slice(self, offset: u64, len: usize) -> Result<&'s [u8], OutOfSpan> {
        let from = self.at(offset, len)?;
        // SAFETY: inside the span, which outlives `'s`; nobody writes meanwhile by the caller's promise.
        Ok(unsafe { core::slice::from_raw_parts(from.as_ptr(), len) })
    }

    /// Lends bytes for writing.
    ///
    /// # Safety
    /// For the whole of `'s` it is the caller's turn to write them: the protocol forbids everybody else to touch them.
    #[inline]
    pub(crate) unsafe fn slice_mut(self, offset: u64, len: usize) -> Result<&'s mut [u8], OutOfSpan> {
        let from = self.at(offset, len)?;
        // SAFETY: inside the span, which outlives `'s`; nobody else touches them by the caller's promise.
        Ok(unsafe { core::slice::from_raw_parts_mut(from.as_ptr(), len) })
    }
}

/// What will be done with memory soon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Soon {
    Read,
    Written,
}

/// Asks the processor for the cache line of an address, if it can be asked. Any address will do: nothing is accessed.
#[inline]
pub(super) fn expect(address: *const u8, soon: Soon) {
    #[cfg(all(target_arch = "x86_64", not(all(test, loom)), not(miri)))]
    {
        use core::arch::x86_64::{_MM_HINT_ET0, _MM_HINT_T0, _mm_prefetch};
        match soon {
            // SAFETY: a hint: it changes nothing and cannot fault.
            Soon::Read => unsafe { _mm_prefetch::<_MM_HINT_T0>(address.cast()) },
            // SAFETY: as above.
            Soon::Written => unsafe { _mm_prefetch::<_MM_HINT_ET0>(address.cast()) },
        }
    }
    #[cfg(not(all(target_arch = "x86_64", not(all(test, loom)), not(miri))))]
    let _ = (address, soon);
}

/// A power of two of buffers of one length that follow each other in a segment, checked once.
#[cfg(not(all(test, loom)))]
#[derive(Clone, Debug)]
pub(crate) struct Buffers<S> {
    first: NonNull<u8>,
    /// Bytes of each.
    len: usize,
    mask: usize,
    // Last, and never read: keeps the memory at its address for as long as the buffers are asked for.
    _segment: S,
}

// SAFETY: `first` is only turned into spans, whose bytes are touched by whoever has their turn; so this may go where the
// segment may.
#[cfg(not(all(test, loom)))]
unsafe impl<S: Send> Send for Buffers<S> {}
// SAFETY: as above.
#[cfg(not(all(test, loom)))]
unsafe impl<S: Sync> Sync for Buffers<S> {}

#[cfg(not(all(test, loom)))]
impl<S: Segment> Buffers<S> {
    /// The `count` buffers of `len` bytes at `offset`; a `count` that is no power of two is rounded down to one.
    pub(crate) fn new(segment: S, offset: usize, len: usize, count: usize) -> Result<Self, OutOfSpan> {
        let count = if count == 0 { return Err(OutOfSpan) } else { 1 << count.ilog2() };
        let span = Span::new(&segment, offset, len.checked_mul(count).ok_or(OutOfSpan)?)?;
        Ok(Self { first: span.base, len, mask: count - 1, _segment: segment })
    }

    /// Bytes of a buffer.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Says that the start of a buffer will be touched soon.
    #[inline]
    pub(crate) fn expect(&self, index: usize, soon: Soon) {
        expect(self.first.as_ptr().wrapping_add((index & self.mask) * self.len), soon);
    }

    /// The buffer at `index` modulo the count.
    #[inline]
    pub(crate) fn at(&self, index: usize) -> Span<'_> {
        // SAFETY: `index & mask` is below the count, and `new` has checked that so many times `len` bytes are inside.
        let base = unsafe { self.first.add((index & self.mask) * self.len) };
        Span { base, len: self.len, segment: PhantomData }
    }
}

/// Loom's memory has no buffers: its models end at the ring.
#[cfg(all(test, loom))]
#[derive(Clone, Debug)]
pub(crate) struct Buffers<S> {
    _segment: S,
}

#[cfg(all(test, loom))]
impl<S: Segment> Buffers<S> {
    pub(crate) fn new(_segment: S, _offset: usize, _len: usize, _count: usize) -> Result<Self, OutOfSpan> {
        Err(OutOfSpan)
    }

    pub(crate) fn len(&self) -> usize {
        0
    }

    pub(crate) fn expect(&self, _index: usize, _soon: Soon) {}

    pub(crate) fn at(&self, _index: usize) -> Span<'_> {
        Span::empty()
    }
}

/// Under loom every byte is a cell, so that a read that is not ordered after its write fails the model.
#[cfg(all(test, loom))]
impl<'s> Span<'s> {
    pub(crate) fn over(cells: &'s [loom::cell::UnsafeCell<u8>]) -> Self {
        Self { cells, segment: PhantomData }
    }

    /// Loom's memory is no segment.
    #[inline]
    pub(crate) fn new<S: Segment>(_segment: &'s S, _offset: usize, _len: usize) -> Result<Self, OutOfSpan> {
        Err(OutOfSpan)
    }

    pub(crate) fn empty() -> Self {
        Self { cells: &[], segment: PhantomData }
    }

    #[inline]
    fn at(self, offset: u64, len: usize) -> Result<&'s [loom::cell::UnsafeCell<u8>], OutOfSpan> {
        let offset = usize::try_from(offset).map_err(|_| OutOfSpan)?;
        self.cells.get(offset..offset.checked_add(len).ok_or(OutOfSpan)?).ok_or(OutOfSpan)
    }

    #[inline]
    pub(crate) fn read16(self, offset: u64) -> Result<[u8; 16], OutOfSpan> {
        let mut out = [0; 16];
        self.read(offset, &mut out)?;
        Ok(out)
    }

    #[inline]
    pub(crate) fn write(self, offset: u64, bytes: &[u8]) -> Result<(), OutOfSpan> {
        for (cell, byte) in self.at(offset, bytes.len())?.iter().zip(bytes) {
            // SAFETY: loom checks that no other thread accesses the cell meanwhile.
            cell.with_mut(|to| unsafe { *to = *byte });
        }
        Ok(())
    }

    #[inline]
    pub(crate) fn read(self, offset: u64, out: &mut [u8]) -> Result<(), OutOfSpan> {
        for (cell, byte) in self.at(offset, out.len())?.iter().zip(out) {
            // SAFETY: loom checks that no other thread writes the cell meanwhile.
            *byte = cell.with(|from| unsafe { *from });
        }
        Ok(())
    }

    /// Not lent under loom: the models copy.
    ///
    /// # Safety
    /// None needed.
    pub(crate) unsafe fn slice(self, _offset: u64, _len: usize) -> Result<&'s [u8], OutOfSpan> {
        Err(OutOfSpan)
    }

    /// Not lent under loom: the models copy.
    ///
    /// # Safety
    /// None needed.
    pub(crate) unsafe fn slice_mut(self, _offset: u64, _len: usize) -> Result<&'s mut [u8], OutOfSpan> {
        Err(OutOfSpan)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::testing::HeapSegment;

    #[test]
    fn no_access_leaves_the_span() {
        let segment = HeapSegment::new(128);
        assert_eq!(Span::new(&segment, 64, 65).err(), Some(OutOfSpan));
        assert_eq!(Span::new(&segment, usize::MAX, 2).err(), Some(OutOfSpan));
        let span = Span::new(&segment, 64, 64).unwrap();
        assert_eq!(span.read16(49), Err(OutOfSpan));
        assert_eq!(span.read16(u64::MAX), Err(OutOfSpan));
        assert_eq!(span.write(60, &[1; 5]), Err(OutOfSpan));
        assert!(span.write(49, &[7; 15]).is_ok());
        let mut out = [0; 15];
        span.read(49, &mut out).unwrap();
        assert_eq!(out, [7; 15]);
    }

    #[test]
    fn buffers_lie_wholly_inside() {
        let segment = HeapSegment::new(128);
        let buffers = Buffers::new(segment.clone(), 32, 24, 4).unwrap();
        buffers.at(7).write(0, &[9; 24]).unwrap();
        assert_eq!(segment.bytes(32 + 3 * 24, 24), [9; 24]);
        assert_eq!((buffers.len(), buffers.at(0).write(1, &[0; 24])), (24, Err(OutOfSpan)));
        for (offset, len, count) in
            [(33, 24, 4), (0, 64, 0), (0, 16, 16), (0, usize::MAX, 2), (usize::MAX, 8, 1)]
        {
            assert!(Buffers::new(segment.clone(), offset, len, count).is_err(), "{offset} {len} {count}");
        }
    }

    #[test]
    fn sixteen_bytes_are_read_at_any_alignment() {
        let segment = HeapSegment::new(64);
        let span = Span::new(&segment, 0, 64).unwrap();
        let bytes: [u8; 16] = core::array::from_fn(|i| u8::try_from(i).unwrap());
        for offset in 0..48 {
            span.write(offset, &bytes).unwrap();
            assert_eq!(span.read16(offset), Ok(bytes));
        }
    }
}
