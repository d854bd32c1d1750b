//! How much room does what is written need? Bytes go one after another into a slice, and are counted where it ends.
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

/// The slice is too short for what was written into it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::xcp) struct NoRoom {
    /// Bytes of all that was written.
    pub(in crate::xcp) needed: usize,
    /// Bytes of the slice.
    pub(in crate::xcp) len: usize,
}

/// Writes never fail: [`finish`](Self::finish) says whether all had room.
#[derive(Debug)]
pub(in crate::xcp) struct Sink<'a> {
    out: &'a mut [u8],
    needed: usize,
}

impl<'a> Sink<'a> {
    /// Writes from the start of `out`. Into an empty slice it only counts.
    pub(in crate::xcp) fn new(out: &'a mut [u8]) -> Self {
        Self { out, needed: 0 }
    }

    /// Appends `bytes`.
    pub(in crate::xcp) fn push(&mut self, bytes: &[u8]) {
        let end = self.needed.saturating_add(bytes.len());
        // What follows has no room either: it begins beyond the end.
        if let Some(room) = self.out.get_mut(self.needed..end) {
            room.copy_from_slice(bytes);
        }
        self.needed = end;
    }

    /// Appends a number in decimal digits.
    pub(in crate::xcp) fn decimal(&mut self, value: u64) {
        let mut digits = [b'0'; 20];
        let mut rest = value;
        let mut unused = digits.len();
        for digit in digits.iter_mut().rev() {
            // '0' is 0x30.
            *digit |= (rest % 10).to_le_bytes()[0];
            rest /= 10;
            unused = unused.saturating_sub(1);
            if rest == 0 {
                break;
            }
        }
        self.push(digits.get(unused..).unwrap_or_default());
    }

    /// Appends two lower-case hexadecimal digits for every byte.
    pub(in crate::xcp) fn hex(&mut self, bytes: &[u8]) {
        for byte in bytes {
            for nibble in [byte >> 4, byte & 0xF] {
                let digit = char::from_digit(u32::from(nibble), 16).unwrap_or('0');
                self.push(digit.encode_utf8(&mut [0; 4]).as_bytes());
            }
        }
    }

    /// Bytes written so far, whether they had room or not.
    pub(in crate::xcp) const fn needed(&self) -> usize {
        self.needed
    }

    /// How many bytes were written.
    ///
    /// # Errors
    /// [`NoRoom`] if they are more than the slice has.
    pub(in crate::xcp) fn finish(self) -> Result<usize, NoRoom> {
        let len = self.out.len();
        if self.needed > len { Err(NoRoom { needed: self.needed, len }) } else { Ok(self.needed) }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_no_zeros_in_front_and_a_short_slice_says_what_was_needed() {
        let mut out = [0; 40];
        let mut sink = Sink::new(&mut out);
        for value in [0, 10, u64::MAX] {
            sink.decimal(value);
            sink.push(b" ");
        }
        sink.hex(&[0x0f, 0xa0]);
        let len = sink.finish().unwrap();
        assert_eq!(&out[..len], b"0 10 18446744073709551615 0fa0");

        let mut short = [0; 5];
        let mut sink = Sink::new(&mut short);
        sink.push(b"abc");
        sink.push(b"defg");
        sink.push(b"h");
        assert_eq!(sink.finish(), Err(NoRoom { needed: 8, len: 5 }));
        assert_eq!(&short, b"abc\0\0");
    }
}
