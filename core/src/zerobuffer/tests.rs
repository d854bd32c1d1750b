//! Reader and writer against each other, against an oracle, and against a system that fails at every call.
