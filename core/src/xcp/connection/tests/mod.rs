//! Do two ends understand each other, on any transport and for as long as it lasts?
#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::std_instead_of_core,
    reason = "a test that cannot go on fails, and its numbers are small"
)]

mod bounds;
mod end;
mod golden;
mod handshake;
mod loss;
mod order;
mod pair;
mod python;
mod raw;
mod refusals;
mod retry;
mod scripts;
mod sealing;
mod timing;

use end::{Delivered, End, Verdict};
use pair::{Pair, TO_CLIENT, TO_SERVER, config};
use raw::{Frame, frame, frames};
