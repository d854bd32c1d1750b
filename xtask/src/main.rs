//! Which check is asked for: `cargo xtask VERB`.
#![forbid(unsafe_code)]

mod bench;
mod containers;
mod cross;
mod firmware;
mod fuzz;
mod i686;
mod interop;
mod lint;
mod loom;
mod musl;
mod no_std;
mod packages;
mod regen;
mod shell;
mod windows;
mod xcp;

use std::process::ExitCode;

use shell::Failure;

/// One check.
struct Verb {
    name: &'static str,
    what: &'static str,
    run: fn(&[String]) -> Result<(), Failure>,
}

const VERBS: &[Verb] = &[
    Verb { name: "lint", what: "rustfmt, clippy and rustdoc without a warning", run: lint::run },
    Verb { name: "no-std", what: "core for Cortex-M0 and Cortex-M4, without an allocator", run: no_std::run },
    Verb {
        name: "firmware",
        what: "frames from an interrupt to the main loop on Cortex-M3 and Cortex-M0 in QEMU",
        run: firmware::run,
    },
    Verb {
        name: "regen",
        what: "code of the .proto files is made again [--check: compared]",
        run: regen::run,
    },
    Verb { name: "loom", what: "every interleaving of core's concurrent algorithms", run: loom::run },
    Verb {
        name: "interop",
        what: "the real zerobuffer-ipc package and an XCP peer in Python at the other end [[xcp] TEST…]",
        run: interop::run,
    },
    Verb {
        name: "xcp",
        what: "100 MiB and a tensor over every transport, compressed and sealed or not",
        run: xcp::run,
    },
    Verb {
        name: "containers",
        what: "ends in namespaces of their own: deaths are seen, and the living keep what they have",
        run: containers::run,
    },
    Verb {
        name: "musl",
        what: "a static musl build against a glibc build and the real package",
        run: musl::run,
    },
    Verb {
        name: "i686",
        what: "32-bit tests, and a 32-bit build against a 64-bit build and the real package",
        run: i686::run,
    },
    Verb {
        name: "windows",
        what: "everything cross-built for Windows, and its tests and demo under Wine",
        run: windows::run,
    },
    Verb { name: "fuzz", what: "every fuzz target [--seconds N, 30 by default] [TARGET…]", run: fuzz::run },
    Verb { name: "bench", what: "the benchmarks; arguments go to them", run: bench::run },
    Verb {
        name: "bench-peers",
        what: "the benchmarks against other people's queues; arguments go to them",
        run: bench::run_peers,
    },
];

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let Some(name) = args.next() else {
        println!("cargo xtask VERB");
        for verb in VERBS {
            println!("  {:11} {}", verb.name, verb.what);
        }
        return ExitCode::SUCCESS;
    };
    let Some(verb) = VERBS.iter().find(|verb| verb.name == name) else {
        eprintln!("no verb {name:?}; `cargo xtask` lists them");
        return ExitCode::from(2);
    };
    let args: Vec<String> = args.collect();
    match (verb.run)(&args) {
        Ok(()) => {
            println!("xtask {name}: passed");
            ExitCode::SUCCESS
        }
        Err(failure) => {
            eprintln!("xtask {name}: FAILED: {failure}");
            ExitCode::FAILURE
        }
    }
}
