//! Layouts, rings and state machines of Strait.
//!
//! `no_std`, no allocation, no operating system: this crate knows the bytes and the rules, a platform crate
//! supplies shared memory, semaphores and clocks, and the `strait` crate is the API that most programs use.
//!
//! ```text
//!  strait (std)            builders, RAII frames, errors with names, async
//!    │
//!  strait-core             zerobuffer   reader, writer ─ ring ─ cursor ─ layout  rules of the protocol
//!    │                     hqq, mpmc    links: rings of slots, recovery, sessions
//!    │                     xcp          frames, headers, connections: messages over sockets
//!    │                     semaphore    glibc's sem_t over a futex            waiting
//!    │                     shm          view, bytes                           the door from untrusted bytes to types
//!    │                     platform     Segment, Signal, Liveness, Clock      what a port must supply
//!  strait-platform-*       mmap, futex, flock, pidfd
//! ```
//!
//! # Guarantees
//!
//! - Nothing a peer writes into shared memory makes this crate panic, loop without bound or touch memory outside
//!   the segment: every word is loaded once, checked, and carried into the error.
//! - No allocation. `cargo xtask no-std` builds the crate for Cortex-M0 and Cortex-M4 and looks for allocator symbols.
//! - Every access to shared control words is atomic; every ordering is exercised under loom (`cargo xtask loom`).
//!
//! # 64-bit atomics
//!
//! The layouts are made of 64-bit words. Targets without 64-bit atomics need the feature `portable-atomic` and an
//! implementation of the crate `critical-section`. Each access to such a word is then a critical section *of this
//! program*, so there a ring or link connects an interrupt handler with the main loop, or two threads, but never two
//! processes. [`embedding`] shows how.
#![no_std]
#![warn(clippy::std_instead_of_core, clippy::alloc_instead_of_core)]
#![cfg_attr(shuttle, allow(dead_code, reason = "loom's models are left out, shuttle's use less"))]

#[cfg(any(test, feature = "test-util"))]
extern crate std;

mod backoff;
pub mod crc32c;
#[doc = include_str!("../EMBEDDING.md")]
pub mod embedding {}
pub mod hqq;
pub mod kind;
mod layout;
pub mod maker;
pub mod mpmc;
pub mod name;
pub mod platform;
pub mod semaphore;
pub mod shm;
pub mod sync;
#[cfg(all(any(test, feature = "test-util"), not(all(test, loom))))]
pub mod testing;
pub mod time;
pub mod wire;
pub mod xcp;
pub mod zerobuffer;
