//! XCP v0.2 for programs: ethers and their schemas. Bodies are read and written by [`codec`](crate::codec).

pub mod ether;
pub mod schema;

pub use ether::{Attachment, Ether, EtherError};
pub use schema::{Schema, SchemaError, SchemaRegistry};
