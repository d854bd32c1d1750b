//! Where connections run, until the user wants to stop.

use core::time::Duration;
use tokio::runtime::{Builder, Runtime};

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
