//! Two ends of a connection against each other, on virtual time.
