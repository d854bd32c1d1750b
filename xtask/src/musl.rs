//! Does a static musl build share buffers with a glibc build, whose semaphores have a layout of their own?

use crate::cross::{Cross, meet_the_ordinary_build};
use crate::packages;
use crate::shell::Failure;

const MUSL: Cross = Cross {
    target: "x86_64-unknown-linux-musl",
    folder: "musl",
    flags: &[
        "-Ctarget-feature=+crt-static",
        "-Crelocation-model=static",
        "-Clink-self-contained=no",
        "-Clinker=musl-gcc",
        // std's unwinder, which rustup bundles; Debian's was compiled for glibc and prints through one of its
        // functions, on the way to abort.
        "-Lnative=/usr/lib/llvm-14/lib",
        "-Clink-arg=-Wl,--defsym=__fprintf_chk=abort",
    ],
    kind: "statically linked",
};

/// Runs the scenarios between the two builds, then the stream scenarios of the musl build with the real package.
pub(crate) fn run(args: &[String]) -> Result<(), Failure> {
    if let Some(unknown) = args.first() {
        return Err(Failure::new(format!("musl takes no argument, got {unknown:?}")));
    }
    packages::ensure(&["build-essential", "musl-tools", "libunwind-14-dev"])?;
    meet_the_ordinary_build(&MUSL.strait()?, &["TwoBuilds", "Stream", "Metadata"])
}
