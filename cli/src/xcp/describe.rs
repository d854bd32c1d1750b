//! What is said of a body: its kind, its tensors, its digest.

use bytes::Bytes;
use serde::Serialize;
use strait::xcp::Ether;

use crate::link::digest::{Digest, Value};

/// Type and shape of a tensor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct TensorFacts {
    dtype: String,
    shape: Vec<u64>,
}

/// The tensors in an ether.
pub(super) fn tensors(ether: &Ether) -> Vec<TensorFacts> {
    let of = |attachment: &strait::xcp::Attachment| {
        let shape = attachment.shape.clone()?;
        attachment.dtype.clone().map(|dtype| TensorFacts { dtype, shape })
    };
    ether.attachments.iter().filter_map(of).collect()
}

impl core::fmt::Display for TensorFacts {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{} {:?}", crate::escape::printable(self.dtype.as_bytes()), self.shape)
    }
}

/// How many bytes came, and their digest.
#[derive(Clone, Debug, Default)]
pub(super) struct Sum {
    bytes: u64,
    digest: Digest,
}

impl Sum {
    /// Of these bytes.
    pub(super) fn of(bytes: &[u8]) -> Self {
        let mut sum = Self::default();
        sum.add(bytes);
        sum
    }

    /// Some more.
    pub(super) fn add(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        self.digest.add(bytes);
    }

    /// How many there were.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// SHA-256 of all.
    pub(super) fn sha256(&self) -> Value {
        self.digest.value()
    }
}

/// Whether these are JSON, by their first byte.
pub(super) fn is_json(body: &Bytes) -> bool {
    body.first() == Some(&b'{')
}
