//! Which instruction changes the memory of a link?

use core::ops::Range;
use std::fs::File;
use std::os::unix::fs::FileExt as _;

use strait_tests::objects;

/// The memory of a link, looked at from outside.
pub(super) struct Watch {
    file: Option<File>,
    range: Range<usize>,
    bytes: Vec<u8>,
    before: Vec<u8>,
}

impl Watch {
    /// All of it, or as much as `range` says; nothing of a link that has no name.
    pub(super) fn new(name: &str, range: Option<Range<usize>>) -> Self {
        let file = File::open(objects::segment(name)).ok();
        let len = file.as_ref().map_or(0, |file| file.metadata().expect("of a file").len());
        let range = range.unwrap_or_else(|| 0..usize::try_from(len).expect("small"));
        let mut watch = Self { file, bytes: vec![0; range.len()], before: Vec::new(), range };
        watch.read();
        watch.before.clone_from(&watch.bytes);
        watch
    }

    fn read(&mut self) {
        if let Some(file) = &self.file {
            file.read_exact_at(&mut self.bytes, self.range.start as u64).expect("as long as it was");
        }
    }

    /// Where it is another one than at the last look.
    pub(super) fn change(&mut self) -> Option<Range<usize>> {
        self.read();
        if self.bytes == self.before {
            return None;
        }
        let mut differ = (0..self.bytes.len()).filter(|at| self.bytes[*at] != self.before[*at]);
        let first = differ.next().expect("they differ");
        let last = differ.next_back().unwrap_or(first);
        core::mem::swap(&mut self.bytes, &mut self.before);
        // Whole words: what is written is not the same in every run.
        Some(self.range.start + first / 8 * 8..self.range.start + last / 8 * 8 + 8)
    }
}
