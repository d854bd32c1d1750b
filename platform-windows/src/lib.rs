//! Strait on Windows: reserved. Nothing is here yet; the traits to implement are `strait_core::platform`'s.
