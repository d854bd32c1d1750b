//! Reader and writer against each other, against an oracle, and against a system that fails at every call.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod behaviour;
mod deadline;
mod evidence;
mod faults;
mod foreign;
mod local;
mod oracle;

use std::string::ToString;
use std::vec::Vec;

use super::inspect::Snapshot;
use super::{
    ABORTED, AttachError, Config, Corrupt, CreateError, ReadError, ReaderEndpoint, WriteError, WriterEndpoint,
};
use crate::name::Name;
use crate::platform::{Access, Pid};
use crate::testing::{FakeError, FakePlatform, FakeSignal, HeapSegment};
use crate::time::Deadline;

type Reader = ReaderEndpoint<FakePlatform>;
type Writer = WriterEndpoint<FakePlatform>;

/// Process of the reader, and of the first writer.
const READER: u64 = 1;
const WRITER: u64 = 2;
/// Where the payload starts: 128 bytes of OIEB, 64 of metadata.
const PAYLOAD: usize = 192;

/// A system with a buffer on it.
#[derive(Debug)]
struct Scene {
    platform: FakePlatform,
    name: Name,
    payload_size: u64,
}

impl Scene {
    /// A reader, and this scene around it.
    fn new(payload_size: u64) -> (Self, Reader) {
        let (platform, name) = (FakePlatform::new(), Name::new("buffer").unwrap());
        let scene = Self { platform, name, payload_size };
        let reader = scene.create(READER).unwrap();
        (scene, reader)
    }

    /// A reader, a writer, and this scene around them.
    fn connected(payload_size: u64) -> (Self, Reader, Writer) {
        let (scene, reader) = Self::new(payload_size);
        let writer = scene.attach(WRITER).unwrap();
        (scene, reader, writer)
    }

    fn create(&self, pid: u64) -> Result<Reader, CreateError<FakeError>> {
        self.create_for(pid, Access::default())
    }

    fn create_for(&self, pid: u64, access: Access) -> Result<Reader, CreateError<FakeError>> {
        let config = Config { metadata_capacity: 64, payload_capacity: self.payload_size };
        ReaderEndpoint::create(self.platform.process(pid), &self.name, config, access)
    }

    fn attach(&self, pid: u64) -> Result<Writer, AttachError<FakeError>> {
        WriterEndpoint::attach(self.platform.process(pid), &self.name)
    }

    fn segment(&self) -> HeapSegment {
        self.platform.segment(self.name.as_str())
    }

    /// The semaphore that counts unread frames.
    fn data_ready(&self) -> FakeSignal {
        self.platform.signal(self.name.prefixed("sem-w-").to_string().as_str())
    }

    fn snapshot(&self) -> Snapshot {
        Snapshot::of::<_, FakeError>(&self.segment()).unwrap()
    }
}

/// Bytes that tell one frame from another.
fn pattern(tag: u64, len: usize) -> Vec<u8> {
    (0u64..).take(len).map(|at| u8::try_from((tag * 31 + at * 7) % 251).unwrap()).collect()
}

/// Writes one frame; returns its number.
fn write(writer: &mut Writer, data: &[u8]) -> Result<u64, WriteError<FakeError>> {
    let mut reserved = writer.try_reserve(data.len())?;
    writer.bytes_mut(&mut reserved).copy_from_slice(data);
    writer.commit(reserved)
}

/// Reads and releases one frame that must come: its number and data.
fn read(reader: &mut Reader) -> Result<(u64, Vec<u8>), ReadError<FakeError>> {
    let claimed = reader.claim(Deadline::Never, || 0)?;
    let data = reader.bytes(&claimed).to_vec();
    let sequence = claimed.sequence();
    reader.release(claimed)?;
    Ok((sequence, data))
}
