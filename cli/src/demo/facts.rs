//! What the demo found out: the numbers behind the table and the keys of its JSON.

use serde::Serialize;

use super::machine::Machine;

/// All of it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Facts {
    /// Where it was measured.
    pub(crate) machine: Machine,
    /// The file that was streamed.
    pub(crate) file: String,
    /// Its bytes; the stream repeats them.
    pub(crate) file_bytes: u64,
    /// Bytes of a frame; a stream's last may be shorter.
    pub(crate) frame_bytes: usize,
    /// Frames that each ring holds.
    pub(crate) ring_frames: u64,
    /// Bytes copied per byte delivered, counted by the stages in the throughput phase.
    pub(crate) copies_per_byte: f64,
    pub(crate) verification: Verification,
    pub(crate) throughput: Throughput,
    pub(crate) latency: Latency,
}

/// First phase: the reader hashes all it receives.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Verification {
    pub(crate) verified: bool,
    pub(crate) bytes: u64,
    pub(crate) frames: u64,
    pub(crate) seconds: f64,
    /// Of what the reader received, which is that of the file.
    pub(crate) sha256: String,
}

/// Second phase: as fast as it goes.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Throughput {
    pub(crate) bytes: u64,
    pub(crate) frames: u64,
    pub(crate) seconds: f64,
    pub(crate) bytes_per_second: f64,
    pub(crate) frames_per_second: f64,
    pub(crate) stages: [StageLoad; 3],
}

/// Third phase: paced.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Latency {
    pub(crate) frames: u64,
    pub(crate) seconds: f64,
    /// At which the writer was asked to send.
    pub(crate) paced_frames_per_second: f64,
    /// At which frames arrived.
    pub(crate) frames_per_second: f64,
    pub(crate) stages: [StageLoad; 3],
    /// From the writer's commit to the reader's receive.
    pub(crate) end_to_end: Percentiles,
    /// From the writer's commit to the relay's receive.
    pub(crate) writer_to_relay: Percentiles,
    /// From the relay's receive to its commit: its copy, and any wait for space.
    pub(crate) in_relay: Percentiles,
    /// From the relay's commit to the reader's receive.
    pub(crate) relay_to_reader: Percentiles,
}

/// What a stage cost.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct StageLoad {
    pub(crate) stage: &'static str,
    /// Processor time, 100 = one core.
    pub(crate) cpu_percent: f64,
    /// Bytes that it copied per byte delivered.
    pub(crate) copies_per_byte: f64,
}

/// Latencies in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Percentiles {
    pub(crate) p50_nanos: u64,
    pub(crate) p99_nanos: u64,
    pub(crate) p999_nanos: u64,
    pub(crate) max_nanos: u64,
}
