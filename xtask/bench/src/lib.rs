//! What do the benchmarks share, whatever they measure?

pub mod args;
pub mod child;
pub mod lines;
pub mod load;
pub mod machine;
pub mod messages;
pub mod report;
pub mod schedule;
pub mod shared;

use core::error::Error;

/// What anything in a benchmark returns.
pub type Outcome<T> = Result<T, Box<dyn Error>>;
