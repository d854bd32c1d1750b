//! Bytes that wait for the socket: small ones copied together, large ones left where they are.

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::{Buf, Bytes, BytesMut};
use strait_core::xcp::frame::Envelope;

/// Payloads from this length on are not copied.
const LARGE: usize = 16 << 10;
/// How many bytes wait before no more are asked for.
const HIGH: usize = 512 << 10;
/// Pieces of one write, at most.
pub(crate) const SLICES: usize = 16;

#[derive(Debug, Default)]
pub(crate) struct WriteQueue {
    parts: VecDeque<Bytes>,
    /// Small ones, behind all parts.
    small: BytesMut,
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

    /// Appends what stands in front of a payload; whether there can be such a frame.
    pub(crate) fn head(&mut self, envelope: &Envelope, header: &[u8]) -> bool {
        let start = self.small.len();
        self.small.resize(start + envelope.head_len(header.len()), 0);
        let written = envelope.head(header, &mut self.small[start..]);
        let len = written.unwrap_or(0);
        self.small.truncate(start + len);
        self.len += len;
        written.is_some()
    }

    pub(crate) fn push(&mut self, bytes: Bytes) {
        if bytes.len() < LARGE {
            return self.copy(&bytes);
        }
        if !self.small.is_empty() {
            self.parts.push_back(self.small.split().freeze());
        }
        self.len += bytes.len();
        self.parts.push_back(bytes);
    }

    /// The first pieces that wait.
    pub(crate) fn slices<'q>(&'q self, slices: &mut [IoSlice<'q>; SLICES]) -> usize {
        let small = Some(&self.small[..]).filter(|small| !small.is_empty());
        let mut count = 0;
        for (slice, part) in slices.iter_mut().zip(self.parts.iter().map(|part| &part[..]).chain(small)) {
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
        if len == self.small.len() {
            // From the start of its memory again.
            self.small.clear();
        } else {
            self.small.advance(len);
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
