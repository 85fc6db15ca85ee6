//! GGUF files (versions 2 and 3): a zero-copy view of their metadata and tensors.
//!
//! [`Gguf::parse`] checks the whole file once: every count, offset, string, type, product of
//! dimensions and name. What it returns borrows the bytes, which may lie at any address, and its
//! lookups meet nothing malformed. No allocation, no panic; offsets are 64-bit whatever `usize`
//! is.
//!
//! A model may be split over several files, as llama.cpp's `gguf-split` writes them: each part is
//! parsed alone, and [`SplitGguf`] is the model.
//!
//! Metadata is read by meaning: where an integer is asked for, any type of integer that holds it
//! will do, and where a number is, any number. A value that does not say what is asked of it is an
//! error ([`Gguf::read_u32`] and its like), never a default.
//!
//! Work is linear in the file: nothing is searched for once per layer.
//!
//! Source: ggml's GGUF format document. The limits that are this reader's own: at most 16384
//! metadata pairs, 16384 tensors, keys of 1024 bytes, an alignment of 2 MiB; tensors must lie in
//! the order they are listed in, as ggml demands too.

mod array;
mod checkpoint;
mod cursor;
mod error;
mod found;
mod ggml_type;
mod keys;
mod metadata;
mod model;
mod neutral;
mod parse;
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

pub use array::{Array, Elements};
pub use error::{GgufError, GgufErrorKind};
pub use ggml_type::GgmlType;
pub use metadata::Metadata;
pub use split::{SplitError, SplitGguf};
#[cfg(any(feature = "std", feature = "session"))]
pub use split_name::SplitName;
pub use tensor::{TensorInfo, Tensors};
pub use value::{Value, ValueType};
#[cfg(feature = "std")]
pub use write::{GgufDataWriter, GgufWriter};

/// A checked GGUF file.
#[derive(Clone, Debug)]
pub struct Gguf<'w> {
    version: u32,
    alignment: u32,
    metadata: Metadata<'w>,
    tensors: Tensors<'w>,
    data: &'w [u8],
    found: found::Found,
}

impl<'w> Gguf<'w> {
    /// Checks `bytes`, a whole file at any alignment, and returns the view of it.
    ///
    /// # Errors
    /// [`GgufError`]: the first thing that is wrong, and where.
    pub fn parse(bytes: &'w [u8]) -> Result<Self, GgufError> {
        parse::parse(bytes)
    }

    /// The format's version: 2 or 3.
    pub const fn version(&self) -> u32 {
        self.version
    }

    /// The alignment of tensors within the file, in bytes.
    pub const fn alignment(&self) -> u32 {
        self.alignment
    }

    /// The metadata pairs, in file order.
    pub fn metadata(&self) -> Metadata<'w> {
        self.metadata.clone()
    }

    /// The value of `key`.
    pub fn get(&self, key: &str) -> Option<Value<'w>> {
        self.metadata().find(|(k, _)| *k == key).map(|(_, value)| value)
    }

    /// The value of `key`, if it is an integer that fits.
    pub fn get_u32(&self, key: &str) -> Option<u32> {
        self.get(key)?.as_u32()
    }

    /// The value of `key`, if it is a number; rounded.
    pub fn get_f32(&self, key: &str) -> Option<f32> {
        self.get(key)?.as_f32()
    }

    /// The value of `key`, if it is a bool, or an integer that is 0 or 1.
    pub fn get_bool(&self, key: &str) -> Option<bool> {
        self.get(key)?.as_bool()
    }

    /// The value of `key`, if it is a string of UTF-8.
    pub fn get_str(&self, key: &str) -> Option<&'w str> {
        self.get(key)?.as_str()
    }

    /// The value of `key`, if it is an array.
    pub fn get_array(&self, key: &str) -> Option<Array<'w>> {
        self.get(key)?.as_array()
    }

    /// The tensors, in file order.
    pub fn tensors(&self) -> Tensors<'w> {
        self.tensors.clone()
    }

    /// The tensor called `name`.
    pub fn tensor_info(&self, name: &str) -> Option<TensorInfo<'w>> {
        self.tensors().find(|info| info.name == name)
    }

    /// The bytes of a tensor of this file; `None` if its type, and so its size, is unknown.
    pub fn tensor_data(&self, info: &TensorInfo<'_>) -> Option<&'w [u8]> {
        let start = usize::try_from(info.offset).ok()?;
        let len = usize::try_from(info.byte_len()?).ok()?;
        self.data.get(start..start.checked_add(len)?)
    }

    /// Whether the activation's scalars have keys with an architecture prefix, such as
    /// `apertus.xielu.alpha_p`: they are read, but llama.cpp writes and reads bare keys.
    pub fn prefixed_alpha_keys(&self) -> bool {
        self.found.has_prefixed_alphas()
    }
}
