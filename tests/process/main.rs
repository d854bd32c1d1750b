//! Real processes: each end killed at every step, replaced, refused, cut short, locked out, and met by leftovers.
#![forbid(unsafe_code)]

mod crash_points;
mod duplex_client_killed;
mod duplex_server_killed;
mod endings;
mod held_frames;
// Here a buffer is files: they have owners and modes, outlive whoever made them, and can be cut, linked, overwritten and
// removed by others. Elsewhere it is objects of the system that go with their processes, and there is nothing to do that
// to.
#[cfg(target_os = "linux")]
mod linux;
mod one_of_each;
mod reader_killed;
mod stream;
mod too_large;
// Two namespaces instead of modes and groups, and nothing outlives its processes.
#[cfg(windows)]
mod windows;
mod writer_killed;

use std::process::Command;

use strait::zerobuffer::{Reader, ReaderBuilder, RecvError, Writer};
use strait_tests::{PATIENCE, Peer, pattern};

/// The peer program.
const PEER: &str = env!("CARGO_BIN_EXE_strait-test-peer");

/// Another process.
fn peer() -> Peer {
    Peer::start(&mut Command::new(PEER))
}

/// One end of a duplex channel in another process.
fn channel_peer() -> Peer {
    Peer::start(&mut Command::new(env!("CARGO_BIN_EXE_strait-test-channel-peer")))
}

/// Options of a small reader in this process: 64 bytes of metadata, `payload` bytes of ring.
fn reader_of(name: &str, payload: u64) -> ReaderBuilder {
    Reader::builder(name).metadata_capacity(64).payload_capacity(payload).timeout(PATIENCE)
}

/// A small reader in this process: 64 bytes of metadata, 1 KiB of ring.
fn reader(name: &str) -> Reader {
    reader_of(name, 1024).create().expect("the name is free")
}

/// A writer in this process.
fn writer(name: &str) -> Writer {
    Writer::builder(name).timeout(PATIENCE).connect().expect("a reader is there")
}

/// Sends one frame of `len` bytes of the pattern; returns its number.
fn send(writer: &mut Writer, len: usize) -> u64 {
    let mut frame = writer.reserve(len).expect("there is room");
    let sequence = frame.sequence();
    pattern::fill(&mut frame, sequence);
    assert_eq!(frame.commit().expect("commits"), sequence);
    sequence
}

/// Receives one frame, which must be whole; returns its number and length.
#[track_caller]
fn receive(reader: &mut Reader) -> Result<(u64, usize), RecvError> {
    let frame = reader.recv()?;
    pattern::check(&frame, frame.sequence());
    Ok((frame.sequence(), frame.len()))
}

/// Receives every frame that is left of a writer that died; returns how many there were. They must be whole, numbered
/// from `next` on without a gap, and followed by the news of the death of `pid`.
#[track_caller]
fn drain_dead(reader: &mut Reader, mut next: u64, pid: u64) -> u64 {
    let first = next;
    loop {
        match receive(reader) {
            Ok((sequence, _)) => {
                assert_eq!(sequence, next, "each frame once, in order");
                next += 1;
            }
            Err(RecvError::WriterDead { pid: found, .. }) => {
                assert_eq!(found, pid);
                return next - first;
            }
            Err(error) => panic!("after frame {}: {error:?}", next - 1),
        }
    }
}

/// Takes the end of the stream, which must come next and stay.
#[track_caller]
fn expect_end(reader: &mut Reader) {
    for _ in 0..2 {
        let outcome = receive(reader);
        assert!(matches!(outcome, Err(RecvError::EndOfStream)), "{outcome:?}");
    }
}
