//! Byte-level BPE without an allocator.

mod same_ids;
mod vocabulary;
