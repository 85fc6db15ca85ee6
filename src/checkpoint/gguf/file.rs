//! The view of a checked file, and what is looked up in it.

use super::found::Found;
use super::metadata::Metadata;
use super::tensor::{TensorInfo, Tensors};
use super::value::{Array, Value};

/// A checked GGUF file.
#[derive(Clone, Debug)]
pub struct Gguf<'w> {
    pub(super) version: u32,
    pub(super) alignment: u32,
    pub(super) metadata: Metadata<'w>,
    pub(super) tensors: Tensors<'w>,
    pub(super) data: &'w [u8],
    pub(super) found: Found,
}

impl<'w> Gguf<'w> {
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
