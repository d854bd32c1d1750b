//! Does the ring do what a queue of bounded length does, whatever is asked of it?

mod oracle;
mod states;
