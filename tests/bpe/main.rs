//! Byte-level BPE without an allocator.

mod keys;
mod refusals;
mod same_ids;
mod vocabulary;
