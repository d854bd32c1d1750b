//! How the pages of a file are reserved, although signals interrupt it and limits forbid it.

use std::fs::File;
use std::path::Path;
use std::sync::OnceLock;

use rustix::fs::FallocateFlags;
use rustix::io::Errno;
use rustix::process::{Resource, getrlimit};

use crate::error::Error;

/// Bytes of the largest piece: some 20 ms, after which somebody may want to stop.
const LARGEST: u64 = 64 << 20;
/// Bytes of the smallest piece: a page, which is there before the next signal comes.
const SMALLEST: u64 = 4096;
/// Interruptions in a row after which no piece is expected to go through any more.
const MOST_INTERRUPTIONS: u32 = 10_000;

static STOP: OnceLock<Box<dyn Fn() -> bool + Send + Sync>> = OnceLock::new();

/// Has reservations of memory ask `stop` after each 64 MiB, and whenever a signal interrupts one: once it says so, whoever
/// creates gets an error, and nothing is left behind. Without it a reservation of many GiB goes on for seconds.
///
/// For the whole process, as signals are; the first call decides. `false` for later ones.
pub fn stop_reserving_when(stop: impl Fn() -> bool + Send + Sync + 'static) -> bool {
    STOP.set(Box::new(stop)).is_ok()
}

/// Reserves pages: a full tmpfs is an error here, instead of a SIGBUS at the first touch.
pub(crate) fn reserve(file: &File, len: usize, path: &Path) -> Result<(), Error> {
    let len = len as u64;
    // Asked first: a file that grows beyond it is a signal which kills, and no error.
    if let Some(limit) = getrlimit(Resource::Fsize).current.filter(|limit| len > *limit) {
        return Err(Error::over_limit(path, len, limit));
    }
    // As well: the first pieces of what can never be whole would take all memory there is.
    if len > LARGEST && !has_room(file, len) {
        return Err(Error::system("fallocate", path, Errno::NOSPC));
    }
    let piece = |offset, len| rustix::fs::fallocate(file, FallocateFlags::empty(), offset, len);
    let stop = || STOP.get().is_some_and(|stop| stop());
    in_pieces(len, piece, stop).map_err(|error| match error {
        Failed::Refused(errno) => Error::system("fallocate", path, errno),
        Failed::Stopped { done } => Error::stopped(path, done, len),
    })
}

/// Whether the filesystem has so many bytes left, as far as it says.
fn has_room(file: &File, len: u64) -> bool {
    rustix::fs::fstatvfs(file)
        .map_or(true, |room| room.f_blocks == 0 || len <= room.f_bavail.saturating_mul(room.f_frsize))
}

#[derive(Debug, PartialEq, Eq)]
enum Failed {
    Refused(Errno),
    Stopped { done: u64 },
}

/// Reserves piece after piece. A piece that a signal interrupts has reserved nothing, and is tried again with half of it:
/// some kernels give up at every signal, and a timer that is faster than the piece would have it start again for ever.
fn in_pieces(
    len: u64,
    mut reserve: impl FnMut(u64, u64) -> Result<(), Errno>,
    stop: impl Fn() -> bool,
) -> Result<(), Failed> {
    let (mut done, mut piece, mut interruptions) = (0, LARGEST, 0);
    loop {
        let next = piece.min(len - done);
        match reserve(done, next) {
            Ok(()) if done + next == len => return Ok(()),
            Ok(()) => (done, piece, interruptions) = (done + next, LARGEST.min(2 * piece), 0),
            Err(Errno::INTR) => (piece, interruptions) = ((next / 2).max(SMALLEST), interruptions + 1),
            Err(errno) => return Err(Failed::Refused(errno)),
        }
        if interruptions == MOST_INTERRUPTIONS || stop() {
            return Err(Failed::Stopped { done });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A system that reserves at most `most` bytes between two signals, and what was reserved there.
    fn interrupted(most: u64, pieces: &mut Vec<(u64, u64)>) -> impl FnMut(u64, u64) -> Result<(), Errno> {
        move |offset, len| {
            if len > most {
                return Err(Errno::INTR);
            }
            pieces.push((offset, len));
            Ok(())
        }
    }

    #[test]
    fn a_quiet_system_reserves_large_pieces() {
        for (len, count) in [(0, 1), (1, 1), (4096, 1), (64 << 20, 1), ((64 << 20) + 1, 2), (256 << 20, 4)] {
            let mut pieces = Vec::new();
            assert_eq!(in_pieces(len, interrupted(u64::MAX, &mut pieces), || false), Ok(()));
            assert_eq!((pieces.len(), end(&pieces)), (count, Some(len)));
        }
    }

    /// Where pieces end that follow each other.
    fn end(pieces: &[(u64, u64)]) -> Option<u64> {
        pieces.iter().try_fold(0, |end, (offset, len)| (*offset == end).then_some(end + len))
    }

    #[test]
    fn under_a_storm_of_signals_the_pieces_are_as_small_as_need_be_and_leave_no_gap() {
        for (len, most) in [(1 << 30, 1 << 20), ((1 << 20) + 5, 5000), (12_345, 4096)] {
            let mut pieces = Vec::new();
            assert_eq!(in_pieces(len, interrupted(most, &mut pieces), || false), Ok(()));
            assert_eq!(end(&pieces), Some(len), "{len} bytes, {most} at a time");
        }
    }

    #[test]
    fn it_ends_behind_the_piece_or_the_interruption_in_which_a_stop_was_asked_for() {
        for (outcome, done) in [(Ok(()), 3 * LARGEST), (Err(Errno::INTR), 0)] {
            let asked = core::cell::Cell::new(0);
            let stop = || asked.replace(asked.get() + 1) == 2;
            let stopped = in_pieces(1 << 30, |_, _| outcome, stop);
            assert_eq!((stopped, asked.get()), (Err(Failed::Stopped { done }), 3));
        }
        // What is whole is no less so.
        assert_eq!(in_pieces(LARGEST, |_, _| Ok(()), || true), Ok(()));
    }

    #[test]
    fn a_storm_that_lets_nothing_through_has_an_end() {
        let outcome = in_pieces(1 << 20, |_, _| Err(Errno::INTR), || false);
        assert_eq!(outcome, Err(Failed::Stopped { done: 0 }));
    }

    #[test]
    fn a_refusal_is_the_systems() {
        let refuse = |offset, _| if offset == 0 { Ok(()) } else { Err(Errno::NOSPC) };
        assert_eq!(in_pieces(1 << 30, refuse, || false), Err(Failed::Refused(Errno::NOSPC)));
    }

    #[test]
    fn what_the_filesystem_has_no_room_for_is_refused_before_any_of_it_is_taken() {
        use strait_core::platform::{FaultKind, PlatformError as _};
        let file = File::from(rustix::fs::memfd_create("room", rustix::fs::MemfdFlags::empty()).unwrap());
        let folder = File::open(crate::segment::FOLDER).unwrap();
        let room = rustix::fs::fstatvfs(&folder).unwrap();
        // A file in memory has no limit of its own; that of the folder of segments is known.
        assert!(has_room(&file, 1 << 40));
        let too_much = room.f_blocks.saturating_add(1).saturating_mul(room.f_frsize);
        assert!(!has_room(&folder, too_much));
        // On 32 bits a folder may have more room than a segment can have bytes.
        if let Ok(len) = usize::try_from(too_much) {
            let refused = reserve(&folder, len, Path::new(crate::segment::FOLDER)).unwrap_err();
            assert_eq!(refused.kind(), FaultKind::NoSpace);
        }
    }
}
