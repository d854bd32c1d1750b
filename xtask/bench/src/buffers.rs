//! How the benchmarks create, connect to and remove buffers.

use strait::WaitPolicy;
use strait::zerobuffer::{self, Reader, Writer};
use strait_bench::{Outcome, child};

/// Creates a buffer without metadata.
pub(crate) fn create(name: &str, payload: u64, policy: Option<WaitPolicy>) -> Outcome<Reader> {
    let builder = Reader::builder(name).metadata_capacity(0).payload_capacity(payload);
    let builder = policy.into_iter().fold(builder, zerobuffer::ReaderBuilder::wait_policy);
    Ok(builder.create()?)
}

/// Connects to a buffer that is there.
pub(crate) fn connect(name: &str, policy: Option<WaitPolicy>) -> Outcome<Writer> {
    let builder = Writer::builder(name);
    let builder = policy.into_iter().fold(builder, zerobuffer::WriterBuilder::wait_policy);
    Ok(builder.connect()?)
}

/// Removes what the child created under this name, if it was killed before it could.
pub(crate) struct Sweep<'n>(pub(crate) &'n str);

impl Drop for Sweep<'_> {
    fn drop(&mut self) {
        // Creating replaces a leftover, dropping removes it. A running reader refuses, which is as well.
        let _ = create(self.0, 64 << 10, None);
    }
}

/// Removes the buffers of earlier benchmark runs that were killed.
pub(crate) fn remove_leftovers() {
    for buffer in zerobuffer::list().unwrap_or_default() {
        if buffer.name.starts_with(child::PREFIX) && buffer.state == zerobuffer::State::Dead {
            drop(Sweep(&buffer.name));
        }
    }
}
