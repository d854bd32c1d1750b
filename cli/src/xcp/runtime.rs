//! Where do connections run, until the user wants to stop, and who hears what the library tells of them?

use core::time::Duration;
use std::io;

use tokio::runtime::{Builder, Runtime};
use tracing::level_filters::LevelFilter;

use crate::exit::Failure;
use crate::interrupt::{Interrupt, SLICE};

/// How long threads that wait for a disk may take at the end.
const FAREWELL: Duration = Duration::from_secs(1);

/// Runs `work` to its end, or until a signal comes.
pub(super) fn run<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let interrupt = Interrupt::catch().map_err(Failure::connect)?;
    let runtime = runtime()?;
    let outcome = runtime.block_on(async {
        tokio::select! {
            outcome = work => outcome,
            () = interrupted(&interrupt) => Err(interrupt.failure()),
        }
    });
    runtime.shutdown_timeout(FAREWELL);
    outcome
}

fn runtime() -> Result<Runtime, Failure> {
    let runtime = Builder::new_multi_thread().enable_all().build();
    runtime.map_err(|error| Failure::connect(format_args!("no threads for connections: {error}")))
}

/// Ends once a signal came.
async fn interrupted(interrupt: &Interrupt) {
    while !interrupt.is_set() {
        tokio::time::sleep(SLICE).await;
    }
}

/// Has the library say on standard error what happens: `level` and what is worse.
pub(super) fn listen_to_library(level: LevelFilter) {
    let subscriber = tracing_subscriber::fmt()
        .with_writer(io::stderr)
        .with_max_level(level)
        .with_ansi(false)
        .with_target(false)
        .without_time();
    // Somebody listens already: there is one run in a process.
    let _ = subscriber.try_init();
}
