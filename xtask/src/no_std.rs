//! Does core build for bare metal, and stay clear of the allocator?

use std::path::Path;
use std::process::Command;

use crate::packages;
use crate::shell::{Failure, ask, program, run as run_it, target};

/// Without compare-and-swap (Cortex-M0), and with it but without 64-bit atomics (Cortex-M4F).
const TARGETS: &[&str] = &["thumbv6m-none-eabi", "thumbv7em-none-eabihf"];

/// Parts of the names of everything that allocates.
const ALLOCATOR: &[&str] = &["__rust_alloc", "__rust_dealloc", "__rust_realloc", "__rg_", "__rdl_"];

pub(crate) fn run(args: &[String]) -> Result<(), Failure> {
    if let Some(unknown) = args.first() {
        return Err(Failure::new(format!("no-std takes no argument, got {unknown:?}")));
    }
    packages::ensure(&["binutils"])?;
    let folder = target().join("no-std");
    for name in TARGETS {
        let mut cargo: Command = packages::cargo_for_any_target()?;
        // `core` alone: a use of `alloc` or `std` anywhere in the tree does not compile.
        cargo.args(["build", "-Zbuild-std=core", "--release", "--package", "strait-core"]);
        cargo.args(["--features", "portable-atomic", "--target", name, "--target-dir"]).arg(&folder);
        run_it(&mut cargo)?;

        let library = folder.join(name).join("release/libstrait_core.rlib");
        refuse_allocator(&library, name)?;
    }
    Ok(())
}

/// Looks for symbols of an allocator in a library or program for `name` that core is part of.
///
/// # Errors
/// There is one, or there are no symbols to look at.
pub(crate) fn refuse_allocator(binary: &Path, name: &str) -> Result<(), Failure> {
    let Some(symbols) = ask(program("nm").args(["--format=posix"]).arg(binary)) else {
        return Err(Failure::new(format!("nm cannot read {}", binary.display())));
    };
    // A listing without our own names would prove nothing.
    let ours = symbols.lines().filter(|line| line.contains("strait_core")).count();
    if ours == 0 {
        return Err(Failure::new(format!("nm found no symbol of strait_core among {symbols:?}")));
    }
    let hit = |line: &&str| ALLOCATOR.iter().any(|part| line.contains(part));
    if let Some(found) = symbols.lines().find(hit) {
        return Err(Failure::new(format!("{name}: core refers to the allocator: {found}")));
    }
    println!("{name}: {} symbols, {ours} of core, none of an allocator", symbols.lines().count());
    Ok(())
}
