//! What a stage counts, and how it tells the demo.

use core::time::Duration;

use serde::{Deserialize, Serialize};

use super::plan::Plan;

/// What a stage has done, in one phase.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StageReport {
    /// Frames that went through.
    pub(crate) frames: u64,
    /// Data bytes in them.
    pub(crate) bytes: u64,
    /// Bytes that the stage copied.
    pub(crate) copied: u64,
    /// Over every frame's length, first and last byte, in order.
    pub(crate) fingerprint: u64,
    /// SHA-256 of the whole stream, hexadecimal, if the plan asks for it here.
    pub(crate) digest: Option<String>,
    /// When the first frame was at hand, on the clock that the processes share.
    pub(crate) started_nanos: u64,
    /// When the last one was done.
    pub(crate) ended_nanos: u64,
    /// Processor time in between.
    pub(crate) cpu_nanos: u64,
    /// When each frame was received, if the plan asks for it.
    pub(crate) received_nanos: Vec<u64>,
    /// When each frame was about to be committed, if the plan asks for it.
    pub(crate) sent_nanos: Vec<u64>,
}

impl StageReport {
    /// Processor time as a part of one core's.
    pub(crate) fn cpu_share(&self) -> f64 {
        let wall = self.ended_nanos.saturating_sub(self.started_nanos);
        self.cpu_nanos as f64 / wall.max(1) as f64
    }
}

/// A report in the making.
#[derive(Debug)]
pub(crate) struct Meter {
    report: StageReport,
    stamps: bool,
    cpu_before: Duration,
}

impl Meter {
    /// Starts counting: to be made when the first frame is at hand.
    pub(crate) fn start(plan: &Plan) -> Self {
        let stamps = if plan.stamps { usize::try_from(plan.frames()).unwrap_or(0) } else { 0 };
        let report = StageReport {
            fingerprint: FNV_OFFSET,
            started_nanos: strait::monotonic_nanos(),
            received_nanos: Vec::with_capacity(stamps),
            sent_nanos: Vec::with_capacity(stamps),
            ..StageReport::default()
        };
        Self { report, stamps: plan.stamps, cpu_before: strait::cpu_time() }
    }

    /// Counts a frame. Reads its first and its last byte only.
    pub(crate) fn frame(&mut self, frame: &[u8]) {
        let report = &mut self.report;
        report.frames += 1;
        report.bytes += frame.len() as u64;
        let ends = [frame.first(), frame.last()].map(|byte| byte.copied().unwrap_or(0));
        for byte in (frame.len() as u64).to_le_bytes().into_iter().chain(ends) {
            report.fingerprint = (report.fingerprint ^ u64::from(byte)).wrapping_mul(FNV_PRIME);
        }
    }

    /// Counts bytes that the stage copied.
    pub(crate) fn copied(&mut self, bytes: usize) {
        self.report.copied += bytes as u64;
    }

    /// Notes that a frame was received at `nanos`.
    pub(crate) fn received(&mut self, nanos: u64) {
        if self.stamps {
            self.report.received_nanos.push(nanos);
        }
    }

    /// Notes that a frame is about to be committed.
    pub(crate) fn sent(&mut self) {
        if self.stamps {
            self.report.sent_nanos.push(strait::monotonic_nanos());
        }
    }

    /// Data bytes so far.
    pub(crate) fn bytes(&self) -> u64 {
        self.report.bytes
    }

    /// Frames so far.
    pub(crate) fn frames(&self) -> u64 {
        self.report.frames
    }

    /// Stops counting.
    pub(crate) fn finish(mut self, digest: Option<String>) -> StageReport {
        self.report.ended_nanos = strait::monotonic_nanos();
        let cpu = strait::cpu_time().saturating_sub(self.cpu_before);
        self.report.cpu_nanos = u64::try_from(cpu.as_nanos()).unwrap_or(u64::MAX);
        self.report.digest = digest;
        self.report
    }
}

/// FNV-1a, 64 bits.
const FNV_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const FNV_PRIME: u64 = 0x0000_0100_0000_01b3;

#[cfg(test)]
mod tests {
    use super::*;

    fn fingerprint(frames: &[&[u8]]) -> u64 {
        let plan =
            Plan { bytes: 9, frame_len: 3, ring_frames: 2, interval_nanos: 0, digest: false, stamps: false };
        let mut meter = Meter::start(&plan);
        frames.iter().for_each(|frame| meter.frame(frame));
        meter.finish(None).fingerprint
    }

    #[test]
    fn a_fingerprint_tells_order_lengths_and_ends_apart() {
        let one = fingerprint(&[b"abc", b"def"]);
        assert_eq!(one, fingerprint(&[b"abc", b"def"]));
        for other in
            [[&b"def"[..], b"abc"], [b"abcd", b"ef"], [b"xbc", b"def"], [b"abc", b"dex"], [b"abc", b"de"]]
        {
            assert_ne!(one, fingerprint(&other), "{other:?}");
        }
        assert_ne!(one, fingerprint(&[b"abc"]));
    }
}
