//! CRC32C with the instructions of the processor, where it has them.

use crc_fast::{CrcAlgorithm, Digest};
use strait_core::crc32c::Checksum;

/// A CRC32C that is as fast as memory on most processors.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HardwareCrc(Digest);

impl Default for HardwareCrc {
    fn default() -> Self {
        Self(Digest::new(CrcAlgorithm::Crc32Iscsi))
    }
}

impl Checksum for HardwareCrc {
    fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn value(&self) -> u32 {
        #[expect(clippy::cast_possible_truncation, reason = "the upper half is zero: it has 32 bits")]
        let value = self.0.finalize() as u32;
        value
    }
}

#[cfg(test)]
mod tests {
    use strait_core::crc32c::Crc32c;

    use super::*;

    #[test]
    fn the_processor_computes_what_the_table_does() {
        let bytes: Vec<u8> = (0..=250).cycle().take(5000).collect();
        for split in [0, 1, 63, 64, 1000, 4999] {
            let (mut fast, mut slow) = (HardwareCrc::default(), Crc32c::default());
            for part in [&bytes[..split], &bytes[split..]] {
                fast.update(part);
                Checksum::update(&mut slow, part);
            }
            assert_eq!(fast.value(), slow.value());
        }
    }
}
