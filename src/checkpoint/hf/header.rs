//! The header of a safetensors file: which tensors it has, and where.
//!
//! It is read here, not by the safetensors crate, so that a name that occurs twice and a type
//! that the crate does not know are errors which say so, and so that no header costs more memory
//! than a few times its own size. The crate then checks sizes and offsets.

use std::borrow::{Cow, ToOwned};
use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;
use std::string::String;
use std::vec::Vec;

use safetensors::tensor::{Metadata, TensorInfo};
use safetensors::{Dtype, SafeTensorError};
use serde::Deserialize;
use serde::de::value::StrDeserializer;
use serde::de::{Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::HfError;

/// The format's own limit.
const MAX_BYTES: usize = 100_000_000;
/// No tensor of a model has more dimensions.
const MAX_DIMS: usize = 8;

/// The tensors of a file by name.
pub(super) struct Header {
    /// Where the data begins.
    pub(super) data: usize,
    pub(super) tensors: Vec<(String, TensorInfo)>,
}

/// Reads and checks the header of a whole file.
pub(super) fn read(path: &Path, file: &[u8]) -> Result<Header, HfError> {
    let damaged = |source| HfError::Safetensors { path: path.to_owned(), source };
    let text = text(file).map_err(damaged)?;
    let parsed: Parsed = serde_json::from_slice(text)
        .map_err(|e| damaged(SafeTensorError::InvalidHeaderDeserialization(e)))?;
    if let Some(name) = parsed.twice {
        return Err(HfError::NamedTwice { name, path: path.to_owned() });
    }
    if let Some((name, dtype)) = parsed.unknown {
        return Err(HfError::UnknownType { name, dtype, path: path.to_owned() });
    }
    let mut tensors = parsed.tensors;
    tensors.sort_by_key(|(_, info)| info.data_offsets);
    let metadata = Metadata::new(None, tensors.clone()).map_err(damaged)?;
    let data = size_of::<u64>() + text.len();
    if data.checked_add(metadata.data_len()) != Some(file.len()) {
        let described = (data as u64).saturating_add(metadata.data_len() as u64);
        let found = file.len() as u64;
        return Err(HfError::WrongLength { path: path.to_owned(), described, found });
    }
    Ok(Header { data, tensors })
}

/// The JSON after its length.
fn text(file: &[u8]) -> Result<&[u8], SafeTensorError> {
    let (length, rest) = file.split_first_chunk::<8>().ok_or(SafeTensorError::HeaderTooSmall)?;
    let length = usize::try_from(u64::from_le_bytes(*length)).unwrap_or(usize::MAX);
    if length > MAX_BYTES {
        return Err(SafeTensorError::HeaderTooLarge);
    }
    rest.get(..length).ok_or(SafeTensorError::InvalidHeaderLength)
}

/// The header as it is in the file.
#[derive(Default)]
struct Parsed {
    tensors: Vec<(String, TensorInfo)>,
    /// The first name that occurs twice.
    twice: Option<String>,
    /// The first tensor of a type that the crate does not know, and the type.
    unknown: Option<(String, String)>,
}

impl<'de> Deserialize<'de> for Parsed {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ParsedVisitor)
    }
}

struct ParsedVisitor;

impl<'de> Visitor<'de> for ParsedVisitor {
    type Value = Parsed;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the table of tensors")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Parsed, A::Error> {
        let mut parsed = Parsed::default();
        let mut names = BTreeSet::new();
        while let Some(Name(name)) = map.next_key()? {
            if !names.insert(name.clone()) && parsed.twice.is_none() {
                parsed.twice = Some(name.clone().into_owned());
            }
            if name == "__metadata__" {
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            let Info { dtype: Name(dtype), shape: Shape(shape), data_offsets } =
                map.next_value()?;
            let known = Dtype::deserialize(StrDeserializer::<serde::de::value::Error>::new(&dtype));
            match known {
                Ok(dtype) => {
                    let info = TensorInfo { dtype, shape, data_offsets };
                    parsed.tensors.push((name.into_owned(), info));
                }
                Err(_) if parsed.unknown.is_none() => {
                    parsed.unknown = Some((name.into_owned(), dtype.into_owned()));
                }
                Err(_) => {}
            }
        }
        Ok(parsed)
    }
}

/// A string, borrowed where it has no escapes.
#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

#[derive(Deserialize)]
struct Info<'a> {
    #[serde(borrow)]
    dtype: Name<'a>,
    shape: Shape,
    data_offsets: (usize, usize),
}

/// A few dimensions.
struct Shape(Vec<usize>);

impl<'de> Deserialize<'de> for Shape {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(ShapeVisitor)
    }
}

struct ShapeVisitor;

impl<'de> Visitor<'de> for ShapeVisitor {
    type Value = Shape;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the dimensions of a tensor")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Shape, A::Error> {
        let mut dims = Vec::new();
        while let Some(dim) = seq.next_element()? {
            if dims.len() == MAX_DIMS {
                return Err(A::Error::invalid_length(MAX_DIMS + 1, &self));
            }
            dims.push(dim);
        }
        Ok(Shape(dims))
    }
}
