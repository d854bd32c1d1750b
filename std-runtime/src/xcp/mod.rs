//! XCP v0.2: how do programs talk over a stream of bytes?

pub mod compress;
pub mod decompress;
mod zstd_frame;
