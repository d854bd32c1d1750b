//! What a relay does to a frame on its way.

use clap::ValueEnum;

/// How the output frame is made of the input frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Transform {
    /// A copy
    None,
    /// The last byte first
    Reverse,
    /// Every byte xor --xor-key
    Xor,
}

impl Transform {
    /// Writes the transformed `input` to `output`, which is as long.
    pub(crate) fn apply(self, xor_key: u8, input: &[u8], output: &mut [u8]) {
        match self {
            Self::None => output.copy_from_slice(input),
            Self::Reverse => output.iter_mut().zip(input.iter().rev()).for_each(|(out, byte)| *out = *byte),
            Self::Xor => output.iter_mut().zip(input).for_each(|(out, byte)| *out = *byte ^ xor_key),
        }
    }

    /// As in the option.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Reverse => "reverse",
            Self::Xor => "xor",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_transform_does_what_its_name_says() {
        let apply = |transform: Transform| {
            let mut output = [0; 3];
            transform.apply(0x0f, &[1, 2, 0xf0], &mut output);
            output
        };
        assert_eq!(apply(Transform::None), [1, 2, 0xf0]);
        assert_eq!(apply(Transform::Reverse), [0xf0, 2, 1]);
        assert_eq!(apply(Transform::Xor), [0x0e, 0x0d, 0xff]);
    }

    #[test]
    fn a_name_is_the_options_value() {
        for transform in Transform::value_variants() {
            assert_eq!(Transform::from_str(transform.name(), false), Ok(*transform));
        }
    }
}
