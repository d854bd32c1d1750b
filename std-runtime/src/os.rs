//! Picks the platform crate: the only place of this crate that names an operating system.

#[cfg(target_os = "linux")]
pub(crate) use strait_platform_linux::{Error as OsError, Linux as Os};

#[cfg(not(target_os = "linux"))]
compile_error!("strait runs on Linux; other systems follow");
