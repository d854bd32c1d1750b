//! How are tables of numbers hashed that are never long?

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// A table whose keys are numbers. What a peer chooses of them may collide: use it for no more than some hundred entries.
pub(super) type NumberMap<K, V> = HashMap<K, V, BuildHasherDefault<NumberHasher>>;

/// Multiplies with an odd number and folds; a tenth of the instructions of the default.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct NumberHasher(u64);

impl Hasher for NumberHasher {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u32(&mut self, number: u32) {
        self.write_u64(u64::from(number));
    }

    fn write_u64(&mut self, number: u64) {
        // 2^64 divided by the golden ratio: neighbours end up far apart.
        self.0 = (self.0.rotate_left(29) ^ number).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }

    fn finish(&self) -> u64 {
        // The table takes its place from the low bits, and those of a product are the weak ones.
        self.0 ^ (self.0 >> 32)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::hash::{BuildHasher, BuildHasherDefault};

    use super::*;

    #[test]
    fn numbers_that_follow_each_other_share_no_place() {
        let build = BuildHasherDefault::<NumberHasher>::default();
        let places = |hash: fn(u64) -> (u32, u64)| -> usize {
            (0..256).map(|number| build.hash_one(hash(number)) % 1024).collect::<HashSet<_>>().len()
        };
        // 256 balls thrown at random into 1024 places hit about 226 of them.
        assert!(places(|number| (1, number)) > 200);
        assert!(places(|number| (u32::try_from(number).unwrap(), 1)) > 200);
    }
}
