//! Which Rust code the `.proto` files mean: written into the folder that is named.
#![forbid(unsafe_code)]

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Files below `proto/protos`; others are found through what they import.
const PROTOS: [&str; 2] = ["xcp/control.proto", "xcp/ether.proto"];

fn main() -> ExitCode {
    let mut args = std::env::args_os().skip(1);
    let (Some(folder), None) = (args.next(), args.next()) else {
        eprintln!("strait-proto-gen FOLDER");
        return ExitCode::from(2);
    };
    match generate(&PathBuf::from(folder)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("strait-proto-gen: {error}");
            ExitCode::FAILURE
        }
    }
}

fn generate(folder: &Path) -> Result<(), Box<dyn Error>> {
    let protos = Path::new(env!("CARGO_MANIFEST_DIR")).join("../protos");
    let descriptors = protox::compile(PROTOS, [protos])?;
    let mut config = prost_build::Config::new();
    // Keys in one order, whoever encodes: equal messages are equal bytes.
    config.btree_map(["."]).out_dir(folder);
    // Inline bytes are kept where they came, not copied.
    config.bytes([".xcp.ether.Attachment.inline_bytes"]);
    config.compile_fds(descriptors)?;
    Ok(())
}
