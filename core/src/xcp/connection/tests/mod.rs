//! Do two ends understand each other, on any transport and for as long as it lasts?

mod end;
mod golden;
mod handshake;
mod pair;
mod raw;

use end::{Delivered, End};
use pair::{Pair, TO_CLIENT, TO_SERVER};
use raw::{Frame, frame, frames};
