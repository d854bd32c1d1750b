//! Where the writer may put its next frame: pure arithmetic over positions.
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use super::layout::FRAME_OVERHEAD;

/// Where a frame goes, and what the ring pays for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placement {
    /// At the write position.
    Here,
    /// At the ring's start; `gap` bytes at its end stay unused and begin with a wrap marker (unless 0).
    Wrap {
        /// Unused bytes: 0 or at least 16.
        gap: u64,
    },
    /// At the ring's start, the ring being empty: both positions go back to 0 and nothing is wasted.
    Rewind,
}

/// What a frame of a given size needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Need {
    /// Where it would go.
    pub placement: Placement,
    /// Bytes that must be free for that.
    pub free: u64,
}

/// Bytes of ring for a frame with `len` data bytes; `None` if the ring can never hold it.
#[inline]
pub fn frame_cost(capacity: u64, len: u64) -> Option<u64> {
    let cost = len.checked_add(FRAME_OVERHEAD)?;
    (cost <= capacity).then_some(cost)
}

/// Where a frame of `cost` bytes (header included, at most `capacity`) goes when the write position is `write_pos`
/// (at most `capacity`).
///
/// Two rules keep every existing reader working:
/// - **Early wrap**: a frame is not put where it would leave a tail of 1 to 15 bytes, in which no wrap marker fits.
/// - **Rewind on empty**: a frame that fits neither the tail nor, the tail being wasted, the start, waits until the
///   ring is empty and then starts it over. This makes every frame up to `capacity` writable.
#[inline]
pub fn place(capacity: u64, write_pos: u64, cost: u64) -> Need {
    let write_pos = if write_pos >= capacity { 0 } else { write_pos };
    let tail = capacity.saturating_sub(write_pos);
    let left = tail.checked_sub(cost);
    if left.is_some_and(|left| left == 0 || left >= FRAME_OVERHEAD) {
        return Need { placement: Placement::Here, free: cost };
    }
    let with_wrap = tail.saturating_add(cost);
    if tail >= FRAME_OVERHEAD && with_wrap <= capacity {
        return Need { placement: Placement::Wrap { gap: tail }, free: with_wrap };
    }
    Need { placement: Placement::Rewind, free: capacity }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_frame_that_does_not_fit_the_tail_starts_at_zero() {
        // The worked example: 90 bytes with write position 0xb6 of 256 need the tail of 74 and themselves.
        let need = place(256, 0xb6, 106);
        assert_eq!(need, Need { placement: Placement::Wrap { gap: 74 }, free: 180 });
    }

    #[test]
    fn a_tail_too_small_for_a_marker_is_never_left() {
        assert_eq!(place(256, 0, 246).placement, Placement::Rewind);
        assert_eq!(place(256, 100, 150).placement, Placement::Rewind);
        assert_eq!(place(256, 150, 96).placement, Placement::Wrap { gap: 106 });
        assert_eq!(place(256, 100, 156).placement, Placement::Here);
        assert_eq!(place(256, 100, 140).placement, Placement::Here);
    }

    #[test]
    fn six_then_seven_kilobytes_in_ten_wait_for_an_empty_ring() {
        let need = place(10_240, 6_160, 7_184);
        assert_eq!(need, Need { placement: Placement::Rewind, free: 10_240 });
    }

    #[test]
    fn a_write_position_at_the_very_end_is_the_start() {
        assert_eq!(place(1024, 1024, 64), Need { placement: Placement::Here, free: 64 });
    }

    #[test]
    fn a_frame_larger_than_the_ring_never_fits() {
        assert_eq!(frame_cost(64, 48), Some(64));
        assert_eq!(frame_cost(64, 49), None);
        assert_eq!(frame_cost(64, u64::MAX), None);
    }

    proptest! {
        #[test]
        fn every_placement_stays_inside_and_leaves_no_bad_tail(
            blocks in 1u64..16_384, at in 0u64..=1 << 20, len in 0u64..1 << 20,
        ) {
            let capacity = blocks * 64;
            let write_pos = at % (capacity + 1);
            let cost = 16 + len % (capacity - 15);
            let need = place(capacity, write_pos, cost);
            prop_assert!(need.free <= capacity, "satisfiable: {need:?}");
            let write_pos = if write_pos == capacity { 0 } else { write_pos };
            match need.placement {
                Placement::Here => {
                    let left = capacity - write_pos - cost;
                    prop_assert!(left == 0 || left >= 16);
                    prop_assert_eq!(need.free, cost);
                }
                Placement::Wrap { gap } => {
                    prop_assert_eq!(gap, capacity - write_pos);
                    prop_assert!(gap >= 16 && gap + cost <= capacity);
                    prop_assert_eq!(need.free, gap + cost);
                }
                Placement::Rewind => prop_assert_eq!(need.free, capacity),
            }
        }
    }
}
