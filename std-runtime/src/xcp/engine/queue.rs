//! Bytes that wait for the socket: small ones copied together, large ones left where they are.

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::{Buf, Bytes, BytesMut};

/// Payloads from this length on are not copied.
const LARGE: usize = 16 << 10;
/// How many bytes wait before no more are asked for.
const HIGH: usize = 512 << 10;
/// Pieces of one write, at most.
pub(crate) const SLICES: usize = 16;

#[derive(Debug, Default)]
pub(crate) struct WriteQueue {
    small: BytesMut,
    parts: VecDeque<Bytes>,
    len: usize,
}

impl WriteQueue {
    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether enough waits for one write, or several.
    pub(crate) fn is_high(&self) -> bool {
        self.len >= HIGH
    }

    pub(crate) fn copy(&mut self, bytes: &[u8]) {
        self.small.extend_from_slice(bytes);
        self.len += bytes.len();
    }

    pub(crate) fn push(&mut self, bytes: Bytes) {
        if bytes.len() < LARGE {
            return self.copy(&bytes);
        }
        self.seal();
        self.len += bytes.len();
        self.parts.push_back(bytes);
    }

    fn seal(&mut self) {
        if !self.small.is_empty() {
            self.parts.push_back(self.small.split().freeze());
        }
    }

    /// The first pieces that wait.
    pub(crate) fn slices<'q>(&'q mut self, slices: &mut [IoSlice<'q>; SLICES]) -> usize {
        self.seal();
        let mut count = 0;
        for (slice, part) in slices.iter_mut().zip(&self.parts) {
            *slice = IoSlice::new(part);
            count += 1;
        }
        count
    }

    /// `len` bytes were written.
    pub(crate) fn advance(&mut self, mut len: usize) {
        self.len -= len;
        while let Some(part) = self.parts.front_mut() {
            if len < part.len() {
                part.advance(len);
                return;
            }
            len -= part.len();
            self.parts.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_leave_in_the_order_they_came_however_they_are_written() {
        for step in [1, 7, 1000, 50_000] {
            let mut queue = WriteQueue::default();
            let large = Bytes::from(vec![7; LARGE]);
            queue.copy(b"head");
            queue.push(large.clone());
            queue.push(Bytes::from_static(b"tail"));
            queue.copy(b"next");
            let expected = [b"head".as_slice(), &large, b"tailnext"].concat();
            let mut seen = Vec::new();
            while !queue.is_empty() {
                let mut slices = [IoSlice::new(&[]); SLICES];
                let count = queue.slices(&mut slices);
                let all: Vec<u8> = slices[..count].iter().flat_map(|slice| slice.to_vec()).collect();
                let len = step.min(all.len());
                seen.extend_from_slice(&all[..len]);
                queue.advance(len);
            }
            assert_eq!(seen, expected);
        }
    }
}
