//! Is what came what was asked for?

use clap::ValueEnum;

use crate::exit::Failure;
use crate::pattern::Pattern;
use crate::size::{SizeRange, Sizes};

/// What frames are compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Verify {
    /// Anything will do
    None,
    /// Byte i of frame k is k + i, modulo 256
    Sequential,
    /// Keystream of `ChaCha8`: key = --seed (8 bytes, little endian) and 24 zero bytes, nonce = frame number from 0
    Random,
    /// Every byte is 0x00
    Zero,
    /// Every byte is 0xff
    Ones,
}

impl Verify {
    fn pattern(self) -> Option<Pattern> {
        match self {
            Self::None => None,
            Self::Sequential => Some(Pattern::Sequential),
            Self::Random => Some(Pattern::Random),
            Self::Zero => Some(Pattern::Zero),
            Self::Ones => Some(Pattern::Ones),
        }
    }
}

/// Compares frames with what they should be.
pub(crate) struct Checker {
    what: &'static str,
    sizes: Option<Sizes>,
    /// Sizes that frames may have other than, but are compared with.
    usual: Option<Sizes>,
    unusual: u64,
    pattern: Option<Pattern>,
    seed: u64,
    wrong: u64,
}

impl Checker {
    /// For frames, called `what`, of these sizes if they matter.
    pub(crate) fn new(what: &'static str, verify: Verify, size: Option<SizeRange>, seed: u64) -> Self {
        let sizes = size.map(|size| size.sizes(seed));
        Self { what, sizes, usual: None, unusual: 0, pattern: verify.pattern(), seed, wrong: 0 }
    }

    /// Unless their sizes matter, those that are not `size` are counted.
    pub(crate) fn counting_other_than(mut self, size: SizeRange) -> Self {
        if self.sizes.is_none() {
            self.usual = Some(size.sizes(self.seed));
        }
        self
    }

    /// How many had another size than expected, whether that matters or not.
    pub(crate) fn other_sizes(&self) -> u64 {
        self.unusual
    }

    /// How many were not what they should be.
    pub(crate) fn wrong(&self) -> u64 {
        self.wrong
    }

    /// What is wrong with frame `index`, from 0; each is given once.
    pub(crate) fn check(&mut self, index: u64, frame: &[u8]) -> Option<Failure> {
        let failure = self.wrong_size(index, frame).or_else(|| self.wrong_byte(index, frame));
        self.wrong += u64::from(failure.is_some());
        failure
    }

    fn wrong_size(&mut self, index: u64, frame: &[u8]) -> Option<Failure> {
        let (what, found) = (self.what, frame.len());
        if let Some(usual) = &mut self.usual {
            self.unusual += u64::from(usual.next_len() != found);
        }
        let expected = self.sizes.as_mut()?.next_len();
        self.unusual += u64::from(found != expected);
        (found != expected)
            .then(|| Failure::verify(format_args!("{what} {index} has {found} bytes, expected {expected}")))
    }

    fn wrong_byte(&self, index: u64, frame: &[u8]) -> Option<Failure> {
        let (at, expected) = self.pattern?.difference(self.seed, index, frame)?;
        Some(Failure::verify(format_args!(
            "{} {index}: byte {at} is 0x{:02x}, expected 0x{expected:02x}",
            self.what, frame[at]
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_size_is_an_error_if_it_matters_and_is_counted_in_any_case() {
        let asked = SizeRange::fixed(2);
        for (size, wrong) in [(None, 0), (Some(asked), 2)] {
            let mut checker = Checker::new("frame", Verify::None, size, 0).counting_other_than(asked);
            for (index, frame) in [&b"ab"[..], b"a", b"abc"].iter().enumerate() {
                let _ = checker.check(index as u64, frame);
            }
            assert_eq!((checker.other_sizes(), checker.wrong()), (2, wrong), "{size:?}");
        }
    }
}
