//! How the tool opens buffers and sends frames: in slices, so that a signal ends the wait, and with its exit codes.

use core::time::Duration;
use std::io;

use strait::zerobuffer::{ConnectError, CreateError, Reader, SendError, Writer};

use crate::args::{Creation, Trust};
use crate::exit::{ExitCode, Failure};
use crate::interrupt::{Interrupt, Patience};
use crate::tally::Tally;

/// Creates the buffer `name`.
pub(crate) fn create(name: &str, creation: &Creation, interrupt: &Interrupt) -> Result<Reader, Failure> {
    creation.builder(name).create().map_err(|error| match error {
        CreateError::BadName { .. } | CreateError::BadCapacity { .. } => Failure::usage(error),
        _ => interrupt.or(Failure::connect(error)),
    })
}

/// Connects to the buffer `name`, waiting until its reader has created it. `code` is what a failure ends with, `option`
/// the option that sets the wait. Only closing the writer says that all was sent: whatever else ends the run, its reader
/// learns of it.
pub(crate) fn connect(
    name: &str,
    trust: Trust,
    wait: Duration,
    interrupt: &Interrupt,
    (code, option): (ExitCode, &str),
) -> Result<Writer, Failure> {
    let patience = Patience::new(wait);
    loop {
        let slice = patience.slice();
        let builder = Writer::builder(name).abort_on_drop(true).trust_others(trust.trust_others);
        let error = match builder.wait_for_reader(slice.unwrap_or(Duration::ZERO)).connect() {
            Ok(writer) => return Ok(writer),
            Err(error) => error,
        };
        if interrupt.is_set() {
            return Err(interrupt.failure());
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
            ConnectError::OthersMayWrite { name } => Failure::new(
                code,
                format_args!(
                    "buffer {name:?} may be written by other users, its owner or those whom its mode lets in, and one that \
                     cuts it short ends this process: let a reader of this user create it with --mode 600, or trust them with --trust-others"
                ),
            ),
            _ => Failure::new(code, error),
        });
    }
}

/// What a reader ends with that found nothing for `ms` milliseconds, having received `tally` of the `asked` frames,
/// where 0 asks for no number. That its writer lives makes it no success: what is missing may be still to come.
pub(crate) fn silence(reader: &mut Reader, tally: &Tally, asked: u64, ms: u64) -> Failure {
    let (name, frames, bytes) = (reader.name().to_owned(), tally.frames, tally.bytes);
    let writer = match reader.is_writer_connected() {
        Ok(true) => "its writer lives and has not closed",
        Ok(false) => "no writer is connected",
        Err(error) => return Failure::read(error),
    };
    let of = if asked == 0 { String::new() } else { format!(" of {asked}") };
    match frames {
        0 => Failure::read(format_args!("buffer {name:?}: no frame came within {ms} ms; {writer}")),
        _ => Failure::read(format_args!(
            "buffer {name:?}: no further frame came within {ms} ms, after {frames}{of} with {bytes} bytes; {writer}"
        )),
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
                    return Err(interrupt.failure());
                }
                patience.get_or_insert_with(|| Patience::new(timeout));
            }
            Err(error) => return Err(Failure::write(error)),
        }
    }
}
