//! A buffer as a byte stream: `io::Write` makes frames, `io::Read` takes them apart.

use std::io;

use super::error::RecvError;
use super::reader::Reader;
use super::writer::Writer;
use crate::Error;

/// Each call sends one frame of at most half the ring, so that the reader can work on one while the next is written.
impl io::Write for Writer {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        if data.is_empty() {
            return Ok(0);
        }
        let most = (self.max_frame_len() / 2).max(1);
        let len = data.len().min(most);
        self.send(&data[..len]).map_err(|error| io::Error::from(Error::from(error)))?;
        Ok(len)
    }

    /// Nothing to do: every frame is published when it is written.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Reads the frames' bytes one after another; 0 once the writer has closed. A frame partly read is returned whole by
/// the next [`Reader::recv`].
impl io::Read for Reader {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        match self.read_some(out) {
            Err(RecvError::EndOfStream) => Ok(0),
            Err(error) => Err(Error::from(error).into()),
            Ok(len) => Ok(len),
        }
    }
}
