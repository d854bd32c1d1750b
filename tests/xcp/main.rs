//! XCP between two ends in one process, over real sockets.
#![forbid(unsafe_code)]

mod exchange;
mod home;
mod hostile;
mod limits;
mod raw;
