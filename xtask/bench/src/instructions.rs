//! How many instructions does a 64-byte frame take?
//!
//! Counted by callgrind in one single-threaded process, as the difference between two lengths of the same loop. Under
//! callgrind everything is about fifty times slower, so the checks that are made every few microseconds are made with
//! every call: the figure is an upper bound.

use std::process::{Command, Stdio};

use strait_bench::Outcome;
use strait_bench::child::{self, argument};
use strait_bench::messages::{check, write_number};
use strait_bench::schedule::{Group, Row, Target, contender};

use crate::buffers::{self, Sweep};

/// The measurement's name.
pub(crate) const NAME: &str = "instructions per 64 B frame";

/// Role: sends and receives in turn, or only sends. Arguments: buffer, frames, whether to receive.
pub(crate) const LOOP: &str = "instructions-loop";

const LEN: usize = 64;
const SHORT: u64 = 100_000;
const LONG: u64 = 200_000;
/// Holds every frame of the longest loop, 80 bytes each.
const RING: u64 = 32 << 20;

/// Instructions of a send with its receive, and of a send alone.
pub(crate) fn group() -> Group {
    let row = |label, ours| Row { label, ours, reference: None, target: Target::None };
    Group {
        name: NAME,
        unit: "instructions",
        is_exact: true,
        contenders: vec![
            contender("send and receive", || per_frame(true)),
            contender("send", || per_frame(false)),
            contender("receive", || Ok(per_frame(true)? - per_frame(false)?)),
        ],
        rows: vec![
            row("instructions per 64 B frame, send + receive", 0),
            row("instructions per 64 B frame, send", 1),
            row("instructions per 64 B frame, receive", 2),
        ],
    }
}

pub(crate) fn send_and_receive(args: &[String]) -> Outcome<()> {
    child::settle()?;
    let name: String = argument(args, 0)?;
    let (frames, receive): (u64, bool) = (argument(args, 1)?, argument(args, 2)?);
    let mut reader = buffers::create(&name, RING, None)?;
    let mut writer = buffers::connect(&name, None)?;
    let mut frame = [0; LEN];
    for number in 0..frames {
        write_number(&mut frame, number);
        writer.send(&frame)?;
        if receive {
            check(&reader.recv()?, number, LEN)?;
        }
    }
    Ok(())
}

fn per_frame(receive: bool) -> Outcome<f64> {
    per_round((SHORT, LONG), |frames| {
        let name = child::unique_name("instructions");
        let sweep = Sweep(&name);
        let counted = count(&[LOOP, &name, &frames.to_string(), &receive.to_string()]);
        drop(sweep);
        counted
    })
}

/// Instructions of one round of a loop, from what `count` says of two lengths of it.
#[expect(clippy::cast_precision_loss, reason = "instruction counts are far below 2^52")]
pub(crate) fn per_round((short, long): (u64, u64), count: impl Fn(u64) -> Outcome<u64>) -> Outcome<f64> {
    let more = count(long)?.checked_sub(count(short)?).ok_or("the longer loop took fewer instructions")?;
    Ok(more as f64 / (long - short) as f64)
}

/// Instructions of this program in a role.
pub(crate) fn count(role: &[&str]) -> Outcome<u64> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(std::env::current_exe()?)
        .arg(child::ROLE)
        .args(role)
        .stdin(Stdio::null())
        .output()?;
    let text = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        return Err(format!("valgrind ended with {}: {text}", output.status).into());
    }
    let line = text.lines().find_map(|line| line.split_once("Collected :"));
    let (_, figure) = line.ok_or_else(|| format!("no count in what valgrind said: {text}"))?;
    Ok(figure.trim().parse()?)
}

/// Installs valgrind if it is missing.
///
/// # Errors
/// If that fails: measure the rest with `--no-callgrind`.
pub(crate) fn provide_valgrind() -> Outcome<()> {
    let runs = |program: &str, args: &[&str]| {
        let status = Command::new(program).args(args).stdout(Stdio::null()).status();
        status.is_ok_and(|status| status.success())
    };
    if runs("valgrind", &["--version"]) {
        return Ok(());
    }
    eprintln!("valgrind is missing: apt-get install valgrind");
    if runs("apt-get", &["install", "-y", "valgrind"]) {
        return Ok(());
    }
    Err("valgrind is missing and cannot be installed; --no-callgrind measures the rest".into())
}
