//! C functions over the library: what `include/xielu.h` declares (feature `capi`).
//!
//! The header is made from this module, and a test holds it to it. `docs/C.md` shows how a C
//! program gets it and links it. Names and layouts are C's.
//!
//! # Safety
//!
//! One contract for every function, so it is not repeated at each:
//!
//! - A pointer that is not NULL points to memory of the size its function states, which stays
//!   readable (and writable, where it is not `const`) during the call.
//! - Memory that an object was given when it was made (the file's bytes, a model's layers, a
//!   decoder's cache and scratch, the model of a decoder) is neither moved, freed nor written by
//!   others while the object is used.
//! - An object is used by one thread at a time.
//!
//! What can be checked is: NULL, alignment, sizes, overlap with anything the call reads or
//! writes, and objects that were never made or were moved.
#![allow(unsafe_code, reason = "pointers from C")]
#![allow(non_camel_case_types, reason = "the names are C's")]
#![allow(clippy::missing_safety_doc, reason = "the module states the one contract")]

mod activation;
mod backend;
mod config;
mod decoder;
mod gguf;
mod gradients;
mod mlp;
mod model;
mod object;
mod pointer;
mod sampler;
mod status;
mod text;
mod tokenizer;
mod version;

pub use activation::*;
pub use config::*;
pub use decoder::*;
pub use gguf::*;
pub use gradients::*;
pub use mlp::*;
pub use model::*;
pub use sampler::*;
pub use status::*;
pub use text::*;
pub use tokenizer::*;
pub use version::*;
