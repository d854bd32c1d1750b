//! What is refused, and that everything else goes on.
