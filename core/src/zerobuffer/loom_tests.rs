//! Every interleaving of a writer and a reader.
