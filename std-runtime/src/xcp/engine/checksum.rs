//! CRC32C with the instructions of the processor, where it has them.

use strait_core::crc32c::Checksum;

/// A CRC32C that is as fast as memory on most processors.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct HardwareCrc(u32);

impl Checksum for HardwareCrc {
    fn update(&mut self, bytes: &[u8]) {
        self.0 = crc32c::crc32c_append(self.0, bytes);
    }

    fn value(&self) -> u32 {
        self.0
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
