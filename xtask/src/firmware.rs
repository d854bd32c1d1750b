//! Do frames and messages cross between a handler and the main loop of a Cortex-M, and what do flash and RAM cost?

use std::path::{Path, PathBuf};

use crate::no_std::refuse_allocator;
use crate::packages;
use crate::shell::{self, Failure, ask, program, root, run_and_read, target};

/// A workspace of its own.
const FOLDER: &str = "tests/firmware";

/// With compare-and-swap but without 64-bit atomics, and without either.
const TARGETS: &[(&str, &str)] = &[("thumbv7m-none-eabi", "cortex-m3"), ("thumbv6m-none-eabi", "cortex-m0")];

/// Seconds of a run that takes less than one: by then it hangs.
const LIMIT: &str = "300";

/// Sections that take flash, and those that take RAM; `.data` takes both.
const FLASH: &[&str] = &[".vector_table", ".text", ".rodata", ".data", ".gnu.sgstubs"];
const RAM: &[&str] = &[".data", ".bss", ".uninit"];

/// Builds the firmware for both cores, runs it on both, and checks what it counted.
pub(crate) fn run(args: &[String]) -> Result<(), Failure> {
    if let Some(unknown) = args.first() {
        return Err(Failure::new(format!("firmware takes no argument, got {unknown:?}")));
    }
    packages::ensure(&["lld", "qemu-system-arm", "binutils"])?;
    for (name, processor) in TARGETS {
        let firmware = build(name)?;
        let (flash, ram) = measure(&firmware)?;
        refuse_allocator(&firmware, name)?;
        let output = run_and_read(&mut emulator(processor, &firmware))?;
        check(&output).map_err(|reason| Failure::new(format!("{processor}: {reason}")))?;
        println!("{processor}: {flash} bytes of flash, {ram} bytes of RAM without the stack");
    }
    Ok(())
}

/// The path of the linked program.
fn build(name: &str) -> Result<PathBuf, Failure> {
    let mut cargo = packages::cargo_for_any_target()?;
    let folder = target().join("firmware");
    let variable = format!("CARGO_TARGET_{}_RUSTFLAGS", name.to_uppercase().replace('-', "_"));
    cargo.env(variable, "-Clinker=ld.lld -Clink-arg=-Tlink.x");
    cargo.args(["build", "--locked", "-Zbuild-std=core", "--release", "--manifest-path"]);
    cargo.arg(root().join(FOLDER).join("Cargo.toml"));
    cargo.args(["--target", name, "--target-dir"]).arg(&folder);
    shell::run(&mut cargo)?;
    Ok(folder.join(name).join("release/strait-firmware"))
}

/// QEMU with `firmware`, ended after [`LIMIT`].
fn emulator(processor: &str, firmware: &Path) -> std::process::Command {
    let mut qemu = program("timeout");
    qemu.args([LIMIT, "qemu-system-arm", "-cpu", processor, "-machine", "lm3s6965evb", "-nographic"]);
    // Time passes by instructions, 8 ns each: every run is the same, however busy this machine is.
    qemu.args(["-icount", "shift=3,sleep=off", "-semihosting-config", "enable=on,target=native", "-kernel"]);
    qemu.arg(firmware);
    qemu
}

/// Bytes of flash and of RAM, by the sections of `firmware`.
fn measure(firmware: &Path) -> Result<(u64, u64), Failure> {
    let Some(sections) = ask(program("size").args(["-A", "-d"]).arg(firmware)) else {
        return Err(Failure::new(format!("size cannot read {}", firmware.display())));
    };
    let sum = |names: &[&str]| -> u64 {
        let lines = sections.lines().filter_map(|line| {
            let mut words = line.split_whitespace();
            names.contains(&words.next()?).then(|| words.next()?.parse::<u64>().ok()).flatten()
        });
        lines.sum()
    };
    match (sum(FLASH), sum(RAM)) {
        // Without code or the ring's segment nothing was measured.
        (0, _) | (_, 0) => Err(Failure::new(format!("no sections among {sections:?}"))),
        both => Ok(both),
    }
}

/// Counts that must not be 0.
const COUNTED: &[&str] = &[
    "sent",
    "received",
    "bytes sent",
    "bytes received",
    "refused",
    "wraps",
    "sleeps",
    "samples sent",
    "samples received",
    "samples refused",
    "commands sent",
    "commands received",
    "commands refused",
    "notes",
    "slots given up",
    "slots passed over",
    "slots held",
];

/// Counts that must be the same.
const AGREED: &[(&str, &str)] = &[
    ("sent", "received"),
    ("bytes sent", "bytes received"),
    ("samples sent", "samples received"),
    ("commands sent", "commands received"),
    ("samples sent", "commands sent"),
    ("slots given up", "slots passed over"),
];

/// Whether the counts that the firmware printed say that frames and messages went through, and were refused at times. It
/// checks the same; this finds a run that ended before it did.
fn check(output: &str) -> Result<(), String> {
    let count = |name: &str| {
        let text = output.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        text.and_then(|text| text.trim().parse::<u64>().ok()).ok_or_else(|| format!("printed no {name:?}"))
    };
    for name in COUNTED {
        if count(name)? == 0 {
            return Err(format!("{name} is 0"));
        }
    }
    for (sent, received) in AGREED {
        let (there, here) = (count(sent)?, count(received)?);
        if there != here {
            return Err(format!("{sent} is {there}, {received} is {here}"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::check;

    const GOOD: &str = "sent 7\nreceived 7\nbytes sent 70\nbytes received 70\nrefused 1\nwraps 2\nsleeps 3\n\
        samples sent 9\nsamples received 9\nsamples refused 4\ncommands sent 9\ncommands received 9\n\
        commands refused 5\nnotes 7\nslots given up 6\nslots passed over 6\nslots held 8\n";

    #[test]
    fn counts_that_are_missing_zero_or_disagree_are_told() {
        assert_eq!(check(GOOD), Ok(()));
        let says = |from: &str, to: &str| check(&GOOD.replace(from, to)).unwrap_err();
        assert_eq!(says("wraps 2\n", ""), "printed no \"wraps\"");
        assert_eq!(says("refused 1", "refused 0"), "refused is 0");
        assert_eq!(says("\nreceived 7", "\nreceived 6"), "sent is 7, received is 6");
        assert_eq!(
            says("\ncommands received 9", "\ncommands received 8"),
            "commands sent is 9, commands received is 8"
        );
        assert_eq!(says("slots held 8", "slots held 0"), "slots held is 0");
        assert_eq!(says("bytes sent 70", "bytes sent 71"), "bytes sent is 71, bytes received is 70");
    }
}
