//! Features and capabilities: what they are, and their bits in either profile.
//!
//! | feature | superblock profile | seed profile |
//! |---|---|---|
//! | large copy | 1 | 1 (ours: the document never uses bit 0) |
//! | request and response | 2 | 128 (ours) |
//! | compression | 64 (ours: 2 is taken) | 2 |
//! | encryption | 4 | 4 |
//! | flow control | 8 | 8 |
//! | statistics | 16 | 16 |
//! | quality of service | 32 | 32 |
//!
//! | capability | superblock profile | seed profile |
//! |---|---|---|
//! | large buffers | 1 | 2 |
//! | high throughput | 2 | 4 |
//! | low latency | 4 | 8 |
//! | reliable delivery | 16 | 16 |
//!
//! Bits without a name are dropped when they are read: nobody can agree on what he does not know.
//!
//! Source: the constant blocks of the protocol document as a Go compiler evaluates them (`1 << iota` begins at 2), and
//! gosuda/HQQ at fb15cd8.

use super::numbers::Profile;

macro_rules! bits {
    ($(#[$doc:meta])* $name:ident { $($(#[$bit_doc:meta])* $bit:ident = $value:literal, superblock $new:literal, seed $old:literal;)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
        pub struct $name(u64);

        impl $name {
            $($(#[$bit_doc])* pub const $bit: Self = Self($value);)+
            /// None of them.
            pub const NONE: Self = Self(0);
            /// All that Strait knows.
            pub const ALL: Self = Self(0 $(| $value)+);
            const TABLE: &[(u64, u64, u64, &str)] = &[$(($value, $new, $old, stringify!($bit))),+];

            /// Those in either set.
            #[must_use]
            pub const fn union(self, other: Self) -> Self {
                Self(self.0 | other.0)
            }

            /// Those in both sets.
            #[must_use]
            pub const fn intersection(self, other: Self) -> Self {
                Self(self.0 & other.0)
            }

            /// Those of this set that are not in `other`.
            #[must_use]
            pub const fn without(self, other: Self) -> Self {
                Self(self.0 & !other.0)
            }

            /// Whether all of `other` are in this set.
            pub const fn contains(self, other: Self) -> bool {
                self.0 & other.0 == other.0
            }

            /// Whether there are none.
            pub const fn is_empty(self) -> bool {
                self.0 == 0
            }

            /// Names of those in the set, in the order of the table.
            pub fn names(self) -> impl Iterator<Item = &'static str> {
                Self::TABLE.iter().filter(move |(bit, ..)| self.0 & bit != 0).map(|(.., name)| *name)
            }

            /// The bits on the wire.
            pub fn to_wire(self, profile: Profile) -> u64 {
                let set = Self::TABLE.iter().filter(|(bit, ..)| self.0 & bit != 0);
                set.fold(0, |wire, row| wire | Self::column(row, profile))
            }

            /// The set that bits on the wire mean; unknown bits are dropped.
            pub fn from_wire(wire: u64, profile: Profile) -> Self {
                let set = Self::TABLE.iter().filter(|row| wire & Self::column(row, profile) != 0);
                Self(set.fold(0, |bits, (bit, ..)| bits | bit))
            }

            const fn column(row: &(u64, u64, u64, &str), profile: Profile) -> u64 {
                match profile {
                    Profile::Superblock => row.1,
                    Profile::Seed => row.2,
                }
            }
        }
    };
}

bits! {
    /// What two ends may agree to do.
    Features {
        /// Messages longer than a slot.
        LARGE_COPY = 1, superblock 1, seed 1;
        /// Calls.
        REQUEST_RESPONSE = 2, superblock 2, seed 128;
        /// Messages compressed with zstd where that makes them smaller.
        COMPRESSION = 4, superblock 64, seed 2;
        /// Chunks sealed with ChaCha20-Poly1305.
        ENCRYPTION = 8, superblock 4, seed 4;
        /// Credits per connection.
        FLOW_CONTROL = 16, superblock 8, seed 8;
        /// Counters of the other end on demand.
        STATISTICS = 32, superblock 16, seed 16;
        /// Priority classes.
        QOS = 64, superblock 32, seed 32;
    }
}

bits! {
    /// What an end says of itself.
    Capabilities {
        /// Buffers for large data.
        LARGE_BUFFERS = 1, superblock 1, seed 2;
        /// Made for throughput.
        HIGH_THROUGHPUT = 2, superblock 2, seed 4;
        /// Made for low latency.
        LOW_LATENCY = 4, superblock 4, seed 8;
        /// Acknowledges messages, and redelivers those of a dead consumer.
        RELIABLE_DELIVERY = 8, superblock 16, seed 16;
    }
}

impl Features {
    /// What the Go implementation knows.
    pub const KNOWN_TO_ALL: Self = Self::LARGE_COPY.union(Self::REQUEST_RESPONSE);
}

impl Capabilities {
    /// What the Go implementation knows.
    pub const KNOWN_TO_ALL: Self = Self::ALL.without(Self::RELIABLE_DELIVERY);
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn bits_on_the_wire_are_those_of_the_document() {
        let seed = Features::COMPRESSION.union(Features::FLOW_CONTROL).union(Features::STATISTICS);
        assert_eq!(seed.to_wire(Profile::Seed), 26);
        assert_eq!(Features::KNOWN_TO_ALL.to_wire(Profile::Superblock), 3);
        assert_eq!(Capabilities::KNOWN_TO_ALL.to_wire(Profile::Superblock), 7);
        assert_eq!(Capabilities::ALL.to_wire(Profile::Seed), 30);
    }

    #[test]
    fn unknown_bits_are_dropped_and_known_ones_read_back() {
        for profile in [Profile::Superblock, Profile::Seed] {
            assert_eq!(Features::from_wire(u64::MAX, profile), Features::ALL);
            assert_eq!(Capabilities::from_wire(u64::MAX, profile), Capabilities::ALL);
            for row in Features::TABLE {
                let one = Features(row.0);
                assert_eq!(Features::from_wire(one.to_wire(profile), profile), one);
            }
            assert_eq!(Features::from_wire(1 << 40, profile), Features::NONE);
        }
    }
}
