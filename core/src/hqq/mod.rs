//! HQQ: packets through two lock-free rings, each with a buffer per slot.
//!
//! Source: the HQQ protocol document (seed profile) and gosuda/HQQ at fb15cd8 (superblock profile).

mod features;
mod numbers;
pub mod packet;

pub use features::{Capabilities, Features};
pub use numbers::{ChunkFlags, ErrorCode, OpCode, Profile, Version};
