//! How the tool opens buffers and sends frames: in slices, so that a signal ends the wait, and with its exit codes.

use core::time::Duration;
use std::io;

use strait::zerobuffer::{ConnectError, CreateError, Reader, SendError, Writer};

use crate::args::Creation;
use crate::exit::{ExitCode, Failure};
use crate::interrupt::{Interrupt, Patience};

/// Creates the buffer `name`.
pub(crate) fn create(name: &str, creation: &Creation) -> Result<Reader, Failure> {
    creation.builder(name).create().map_err(|error| match error {
        CreateError::BadName { .. } | CreateError::BadCapacity { .. } => Failure::usage(error),
        _ => Failure::connect(error),
    })
}

/// Connects to the buffer `name`, waiting until its reader has created it. `code` is what a failure ends with, `option`
/// the option that sets the wait. Only closing the writer says that all was sent: whatever else ends the run, its reader
/// learns of it.
pub(crate) fn connect(
    name: &str,
    wait: Duration,
    interrupt: &Interrupt,
    code: ExitCode,
    option: &str,
) -> Result<Writer, Failure> {
    let patience = Patience::new(wait);
    loop {
        let slice = patience.slice();
        let builder = Writer::builder(name).abort_on_drop(true);
        let error = match builder.wait_for_reader(slice.unwrap_or(Duration::ZERO)).connect() {
            Ok(writer) => return Ok(writer),
            Err(error) => error,
        };
        if interrupt.is_set() {
            return Err(Failure::interrupted());
        }
        let may_come = matches!(
            error,
            ConnectError::BufferNotFound { .. }
                | ConnectError::ReaderDead { .. }
                | ConnectError::ReaderUnknown { .. }
                | ConnectError::NotReady { .. }
        );
        if may_come && slice.is_some() {
            continue;
        }
        return Err(match error {
            ConnectError::BadName { .. } => Failure::usage(error),
            ConnectError::BufferNotFound { name } => Failure::new(
                code,
                format_args!(
                    "buffer {name:?} not found: start its reader first, or wait longer for it with {option}"
                ),
            ),
            _ => Failure::new(code, error),
        });
    }
}

/// What became of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sent {
    /// It was sent.
    Whole,
    /// It could not be filled and was discarded.
    Discarded,
}

/// Sends one frame of `len` bytes, made in place by `fill`, waiting for space at most `timeout`.
pub(crate) fn send(
    writer: &mut Writer,
    len: usize,
    timeout: Duration,
    interrupt: &Interrupt,
    fill: impl FnOnce(&mut [u8]) -> io::Result<bool>,
) -> Result<Sent, Failure> {
    // The clock is read only if the ring is full.
    let mut patience: Option<Patience> = None;
    loop {
        let slice = match &patience {
            None => Some(Duration::ZERO),
            Some(patience) => patience.slice(),
        };
        match writer.reserve_timeout(len, slice.unwrap_or(Duration::ZERO)) {
            Ok(mut frame) => {
                let filled =
                    fill(&mut frame).map_err(|error| Failure::write(format_args!("input: {error}")))?;
                if !filled {
                    return Ok(Sent::Discarded);
                }
                frame.commit().map_err(Failure::write)?;
                return Ok(Sent::Whole);
            }
            Err(SendError::BufferFull { .. }) if slice.is_some() => {
                if interrupt.is_set() {
                    return Err(Failure::interrupted());
                }
                patience.get_or_insert_with(|| Patience::new(timeout));
            }
            Err(error) => return Err(Failure::write(error)),
        }
    }
}
