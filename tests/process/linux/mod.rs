//! What can be done to a buffer whose objects are files: who may open them, and what others make of them.

mod access;
mod forked;
mod full_memory;
mod leftovers;
mod swept;
mod temporary;
mod truncated;
mod writer_pid;
