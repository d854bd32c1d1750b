//! Clients that block.
