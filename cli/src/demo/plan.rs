//! What one phase asks of its three processes.

use core::time::Duration;
use std::ffi::OsString;

use super::FRAME_HEADER;

/// The plan of one phase, the same for the three processes.
#[derive(Clone, Debug, PartialEq, Eq, clap::Args)]
pub(crate) struct Plan {
    /// Bytes of the whole stream; its last frame may be shorter
    #[arg(long)]
    pub(crate) bytes: u64,

    /// Bytes of a frame
    #[arg(long)]
    pub(crate) frame_len: usize,

    /// Frames that a ring holds
    #[arg(long)]
    pub(crate) ring_frames: u64,

    /// Nanoseconds from one frame to the next; 0 = as fast as it goes
    #[arg(long, default_value_t = 0)]
    pub(crate) interval_nanos: u64,

    /// The reader takes the SHA-256 of what it receives
    #[arg(long)]
    pub(crate) digest: bool,

    /// Every process notes when it received and sent each frame
    #[arg(long)]
    pub(crate) stamps: bool,
}

impl Plan {
    /// Frames of the stream.
    pub(crate) fn frames(&self) -> u64 {
        self.bytes.div_ceil(self.frame_len as u64)
    }

    /// Bytes of the frame that starts after `done` bytes; 0 at the end.
    pub(crate) fn len_after(&self, done: u64) -> usize {
        let left = self.bytes.saturating_sub(done);
        usize::try_from(left).map_or(self.frame_len, |left| left.min(self.frame_len))
    }

    /// Bytes of a ring.
    pub(crate) fn ring_bytes(&self) -> u64 {
        (self.frame_len as u64).saturating_add(FRAME_HEADER).saturating_mul(self.ring_frames)
    }

    /// Time from one frame to the next.
    pub(crate) fn interval(&self) -> Duration {
        Duration::from_nanos(self.interval_nanos)
    }

    /// The arguments that make a process parse this plan.
    pub(crate) fn arguments(&self) -> Vec<OsString> {
        let Self { bytes, frame_len, ring_frames, interval_nanos, digest, stamps } = self;
        let mut arguments = vec![
            format!("--bytes={bytes}").into(),
            format!("--frame-len={frame_len}").into(),
            format!("--ring-frames={ring_frames}").into(),
            format!("--interval-nanos={interval_nanos}").into(),
        ];
        arguments.extend(digest.then(|| "--digest".into()));
        arguments.extend(stamps.then(|| "--stamps".into()));
        arguments
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        plan: Plan,
    }

    #[test]
    fn a_plan_survives_the_command_line() {
        for flags in [false, true] {
            let plan = Plan {
                bytes: 40_000_000,
                frame_len: 3_110_400,
                ring_frames: 8,
                interval_nanos: 7,
                digest: flags,
                stamps: !flags,
            };
            let line = [OsString::from("demo-stage")].into_iter().chain(plan.arguments());
            assert_eq!(Line::try_parse_from(line).unwrap().plan, plan);
        }
    }

    #[test]
    fn the_last_frame_has_what_is_left() {
        let plan =
            Plan { bytes: 10, frame_len: 4, ring_frames: 2, interval_nanos: 0, digest: false, stamps: false };
        assert_eq!(plan.frames(), 3);
        assert_eq!([0, 4, 8, 10].map(|done| plan.len_after(done)), [4, 4, 2, 0]);
        assert_eq!(plan.ring_bytes(), 40);
    }
}
