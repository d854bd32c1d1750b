//! How long frames took, from the stages' notes.

use super::children::Reports;
use super::facts::Percentiles;
use crate::exit::Failure;
use crate::latency::Latency;

/// How long each frame took, in nanoseconds, over the whole way and its parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Latencies {
    pub(crate) end_to_end: Vec<u64>,
    pub(crate) writer_to_relay: Vec<u64>,
    pub(crate) in_relay: Vec<u64>,
    pub(crate) relay_to_reader: Vec<u64>,
}

impl Latencies {
    /// From the stages' notes, frame by frame.
    ///
    /// # Errors
    /// Verify: a stage did not note every frame.
    pub(crate) fn of(reports: &Reports) -> Result<Self, Failure> {
        let Reports { writer, relay, reader } = reports;
        let (sent, received) = (&writer.sent_nanos, &reader.received_nanos);
        let (into, out_of) = (&relay.received_nanos, &relay.sent_nanos);
        let lens = [sent, into, out_of, received].map(Vec::len);
        if lens.iter().any(|len| *len as u64 != reader.frames || *len == 0) {
            let message = format!("{} frames arrived, but the stages noted {lens:?}", reader.frames);
            return Err(Failure::verify(message));
        }
        let between = |from: &[u64], to: &[u64]| {
            // The clock is the same for all and never goes back; 0 is for machines where it does.
            from.iter().zip(to).map(|(from, to)| to.saturating_sub(*from)).collect::<Vec<_>>()
        };
        Ok(Self {
            end_to_end: between(sent, received),
            writer_to_relay: between(sent, into),
            in_relay: between(into, out_of),
            relay_to_reader: between(out_of, received),
        })
    }
}

impl Percentiles {
    /// Of at least one latency in nanoseconds; three digits are right, the maximum is exact.
    pub(crate) fn of(nanos: &[u64]) -> Self {
        let mut latency = Latency::new();
        nanos.iter().for_each(|nanos| latency.add(*nanos));
        let at = |share| latency.at(share);
        Self { p50_nanos: at(0.5), p99_nanos: at(0.99), p999_nanos: at(0.999), max_nanos: latency.max() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::meter::StageReport;

    #[test]
    fn percentiles_are_those_of_the_sorted_latencies() {
        let nanos: Vec<u64> = (1..=1000).rev().collect();
        let Percentiles { p50_nanos, p99_nanos, p999_nanos, max_nanos } = Percentiles::of(&nanos);
        assert_eq!([p50_nanos, p99_nanos, p999_nanos, max_nanos], [500, 990, 999, 1000]);
    }

    #[test]
    fn one_latency_is_every_percentile() {
        let one = Percentiles::of(&[123_457]);
        assert_eq!([one.p50_nanos, one.p99_nanos, one.p999_nanos, one.max_nanos], [123_457; 4]);
    }

    #[test]
    fn the_parts_add_up_to_the_whole() {
        let stage = |received: &[u64], sent: &[u64]| StageReport {
            frames: 2,
            received_nanos: received.to_vec(),
            sent_nanos: sent.to_vec(),
            ..StageReport::default()
        };
        let reports = Reports {
            writer: stage(&[], &[100, 200]),
            relay: stage(&[103, 204], &[113, 215]),
            reader: stage(&[120, 223], &[]),
        };
        let latencies = Latencies::of(&reports).unwrap();
        assert_eq!(latencies.end_to_end, [20, 23]);
        assert_eq!(latencies.writer_to_relay, [3, 4]);
        assert_eq!(latencies.in_relay, [10, 11]);
        assert_eq!(latencies.relay_to_reader, [7, 8]);
    }

    #[test]
    fn a_missing_note_is_an_error() {
        let stage = StageReport { frames: 1, ..StageReport::default() };
        let reports = Reports { writer: stage.clone(), relay: stage.clone(), reader: stage };
        assert_eq!(Latencies::of(&reports).unwrap_err().code, crate::exit::VERIFY);
    }
}
