//! How fast is it, and how fast are others? The benchmarks answer; this starts them.

use crate::lint::{BENCH, BENCH_PEERS};
use crate::shell::{self, Failure, cargo};

pub(crate) fn run(args: &[String]) -> Result<(), Failure> {
    start(BENCH, args)
}

pub(crate) fn run_peers(args: &[String]) -> Result<(), Failure> {
    start(BENCH_PEERS, args)
}

fn start(manifest: &str, args: &[String]) -> Result<(), Failure> {
    let mut bench = cargo();
    bench.args(["run", "--release", "--manifest-path", manifest, "--"]).args(args);
    shell::run(&mut bench)
}
