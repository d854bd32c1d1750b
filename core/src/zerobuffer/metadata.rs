//! The metadata block: a length and as many bytes, written once.
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use super::error::{Corrupt, MetadataError};
use super::layout::METADATA_PREFIX;
use super::ring::{Buffer, RingMemory};
use super::size;
use crate::platform::Segment;
use crate::sync::Ordering;

fn corrupt(field: &'static str, found: u64, limit: u64) -> MetadataError {
    MetadataError::Corrupt(Corrupt { field, found, limit })
}

/// Writes `data`: prefix and bytes first, then the word that says that they are there.
pub(super) fn write<S: Segment>(buffer: &Buffer<S>, data: &[u8]) -> Result<(), MetadataError> {
    size::check(buffer.segment())?;
    let oieb = buffer.oieb();
    // Relaxed: only writers store it, and there is one.
    let written = oieb.metadata_written_bytes.load(Ordering::Relaxed);
    if written != 0 {
        return Err(MetadataError::AlreadyWritten { len: written.saturating_sub(METADATA_PREFIX) });
    }
    let size = buffer.geometry().metadata_size;
    let max = size.saturating_sub(METADATA_PREFIX);
    let len = u64::try_from(data.len()).unwrap_or(u64::MAX);
    if len > max {
        return Err(MetadataError::TooLarge { len, max });
    }
    if len == 0 {
        return Err(MetadataError::Empty);
    }
    let block = buffer.metadata();
    let outside = |_| corrupt("metadata_size", size, max);
    block.write(0, &len.to_le_bytes()).map_err(outside)?;
    block.write(METADATA_PREFIX, data).map_err(outside)?;
    let written = len.saturating_add(METADATA_PREFIX);
    // Relaxed: the Release store below publishes it.
    oieb.metadata_free_bytes.store(size.saturating_sub(written), Ordering::Relaxed);
    // Pairs with the Acquire load in `len`.
    oieb.metadata_written_bytes.store(written, Ordering::Release);
    Ok(())
}

/// Length of the metadata, bytes; `None` while there are none.
pub(super) fn len<S: Segment>(buffer: &Buffer<S>) -> Result<Option<usize>, MetadataError> {
    size::check(buffer.segment())?;
    // Pairs with the Release store in `write`.
    let written = buffer.oieb().metadata_written_bytes.load(Ordering::Acquire);
    let size = buffer.geometry().metadata_size;
    if written == 0 {
        return Ok(None);
    }
    if written < METADATA_PREFIX || written > size {
        return Err(corrupt("metadata_written_bytes", written, size));
    }
    let mut prefix = [0; 8];
    buffer.metadata().read(0, &mut prefix).map_err(|_| corrupt("metadata_size", size, size))?;
    let len = u64::from_le_bytes(prefix);
    let most = written.saturating_sub(METADATA_PREFIX);
    if len > most {
        return Err(corrupt("metadata length", len, most));
    }
    // A block lies inside a mapping, so its length is a usize.
    Ok(usize::try_from(len).ok())
}

/// Copies the first `out.len()` bytes of the metadata.
pub(super) fn read<S: Segment>(buffer: &Buffer<S>, out: &mut [u8]) -> Result<(), MetadataError> {
    let size = buffer.geometry().metadata_size;
    let wanted = u64::try_from(out.len()).unwrap_or(u64::MAX);
    buffer.metadata().read(METADATA_PREFIX, out).map_err(|_| corrupt("metadata length", wanted, size))
}
