//! The system calls, each as a safe function: handles that close themselves, and `GetLastError` as an error.
#![expect(unsafe_code, reason = "calls the system")]

use core::ffi::c_void;
use core::mem::size_of;
use core::ptr::{NonNull, null_mut};
use core::sync::atomic::AtomicU64;
use std::io;
use std::os::windows::io::{AsRawHandle, FromRawHandle as _, OwnedHandle};

use windows_sys::Win32::Foundation::{
    ERROR_ALREADY_EXISTS, FILETIME, GetLastError, HANDLE, INVALID_HANDLE_VALUE, LocalFree, SetLastError,
    WAIT_OBJECT_0, WAIT_TIMEOUT,
};
use windows_sys::Win32::Security::Authorization::{
    ConvertStringSecurityDescriptorToSecurityDescriptorW, SDDL_REVISION_1,
};
use windows_sys::Win32::Security::SECURITY_ATTRIBUTES;
use windows_sys::Win32::System::Memory::{
    CreateFileMappingW, FILE_MAP_READ, FILE_MAP_WRITE, MEM_COMMIT, MEM_MAPPED, MEMORY_BASIC_INFORMATION,
    MEMORY_MAPPED_VIEW_ADDRESS, MapViewOfFile, OpenFileMappingW, PAGE_READONLY, PAGE_READWRITE,
    UnmapViewOfFile, VirtualQuery,
};
use windows_sys::Win32::System::Performance::{QueryPerformanceCounter, QueryPerformanceFrequency};
use windows_sys::Win32::System::Threading::{
    ALL_PROCESSOR_GROUPS, CreateEventW, CreateSemaphoreW, GetActiveProcessorCount, GetCurrentProcess,
    GetProcessId, GetProcessTimes, OpenEventW, OpenProcess, OpenSemaphoreW,
    PROCESS_QUERY_LIMITED_INFORMATION, PROCESS_SYNCHRONIZE, ReleaseSemaphore, SEMAPHORE_MODIFY_STATE,
    SYNCHRONIZATION_SYNCHRONIZE, WaitForSingleObject,
};

/// How a segment is mapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    ReadWrite,
    ReadOnly,
}

/// A new object's handle, or one to an object that was there.
pub(crate) enum Made {
    New(OwnedHandle),
    Existing(OwnedHandle),
}

fn wide(text: &str) -> Vec<u16> {
    text.encode_utf16().chain([0]).collect()
}

/// A handle of a call that gives null when it fails.
fn owned(handle: HANDLE) -> io::Result<OwnedHandle> {
    if handle.is_null() {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: just opened by the caller's call, not null, and owned by nobody else.
    Ok(unsafe { OwnedHandle::from_raw_handle(handle) })
}

/// What a creating call gave; it says by `GetLastError` whether the object was there.
fn made(create: impl FnOnce() -> HANDLE) -> io::Result<Made> {
    // SAFETY: sets a thread-local number. A call that succeeds with a new object need not do so itself.
    unsafe { SetLastError(0) };
    let handle = create();
    // SAFETY: reads a thread-local number, before anything else can change it.
    let code = unsafe { GetLastError() };
    let handle = owned(handle)?;
    Ok(if code == ERROR_ALREADY_EXISTS { Made::Existing(handle) } else { Made::New(handle) })
}

/// Who may open an object.
struct Security {
    descriptor: *mut c_void,
}

impl Security {
    /// From the security descriptor definition language; `None` is the user's default.
    fn new(sddl: Option<&str>) -> io::Result<Self> {
        let mut descriptor = null_mut();
        if let Some(sddl) = sddl {
            let sddl = wide(sddl);
            // SAFETY: the text ends with 0 and outlives the call, which stores one pointer; the size is not asked for.
            let done = unsafe {
                ConvertStringSecurityDescriptorToSecurityDescriptorW(
                    sddl.as_ptr(),
                    SDDL_REVISION_1,
                    &raw mut descriptor,
                    null_mut(),
                )
            };
            if done == 0 {
                return Err(io::Error::last_os_error());
            }
        }
        Ok(Self { descriptor })
    }

    #[expect(clippy::cast_possible_truncation, reason = "24 bytes")]
    fn attributes(&self) -> SECURITY_ATTRIBUTES {
        SECURITY_ATTRIBUTES {
            nLength: size_of::<SECURITY_ATTRIBUTES>() as u32,
            lpSecurityDescriptor: self.descriptor,
            bInheritHandle: 0,
        }
    }
}

impl Drop for Security {
    fn drop(&mut self) {
        // SAFETY: null, which does nothing, or what the conversion allocated, freed once.
        unsafe { LocalFree(self.descriptor) };
    }
}

/// Creates a mapping of `len` bytes backed by the page file, all of it reserved there, or opens the one of that name.
pub(crate) fn create_mapping(name: &str, len: usize, access: Option<&str>) -> io::Result<Made> {
    let security = Security::new(access)?;
    let (name, attributes) = (wide(name), security.attributes());
    let len = len as u64;
    #[expect(clippy::cast_possible_truncation, reason = "the two halves")]
    let (high, low) = ((len >> 32) as u32, len as u32);
    // SAFETY: the name ends with 0; name and attributes outlive the call.
    made(|| unsafe {
        CreateFileMappingW(
            INVALID_HANDLE_VALUE,
            &raw const attributes,
            PAGE_READWRITE,
            high,
            low,
            name.as_ptr(),
        )
    })
}

fn map_access(mode: Mode) -> u32 {
    match mode {
        Mode::ReadWrite => FILE_MAP_READ | FILE_MAP_WRITE,
        Mode::ReadOnly => FILE_MAP_READ,
    }
}

/// Opens the mapping of that name.
pub(crate) fn open_mapping(name: &str, mode: Mode) -> io::Result<OwnedHandle> {
    let name = wide(name);
    // SAFETY: the name ends with 0 and outlives the call.
    owned(unsafe { OpenFileMappingW(map_access(mode), 0, name.as_ptr()) })
}

/// Mapped memory; dropping it unmaps it. Needs no handle to stay.
#[derive(Debug)]
pub(crate) struct View {
    base: NonNull<u8>,
    len: usize,
}

// SAFETY: an address range of this process, the same from every thread; what is done with its bytes is the business of
// whoever touches them.
unsafe impl Send for View {}
// SAFETY: as above.
unsafe impl Sync for View {}

impl View {
    /// Maps all of `mapping`.
    pub(crate) fn new(mapping: &OwnedHandle, mode: Mode) -> io::Result<Self> {
        // SAFETY: an open handle; length 0 maps the whole of it, at an address that the system picks.
        let address = unsafe { MapViewOfFile(mapping.as_raw_handle(), map_access(mode), 0, 0, 0) };
        let Some(base) = NonNull::new(address.Value.cast::<u8>()) else {
            return Err(io::Error::last_os_error());
        };
        // Unmaps it again if what follows fails.
        let mut view = Self { base, len: 0 };
        let mut found = MEMORY_BASIC_INFORMATION::default();
        let size = size_of::<MEMORY_BASIC_INFORMATION>();
        // SAFETY: asks about an address, and writes at most `size` bytes into `found`, which has as many.
        let written = unsafe { VirtualQuery(address.Value, &raw mut found, size) };
        if written < size {
            return Err(io::Error::last_os_error());
        }
        let protection = if mode == Mode::ReadWrite { PAGE_READWRITE } else { PAGE_READONLY };
        // A mapping of a program file, or one whose pages are only set aside, may not be touched as a whole.
        if found.State != MEM_COMMIT || found.Type != MEM_MAPPED || found.Protect != protection {
            return Err(io::Error::other(format!(
                "state {:#x}, type {:#x}, protection {:#x} are not those of committed shared memory",
                found.State, found.Type, found.Protect
            )));
        }
        // Whole pages, all alike, from the view's start. They stay: pages of a mapping cannot be given back while it is
        // mapped, and no other process can change their protection here.
        view.len = found.RegionSize;
        Ok(view)
    }

    #[inline]
    pub(crate) fn base(&self) -> NonNull<u8> {
        self.base
    }

    /// Bytes: whole pages.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The 64-bit word with that index. For mappings of which every word is accessed atomically by everybody.
    pub(crate) fn word(&self, index: usize) -> &AtomicU64 {
        assert!(index < self.len / 8, "word {index} lies outside {} bytes", self.len);
        // SAFETY: inside the view, as asserted.
        let word = unsafe { self.base.cast::<u64>().add(index) };
        // SAFETY: aligned, because the base is page-aligned; valid while `self` is; touched only atomically, by contract.
        unsafe { AtomicU64::from_ptr(word.as_ptr()) }
    }
}

impl Drop for View {
    fn drop(&mut self) {
        let address = MEMORY_MAPPED_VIEW_ADDRESS { Value: self.base.as_ptr().cast() };
        // SAFETY: mapped in `new`, unmapped once, and nobody borrows from it any more.
        unsafe { UnmapViewOfFile(address) };
    }
}

/// Creates a semaphore without permits, or opens the one of that name.
pub(crate) fn create_semaphore(name: &str, access: Option<&str>) -> io::Result<Made> {
    let security = Security::new(access)?;
    let (name, attributes) = (wide(name), security.attributes());
    // SAFETY: the name ends with 0; name and attributes outlive the call.
    made(|| unsafe { CreateSemaphoreW(&raw const attributes, 0, i32::MAX, name.as_ptr()) })
}

/// Opens the semaphore of that name.
pub(crate) fn open_semaphore(name: &str) -> io::Result<OwnedHandle> {
    let name = wide(name);
    let access = SEMAPHORE_MODIFY_STATE | SYNCHRONIZATION_SYNCHRONIZE;
    // SAFETY: the name ends with 0 and outlives the call.
    owned(unsafe { OpenSemaphoreW(access, 0, name.as_ptr()) })
}

/// Adds a permit; returns how many there were before.
pub(crate) fn release(semaphore: &OwnedHandle) -> io::Result<u32> {
    let mut before = 0;
    // SAFETY: an open handle; the count before is written to a local.
    if unsafe { ReleaseSemaphore(semaphore.as_raw_handle(), 1, &raw mut before) } == 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(u32::try_from(before).unwrap_or(0))
}

/// Waits until `object` is signalled, at most `milliseconds`; `false` if it was not. Takes a semaphore's permit.
pub(crate) fn wait(object: &OwnedHandle, milliseconds: u32) -> io::Result<bool> {
    // SAFETY: an open handle.
    match unsafe { WaitForSingleObject(object.as_raw_handle(), milliseconds) } {
        WAIT_OBJECT_0 => Ok(true),
        WAIT_TIMEOUT => Ok(false),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Creates an event, or opens the one of that name.
pub(crate) fn create_event(name: &str, access: Option<&str>) -> io::Result<Made> {
    let security = Security::new(access)?;
    let (name, attributes) = (wide(name), security.attributes());
    // SAFETY: the name ends with 0; name and attributes outlive the call.
    made(|| unsafe { CreateEventW(&raw const attributes, 1, 0, name.as_ptr()) })
}

/// Whether there is an event of that name.
pub(crate) fn has_event(name: &str) -> bool {
    let name = wide(name);
    // SAFETY: the name ends with 0 and outlives the call.
    owned(unsafe { OpenEventW(SYNCHRONIZATION_SYNCHRONIZE, 0, name.as_ptr()) }).is_ok()
}

/// A process handle: an owned one, or the pseudo handle of this process.
pub(crate) trait Process: AsRawHandle {}
impl Process for OwnedHandle {}

/// This process's pseudo handle, which nobody closes.
pub(crate) struct This(HANDLE);
impl AsRawHandle for This {
    fn as_raw_handle(&self) -> HANDLE {
        self.0
    }
}
impl Process for This {}

/// This process.
pub(crate) fn this_process() -> This {
    // SAFETY: gives a constant.
    This(unsafe { GetCurrentProcess() })
}

/// Opens a process to see whether it runs and when it was created.
pub(crate) fn open_process(pid: u32) -> io::Result<OwnedHandle> {
    let access = PROCESS_SYNCHRONIZE | PROCESS_QUERY_LIMITED_INFORMATION;
    // SAFETY: takes numbers only.
    owned(unsafe { OpenProcess(access, 0, pid) })
}

/// The number of an open process.
pub(crate) fn process_id(process: &OwnedHandle) -> u32 {
    // SAFETY: an open handle.
    unsafe { GetProcessId(process.as_raw_handle()) }
}

/// Whether an open process has ended. A handle that cannot be asked says nothing.
pub(crate) fn has_exited(process: &OwnedHandle) -> bool {
    wait(process, 0).unwrap_or(false)
}

/// Times of a process, in units of 100 ns.
pub(crate) struct Times {
    /// When it was created, since 1601.
    pub(crate) created: u64,
    /// Processor time it has used, kernel's and its own.
    pub(crate) used: u64,
}

/// When a process was created and how much processor time it has used.
pub(crate) fn times(process: &impl Process) -> Option<Times> {
    let zero = FILETIME { dwLowDateTime: 0, dwHighDateTime: 0 };
    let (mut created, mut exited, mut kernel, mut user) = (zero, zero, zero, zero);
    // SAFETY: an open handle, or the constant for this process; the times are written to locals.
    let done = unsafe {
        GetProcessTimes(
            process.as_raw_handle(),
            &raw mut created,
            &raw mut exited,
            &raw mut kernel,
            &raw mut user,
        )
    };
    let count = |time: FILETIME| (u64::from(time.dwHighDateTime) << 32) | u64::from(time.dwLowDateTime);
    (done != 0).then(|| Times { created: count(created), used: count(kernel).saturating_add(count(user)) })
}

/// Processors that are running.
pub(crate) fn processors() -> u32 {
    // SAFETY: takes a number.
    unsafe { GetActiveProcessorCount(ALL_PROCESSOR_GROUPS) }
}

/// The performance counter. It cannot fail on any system that Rust runs on.
#[inline]
pub(crate) fn counter() -> u64 {
    let mut count = 0;
    // SAFETY: writes a number to a local.
    unsafe { QueryPerformanceCounter(&raw mut count) };
    count.cast_unsigned()
}

/// Counts of the performance counter in a second.
pub(crate) fn counter_frequency() -> u64 {
    let mut frequency = 0;
    // SAFETY: writes a number to a local.
    unsafe { QueryPerformanceFrequency(&raw mut frequency) };
    frequency.cast_unsigned()
}

/// The processor's time stamp counter where it has one.
#[inline]
pub(crate) fn stamp() -> u64 {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: RDTSC reads a counter and touches nothing else.
    let stamp = unsafe { std::arch::x86_64::_rdtsc() };
    #[cfg(not(target_arch = "x86_64"))]
    let stamp = crate::process::now().as_nanos();
    stamp
}
