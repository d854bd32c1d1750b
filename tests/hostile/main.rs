//! A peer that scribbles: every word, every class of value, at every moment. Answers are results, never a panic, a
//! hang or a byte outside the segment.
#![forbid(unsafe_code)]

mod fake;
// Elsewhere the objects of a running buffer are no files that another could write.
#[cfg(target_os = "linux")]
mod linux;
mod semaphores;
mod values;
