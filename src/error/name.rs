//! Names in errors: of keys, element types and whatever a file calls its own.

use core::fmt;

use super::escape::escaped;
use crate::names::GgmlType;

/// A metadata key: an optional prefix (a GGUF architecture), and the name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    /// Before the dot; empty when the key has no prefix.
    pub prefix: &'static str,
    /// The key, or what follows the prefix.
    pub name: &'static str,
}

impl From<&'static str> for Key {
    fn from(name: &'static str) -> Self {
        Key { prefix: "", name }
    }
}

crate::kernels::messages!(Key {
    Key { prefix: "", name } => ("{}", name),
    Key { prefix, name } => ("{}.{}", prefix, name),
});

/// An element type as the file names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ElementType {
    /// A GGUF type number.
    Ggml(GgmlType),
    /// A name, as safetensors files have.
    Named(&'static str),
}

crate::kernels::messages!(ElementType {
    ElementType::Ggml(id) => ("{}", id),
    ElementType::Named(name) => ("{}", name),
});

/// The first 31 bytes of a name found in a file, held without allocation; printed, it is [`escaped`](super::escaped).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ShortName {
    bytes: [u8; 31],
    len: u8,
}

impl ShortName {
    /// Copies `name`, or as much of it as fits.
    pub fn new(name: &str) -> Self {
        let mut short = ShortName { bytes: [0; 31], len: 0 };
        for (to, &from) in short.bytes.iter_mut().zip(name.as_bytes()) {
            *to = from;
            short.len += 1;
        }
        short
    }

    /// The name, or its beginning, cut at a character boundary.
    pub fn as_str(&self) -> &str {
        let bytes = self.bytes.get(..usize::from(self.len)).unwrap_or_default();
        let whole = match core::str::from_utf8(bytes) {
            Ok(name) => return name,
            Err(e) => bytes.get(..e.valid_up_to()).unwrap_or_default(),
        };
        core::str::from_utf8(whole).unwrap_or_default()
    }
}

impl fmt::Debug for ShortName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&escaped(self.as_str()), f)
    }
}

crate::kernels::messages!(ShortName {
    name => ("{}", escaped(name.as_str())),
});
