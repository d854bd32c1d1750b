//! XCP between two ends in one process, over real sockets.
#![forbid(unsafe_code)]

mod dialects;
mod endings;
mod exchange;
mod home;
mod hostile;
mod limits;
mod matrix;
mod proxy;
mod raw;
mod schema;
mod sealed;
#[cfg(target_os = "linux")]
mod soak;
mod tls;
mod traced;
mod waiting;
