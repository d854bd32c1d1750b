//! Whether this is still the process that opened something, or a child that it has forked: a page that the kernel clears in
//! every child tells, for the price of a load.
#![expect(unsafe_code, reason = "maps the page")]

use core::ffi::c_void;
use core::ptr;
use core::sync::atomic::{AtomicPtr, AtomicU64, Ordering};

use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap_anonymous, munmap};

/// Bytes asked for; the kernel gives a page.
const LEN: usize = size_of::<AtomicU64>();

/// The page's first word; null before it is mapped. No `OnceLock`: a child that is forked while another thread fills one
/// would wait for that thread for ever.
static PAGE: AtomicPtr<AtomicU64> = AtomicPtr::new(ptr::null_mut());

/// Stands for the page where the kernel clears none (before Linux 4.14).
static NONE: AtomicU64 = AtomicU64::new(0);

/// The generation given last, by this process or one that it descends from.
static LAST: AtomicU64 = AtomicU64::new(0);

/// A number that this process keeps, and that differs from those of all processes it descends from by `fork`. Namespaces
/// do not matter, and process numbers neither: two that descend from each other can have the same.
#[inline]
pub(crate) fn generation() -> u64 {
    // Acquire: pairs with the exchange in `map`. Nothing is read behind the address but the word itself.
    let page = PAGE.load(Ordering::Acquire);
    if page.is_null() || ptr::eq(page, ptr::from_ref(&NONE)) {
        return generation_slowly(page);
    }
    // SAFETY: the page is mapped once and never unmapped; a child has it as well, cleared. It is aligned to a page, and
    // everybody accesses this word atomically.
    let word = unsafe { &*page };
    // Relaxed: nothing is ordered by it; all threads of a process agree by the exchange in `number`.
    match word.load(Ordering::Relaxed) {
        0 => number(word),
        known => known,
    }
}

#[cold]
fn generation_slowly(page: *mut AtomicU64) -> u64 {
    if page.is_null() {
        map();
        return generation();
    }
    u64::from(std::process::id())
}

/// Numbers a process that has no number yet.
#[cold]
fn number(word: &AtomicU64) -> u64 {
    // Relaxed, both: only the values count. A child goes on from its parent's last, so that it never has an ancestor's.
    let next = LAST.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
    match word.compare_exchange(0, next, Ordering::Relaxed, Ordering::Relaxed) {
        Ok(_) => next,
        Err(other) => other,
    }
}

/// Maps the page, or settles that there is none.
fn map() {
    let (protection, flags) = (ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE);
    // SAFETY: without an address and without `MAP_FIXED` nothing that is mapped is touched.
    let mapped = unsafe { mmap_anonymous(ptr::null_mut(), LEN, protection, flags) };
    let page = mapped.ok().filter(|page| {
        // SAFETY: the page was mapped just now, and nobody else knows it. It is zero, and cleared in a child.
        unsafe { madvise(*page, LEN, Advice::LinuxWipeOnFork) }.is_ok() || {
            unmap(*page);
            false
        }
    });
    let word = page.map_or_else(|| ptr::from_ref(&NONE).cast_mut(), |page| page.cast());
    // Release: whoever finds the address finds the page. Acquire on failure: so does who lost.
    if PAGE.compare_exchange(ptr::null_mut(), word, Ordering::Release, Ordering::Acquire).is_err()
        && let Some(page) = page
    {
        unmap(page);
    }
}

fn unmap(page: *mut c_void) {
    // SAFETY: mapped by `map`, which told nobody of it.
    let _ = unsafe { munmap(page, LEN) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_keeps_its_generation_and_no_descendant_has_it() {
        use nix::libc;
        use nix::sys::wait::{WaitStatus, waitpid};
        use nix::unistd::{ForkResult, fork};

        let own = generation();
        assert_eq!(std::thread::spawn(generation).join().unwrap(), own);
        // SAFETY: the child calls nothing but `generation`, `fork`, `waitpid` and `_exit`, which take no lock.
        let child = match unsafe { fork() }.unwrap() {
            ForkResult::Parent { child } => child,
            ForkResult::Child => {
                let childs = generation();
                let mut right = childs != own && generation() == childs;
                // SAFETY: as above.
                match unsafe { fork() } {
                    Ok(ForkResult::Parent { child }) => {
                        right &= matches!(waitpid(child, None), Ok(WaitStatus::Exited(_, 0)));
                    }
                    Ok(ForkResult::Child) => {
                        let right = ![own, childs].contains(&generation());
                        // SAFETY: ends the process.
                        unsafe { libc::_exit(i32::from(!right)) }
                    }
                    Err(_) => right = false,
                }
                // SAFETY: ends the process.
                unsafe { libc::_exit(i32::from(!right)) }
            }
        };
        assert_eq!(waitpid(child, None).unwrap(), WaitStatus::Exited(child, 0));
        assert_eq!(generation(), own);
    }
}
