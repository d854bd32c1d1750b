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
    pattern: Option<Pattern>,
    seed: u64,
    wrong: u64,
}

impl Checker {
    /// For frames, called `what`, of these sizes if they matter.
    pub(crate) fn new(what: &'static str, verify: Verify, size: Option<SizeRange>, seed: u64) -> Self {
        Self { what, sizes: size.map(|size| size.sizes(seed)), pattern: verify.pattern(), seed, wrong: 0 }
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
        let expected = self.sizes.as_mut()?.next_len();
        let (what, found) = (self.what, frame.len());
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
