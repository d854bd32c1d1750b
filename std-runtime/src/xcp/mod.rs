//! XCP v0.2: how do programs talk over a stream of bytes?

pub mod compress;
pub mod decompress;
pub mod keys;
mod order;
pub mod psk;
pub mod seal;
#[cfg(test)]
mod speed;
#[cfg(feature = "xcp-tls")]
pub mod tls;
mod zstd_frame;
