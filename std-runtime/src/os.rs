//! Picks the platform crate: the only place of this crate that names an operating system.

#[cfg(target_os = "linux")]
pub(crate) use strait_platform_linux::{Error as OsError, Linux as Os};
#[cfg(target_os = "windows")]
pub(crate) use strait_platform_windows::{Error as OsError, Windows as Os};

#[cfg(not(any(target_os = "linux", target_os = "windows")))]
compile_error!("strait runs on Linux and Windows");
