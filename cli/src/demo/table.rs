//! How the demo's numbers look on a terminal.

use core::fmt::Write as _;
use std::path::Path;

use super::facts::{Facts, Percentiles};
use super::quantity::{bytes, count, rate};

/// The table, with its last end of line.
pub(crate) fn table(facts: &Facts, plot: Option<&Path>) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = write_head(&mut text, facts);
    let _ = write_phases(&mut text, facts);
    let _ = write_latency(&mut text, facts);
    let _ = write_stages(&mut text, facts);
    if let Some(plot) = plot {
        let _ = writeln!(text, "\nhistogram  {}", plot.display());
    }
    text
}

fn write_head(text: &mut String, facts: &Facts) -> core::fmt::Result {
    let Facts { machine, verification, .. } = facts;
    let frame_bytes = facts.frame_bytes as u64;
    let cores = if machine.cores == 1 { "core" } else { "cores" };
    let kind = if frame_bytes == 3_110_400 { " (1080p, YUV 4:2:0)" } else { "" };
    let rings = match facts.ring_frames {
        1 => "two rings of 1 frame".to_owned(),
        frames => format!("two rings of {} frames", count(frames)),
    };
    writeln!(text, "writer → relay → reader: three processes, {rings} between them\n")?;
    writeln!(text, "machine    {}, {} {cores}", machine.processor, machine.cores)?;
    writeln!(text, "file       {}, {}, repeated", facts.file, bytes(facts.file_bytes))?;
    writeln!(text, "frame      {} bytes{kind}", count(frame_bytes))?;
    writeln!(text, "content    SHA-256 of {} at the reader = of the file:", bytes(verification.bytes))?;
    writeln!(text, "           {}", verification.sha256)
}

fn write_phases(text: &mut String, facts: &Facts) -> core::fmt::Result {
    let Facts { verification, throughput, latency, .. } = facts;
    writeln!(text, "\nphase             data     frames   seconds      GB/s   frames/s")?;
    let mut row = |name: &str, bytes_moved: u64, frames: u64, seconds: f64| {
        let moved = bytes(bytes_moved);
        let (speed, frame_rate) = (bytes_moved as f64 / seconds / 1e9, rate(frames as f64 / seconds));
        let frames = count(frames);
        let digits = if speed < 0.1 { 4 } else { 2 };
        writeln!(
            text,
            "{name:<13} {moved:>8} {frames:>10} {seconds:>9.2} {speed:>9.digits$} {frame_rate:>10}"
        )
    };
    row("verification", verification.bytes, verification.frames, verification.seconds)?;
    row("throughput", throughput.bytes, throughput.frames, throughput.seconds)?;
    let paced = latency.frames.saturating_mul(facts.frame_bytes as u64);
    row("latency", paced, latency.frames, latency.seconds)
}

fn write_latency(text: &mut String, facts: &Facts) -> core::fmt::Result {
    let latency = &facts.latency;
    writeln!(text, "\nlatency, µs             p50        p99      p99.9        max")?;
    let mut row = |name: &str, percentiles: &Percentiles| {
        let Percentiles { p50_nanos, p99_nanos, p999_nanos, max_nanos } = *percentiles;
        let [p50, p99, p999, max] =
            [p50_nanos, p99_nanos, p999_nanos, max_nanos].map(|nanos| nanos as f64 / 1e3);
        writeln!(text, "{name:<16} {p50:>10.1} {p99:>10.1} {p999:>10.1} {max:>10.1}")
    };
    row("writer → relay", &latency.writer_to_relay)?;
    row("copy in relay", &latency.in_relay)?;
    row("relay → reader", &latency.relay_to_reader)?;
    row("end to end", &latency.end_to_end)
}

fn write_stages(text: &mut String, facts: &Facts) -> core::fmt::Result {
    writeln!(text, "\nprocess      CPU, throughput   CPU, latency   copies per byte")?;
    let mut row = |name: &str, fast: f64, paced: f64, copies: f64| {
        writeln!(text, "{name:<12} {fast:>13.0} % {paced:>12.0} % {copies:>17.2}")
    };
    let stages = facts.throughput.stages.iter().zip(&facts.latency.stages);
    for (fast, paced) in stages.clone() {
        row(fast.stage, fast.cpu_percent, paced.cpu_percent, fast.copies_per_byte)?;
    }
    let (fast, paced) = stages.fold((0.0, 0.0), |(fast_sum, paced_sum), (fast, paced)| {
        (fast_sum + fast.cpu_percent, paced_sum + paced.cpu_percent)
    });
    row("together", fast, paced, facts.copies_per_byte)?;
    writeln!(
        text,
        "\nWriter and relay copy into the next ring, the reader reads in place. CPU: 100 % is one core.\n\
         Verification hashes every byte; the other phases check lengths, first and last bytes.\n\
         Latency is taken at half the throughput's frame rate, from commit to receive."
    )
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::demo::facts::{Latency, StageLoad, Throughput, Verification};
    use crate::demo::machine::Machine;

    /// Numbers as a run could have given them.
    pub(crate) fn facts() -> Facts {
        let stages = || {
            [("writer", 97.4, 1.0), ("relay", 101.2, 1.0), ("reader", 3.0, 0.0)].map(
                |(stage, cpu_percent, copies_per_byte)| StageLoad { stage, cpu_percent, copies_per_byte },
            )
        };
        let percentiles = |p50_nanos| Percentiles {
            p50_nanos,
            p99_nanos: 2 * p50_nanos,
            p999_nanos: 3 * p50_nanos,
            max_nanos: 12_345_678,
        };
        Facts {
            machine: Machine { processor: "Some CPU".into(), cores: 1 },
            file: "/a/file".into(),
            file_bytes: 1,
            frame_bytes: 3_110_400,
            ring_frames: 8,
            copies_per_byte: 2.0,
            verification: Verification {
                verified: true,
                bytes: 1 << 30,
                frames: 346,
                seconds: 1.5,
                sha256: "ab".repeat(32),
            },
            throughput: Throughput {
                bytes: 4 << 30,
                frames: 1381,
                seconds: 0.5,
                bytes_per_second: 8_589_934_592.0,
                frames_per_second: 2762.0,
                stages: stages(),
            },
            latency: Latency {
                frames: 4143,
                seconds: 3.0,
                paced_frames_per_second: 1381.0,
                frames_per_second: 1381.0,
                stages: stages(),
                end_to_end: percentiles(500_000),
                writer_to_relay: percentiles(1_000),
                in_relay: percentiles(400_000),
                relay_to_reader: percentiles(1_200),
            },
        }
    }

    /// Where the columns of a block end, in characters.
    fn row_lens<'a>(text: &'a str, header: &str) -> Vec<(usize, &'a str)> {
        let block = text.lines().skip_while(|line| !line.starts_with(header));
        block.take_while(|line| !line.is_empty()).map(|line| (line.chars().count(), line)).collect()
    }

    #[test]
    fn every_row_ends_where_its_header_does() {
        let text = table(&facts(), None);
        for (header, rows) in [("phase", 4), ("latency, µs", 5), ("process", 5)] {
            let lens = row_lens(&text, header);
            assert_eq!(lens.len(), rows, "{text}");
            assert!(lens.iter().all(|(len, _)| *len == lens[0].0), "{lens:#?}");
        }
    }

    #[test]
    fn the_table_has_the_numbers() {
        let text = table(&facts(), Some(Path::new("out.svg")));
        for number in
            ["Some CPU, 1 core\n", "1 byte,", "3 110 400", "8.59", "2 762", "12345.7", "101 %", "2.00"]
        {
            assert!(text.contains(number), "{number}\n{text}");
        }
        assert!(text.contains(&"ab".repeat(32)) && text.ends_with("histogram  out.svg\n"));
    }
}
