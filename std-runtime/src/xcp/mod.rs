//! XCP v0.2: how do programs talk over a stream of bytes?

pub mod compress;
pub mod decompress;
pub mod keys;
mod order;
pub mod psk;
pub mod seal;
mod zstd_frame;
//! XCP v0.2 for programs: ethers and their schemas. Bodies are read and written by [`codec`](crate::codec).

pub mod ether;

pub use ether::{Attachment, Ether, EtherError};
