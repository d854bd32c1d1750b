//! Locks of places: one byte each of a segment's file, by locks that belong to an opening of it and not to a process.
//!
//! The kernel gives such a lock back when the opening's last descriptor and mapping have gone: when every clone of the
//! handle is dropped, when its process ends, or becomes another program. A forked child has the opening too. They are
//! seen from every namespace, and neither ask nor tell the time. Advisory: bytes that are locked can be read and written.

use std::fs::File;
use std::os::fd::AsFd as _;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;
use strait_core::platform::PLACES;

/// Byte of place 0, where no link that is likely ends: the highest round one that a program of 32 bits can name.
const FIRST: libc::off_t = 0x7fff_ff00;

/// Places whose locks were taken through one opening: asking the kernel again through it would find them free.
#[derive(Debug, Default)]
pub(crate) struct Places(u128);

impl Places {
    /// Takes a lock; `false` if somebody has it.
    pub(crate) fn lock(&mut self, file: &File, place: usize) -> bool {
        let (Some(bit), Some(lock)) = (bit(place), lock(place, libc::F_WRLCK)) else { return false };
        if self.0 & bit != 0 || set(file, &lock).is_err() {
            return false;
        }
        self.0 |= bit;
        true
    }

    /// Gives a lock back that was taken here.
    pub(crate) fn unlock(&mut self, file: &File, place: usize) {
        let (Some(bit), Some(lock)) = (bit(place), lock(place, libc::F_UNLCK)) else { return };
        if self.0 & bit != 0 {
            // Cannot fail on a file that was locked; if it did, the place would count as taken until the process ends.
            let _ = set(file, &lock);
            self.0 &= !bit;
        }
    }

    /// Whether somebody holds a lock; `None` if the kernel does not say.
    pub(crate) fn is_locked(&self, file: &File, place: usize) -> Option<bool> {
        // As for a reader: who may only read the file can take locks that keep writers away, and proves nothing by them.
        let (bit, mut asked) = (bit(place)?, lock(place, libc::F_RDLCK)?);
        if self.0 & bit != 0 {
            return Some(true);
        }
        fcntl(file.as_fd(), FcntlArg::F_OFD_GETLK(&mut asked)).ok()?;
        Some(i32::from(asked.l_type) != libc::F_UNLCK)
    }
}

fn bit(place: usize) -> Option<u128> {
    (place < PLACES).then(|| 1 << place)
}

fn lock(place: usize, kind: i32) -> Option<libc::flock> {
    Some(libc::flock {
        l_type: i16::try_from(kind).ok()?,
        l_whence: i16::try_from(libc::SEEK_SET).ok()?,
        l_start: FIRST.checked_add(place.try_into().ok()?)?,
        l_len: 1,
        // Must be 0 for locks of an opening.
        l_pid: 0,
    })
}

fn set(file: &File, lock: &libc::flock) -> Result<(), Errno> {
    fcntl(file.as_fd(), FcntlArg::F_OFD_SETLK(lock)).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file that nobody else has.
    fn file(what: &str) -> (File, std::path::PathBuf) {
        let path = std::env::temp_dir().join(format!("strait-places-{what}-{}", std::process::id()));
        (File::options().read(true).write(true).create(true).truncate(true).open(&path).unwrap(), path)
    }

    #[test]
    fn who_may_only_read_proves_nothing_by_a_lock() {
        let (writer, path) = file("reader");
        let reader = File::open(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        set(&reader, &lock(3, libc::F_RDLCK).unwrap()).unwrap();
        let mut places = Places::default();
        assert_eq!(places.is_locked(&writer, 3), Some(false), "nobody takes part by it");
        assert!(!places.lock(&writer, 3), "another place has to be taken");
        assert!(places.lock(&writer, 4));
        assert_eq!(Places::default().is_locked(&reader, 4), Some(true), "seen by who may only read");
        assert!(!Places::default().lock(&reader, 5), "nothing can be taken by him");
    }

    #[test]
    fn a_place_that_was_given_back_twice_is_not_taken_from_another() {
        let (one, path) = file("twice");
        let other = File::options().read(true).write(true).open(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        let (mut ours, mut theirs) = (Places::default(), Places::default());
        assert!(ours.lock(&one, 0));
        ours.unlock(&one, 0);
        assert!(theirs.lock(&other, 0));
        ours.unlock(&one, 0);
        assert_eq!(ours.is_locked(&one, 0), Some(true));
    }
}
