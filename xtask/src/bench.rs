//! How fast is it? The benchmarks answer; this starts them.

use crate::lint::BENCH;
use crate::shell::{self, Failure, cargo};

pub(crate) fn run(args: &[String]) -> Result<(), Failure> {
    let mut bench = cargo();
    bench.args(["run", "--release", "--manifest-path", BENCH, "--"]).args(args);
    shell::run(&mut bench)
}
