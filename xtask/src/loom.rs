//! Do core's concurrent algorithms hold under every order that loom finds, and in the random ones that shuttle tries?

use crate::shell::{Failure, cargo, run_and_read, target};

pub(crate) fn run(args: &[String]) -> Result<(), Failure> {
    if let Some(unknown) = args.first() {
        return Err(Failure::new(format!("loom takes no argument, got {unknown:?}")));
    }
    let loom = models("loom", "--cfg loom")?;
    println!("{loom} loom models passed");
    let shuttle = models("shuttle", "--cfg loom --cfg shuttle")?;
    println!("{shuttle} shuttle models passed");
    Ok(())
}

/// Runs the tests of core whose path contains `kind`, built with `cfgs`; how many passed.
fn models(kind: &str, cfgs: &str) -> Result<u64, Failure> {
    let flags = std::env::var("RUSTFLAGS").unwrap_or_default();
    let mut test = cargo();
    test.env("RUSTFLAGS", format!("{flags} {cfgs}").trim_start()).env("LOOM_MAX_PREEMPTIONS", "3");
    test.args(["test", "--package", "strait-core", "--release", "--lib", "--target-dir"]);
    test.arg(target().join(kind)).arg(kind);
    let passed = passed_tests(&run_and_read(&mut test)?);
    if passed == 0 {
        return Err(Failure::new(format!("no {kind} model ran: `--lib {kind}` matched no test")));
    }
    Ok(passed)
}

/// The sum of `N passed` over all `test result:` lines.
fn passed_tests(output: &str) -> u64 {
    let results = output.lines().filter_map(|line| line.strip_prefix("test result: "));
    let counts = results.filter_map(|line| {
        let (before, _) = line.split_once(" passed")?;
        before.rsplit(' ').next()?.parse::<u64>().ok()
    });
    counts.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passed_tests_are_added_over_all_result_lines() {
        let output = "running 2 tests\n\
            test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 7 filtered out; finished in 0.2s\n\
            test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.0s\n";
        assert_eq!(passed_tests(output), 5);
        assert_eq!(passed_tests("nothing ran\n"), 0);
    }
}
