//! How fast are compression and sealing on this machine? Prints a table; not part of the ordinary run:
//! `cargo test --release -p strait --features xcp -- --ignored --nocapture speed`.

use std::time::{Duration, Instant};

use strait_core::xcp::Flags;

use super::compress::Compressor;
use super::decompress::{Decompressor, Limits};
use super::keys::tests::keys;
use super::seal::{Opener, Outside, Sealer};

const MESSAGE: usize = 64 << 20;

/// Noise between -0.5 and 0.5, always the same.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        f64::from(u32::try_from(self.0 >> 32).expect("32 bits")) / f64::from(u32::MAX) - 0.5
    }
}

/// `MESSAGE` bytes of f32, little-endian, one dimension.
fn floats(value: impl Fn(f64, &mut Noise) -> f64) -> Vec<u8> {
    let mut noise = Noise(1);
    let mut bytes = Vec::with_capacity(MESSAGE);
    let mut at = 0.0;
    while bytes.len() < MESSAGE {
        #[expect(clippy::cast_possible_truncation, reason = "a sample")]
        let sample = value(at, &mut noise) as f32;
        bytes.extend_from_slice(&sample.to_le_bytes());
        at += 1.0;
    }
    bytes
}

/// Records of a log, as JSON.
fn json() -> Vec<u8> {
    let mut noise = Noise(2);
    let mut text = String::with_capacity(MESSAGE + 200);
    let mut at = 0;
    while text.len() < MESSAGE {
        let value = noise.next();
        text += &format!(
            "{{\"kind\":\"text\",\"schema_version\":1,\"payload\":{{\"text\":\"event {at} of sensor {}\",\"value\":{value:.4}}},\
             \"metadata\":{{\"trace_id\":\"{:016x}\",\"producer\":\"node-{}\"}}}}\n",
            at % 97,
            value.to_bits(),
            at % 7
        );
        at += 1;
    }
    text.truncate(MESSAGE);
    text.into_bytes()
}

/// The shortest of some runs: others use the machine too.
fn shortest(runs: u32, mut run: impl FnMut()) -> Duration {
    (0..runs)
        .map(|_| {
            let start = Instant::now();
            run();
            start.elapsed()
        })
        .min()
        .expect("there are runs")
}

/// Megabytes (10^6) of `bytes` in a second.
fn rate(bytes: usize, time: Duration) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "for reading")]
    let megabytes = bytes as f64 / 1e6;
    megabytes / time.as_secs_f64()
}

#[test]
#[ignore = "measures"]
fn speed_of_compression() {
    let data = [
        ("smooth, 1/4096 steps", floats(|at, _| ((at / 700.0).sin() * 4096.0).round() / 4096.0)),
        (
            "sensor, 12 bits + noise",
            floats(|at, noise| ((at / 700.0).sin() * 2048.0 + 8.0 * noise.next()).round() / 2048.0),
        ),
        ("smooth, all bits", floats(|at, _| (at / 700.0).sin())),
        ("nine of ten are 0", floats(|_, noise| if noise.next() < 0.4 { 0.0 } else { noise.next() })),
        ("noise", floats(|_, noise| noise.next())),
        ("JSON", json()),
    ];
    println!("| data, 64 MiB | level | MB/s in | MB/s out | ratio |\n|---|---|---|---|---|");
    let (mut compressor, mut decompressor) = (Compressor::new(), Decompressor::new(Limits::default()));
    let (mut frame, mut plain) = (Vec::new(), Vec::new());
    for (name, message) in &data {
        for level in [-50, -20, -10, -5, -3, -1, 1, 3, 6, 9, 12] {
            let runs = if level < 4 { 3 } else { 1 };
            let there = shortest(runs, || {
                frame.clear();
                compressor.compress(level, message, &mut frame).unwrap();
            });
            let back = shortest(runs, || {
                plain.clear();
                decompressor.decompress(&frame, &mut plain).unwrap();
            });
            assert!(plain == *message);
            let ratio =
                rate(message.len(), Duration::from_secs(1)) / rate(frame.len(), Duration::from_secs(1));
            let (there, back) = (rate(message.len(), there), rate(message.len(), back));
            println!("| {name} | {level} | {there:.0} | {back:.0} | {ratio:.2} |");
        }
    }
}

#[test]
#[ignore = "measures"]
fn speed_of_sealing() {
    let (mut sealer, mut opener) = (Sealer::new(keys().0), Opener::new(keys().0));
    let header = [7; 32];
    let outside = Outside { version: 2, flags: Flags::CRYPT, header: &header };
    println!("| bytes | seal | open | MB/s sealed | MB/s opened |\n|---|---|---|---|---|");
    let mut msg_id = 1;
    for len in [64, 1024, 16 << 10, 1 << 20, MESSAGE] {
        let messages = ((128 << 20) / len.max(2048)) as u64;
        let mut sealed: Vec<u8> = vec![7; len];
        let (mut sealing, mut opening) = (Duration::MAX, Duration::MAX);
        for _ in 0..messages {
            let start = Instant::now();
            sealer.seal_in_place(&mut sealed, msg_id, 1, &outside).unwrap();
            let middle = Instant::now();
            opener.open_in_place(&mut sealed, msg_id, 1, &outside).unwrap();
            sealing = sealing.min(middle - start);
            opening = opening.min(middle.elapsed());
            msg_id += 1;
        }
        assert_eq!(sealed, vec![7; len]);
        let rates = [rate(len, sealing), rate(len, opening)];
        println!("| {len} | {sealing:?} | {opening:?} | {:.0} | {:.0} |", rates[0], rates[1]);
    }
}
