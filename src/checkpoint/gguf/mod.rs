//! GGUF files (versions 2 and 3): a zero-copy view of their metadata and tensors.
//!
//! [`Gguf::parse`] checks the whole file once: every count, offset, string, type, product of
//! dimensions and name. What it returns borrows the bytes, which may be at any address, and its
//! lookups find nothing malformed. No allocation, no panic; offsets are 64-bit whatever `usize`
//! is.
//!
//! A model may be split over several files, as llama.cpp's `gguf-split` writes them: each part is
//! parsed alone, and [`SplitGguf`] is the model.
//!
//! Metadata is read by meaning: where a key must have an integer, any type of integer that holds it
//! will do, and where it must have a number, any number. A value that has no such meaning is an
//! error ([`Gguf::read_u32`] and its like), never a default.
//!
//! Work is linear in the file: nothing is searched for once per layer.
//!
//! Source: ggml's GGUF format document. The limits that are this reader's own: at most 16384
//! metadata pairs, 16384 tensors, keys of 1024 bytes, an alignment of 2 MiB; the data of tensors must be
//! in the order they are listed in, as for ggml.

mod checkpoint;
mod cursor;
mod elements;
mod file;
mod found;
#[cfg(feature = "streamed")]
mod head;
mod keys;
mod metadata;
mod model;
mod neutral;
mod parse;
mod read;
#[cfg(feature = "heapless")]
pub(crate) mod sizes;
mod split;
#[cfg(any(feature = "std", feature = "session"))]
mod split_name;
mod tensor;
mod typed;
mod unique;
mod value;
#[cfg(all(test, feature = "std"))]
mod work;
#[cfg(feature = "std")]
mod write;

pub use elements::Elements;
pub use file::Gguf;
#[cfg(feature = "streamed")]
pub use head::GgufHead;
pub use metadata::Metadata;
pub use split::SplitGguf;
#[cfg(any(feature = "std", feature = "session"))]
pub use split_name::SplitName;
pub use tensor::{TensorInfo, Tensors};
pub use value::{Array, Value};
#[cfg(feature = "std")]
pub use write::{GgufDataWriter, GgufWriter};

pub use crate::error::{GgufError, GgufErrorKind, SplitError};
pub use crate::names::{GgmlType, ValueType};
