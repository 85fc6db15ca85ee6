//! Writing GGUF files, tensor by tensor.

use std::borrow::ToOwned;
use std::collections::BTreeSet;
use std::format;
use std::io::{self, Write};
use std::string::{String, ToString};
use std::vec::Vec;

use super::cursor::Cursor;
use super::metadata::read_pair;
use super::parse::{DEFAULT_ALIGNMENT, check_alignment};
use super::read::LongArrays;
use super::tensor::TensorInfo;
use super::value::Value;
use super::{GgmlType, GgufErrorKind};
use crate::error::{MAX_PAIRS, MAX_TENSORS};
use crate::names::ValueType;

/// ggml's `GGML_QNT_VERSION`: how the quantized blocks are laid out.
const QUANTIZATION_VERSION: u32 = 2;

/// The metadata and the tensor descriptions of a file to be written: version 3, tensors back to
/// back, as llama.cpp reads and writes.
///
/// All of it is checked by the rules of the reader. [`GgufWriter::begin`] writes it, and the
/// tensors' data follows in the order of their descriptions, so that no more than one tensor, or
/// a part of one, need be in memory.
#[derive(Clone, Debug)]
pub struct GgufWriter {
    keys: BTreeSet<String>,
    pairs: Vec<u8>,
    names: BTreeSet<String>,
    tensors: Vec<Planned>,
    alignment: u32,
}

/// A tensor not yet written.
#[derive(Clone, Debug)]
struct Planned {
    /// The description, up to its offset.
    description: Vec<u8>,
    bytes: u64,
    quantized: bool,
}

impl Default for GgufWriter {
    fn default() -> Self {
        Self::new()
    }
}

impl GgufWriter {
    /// An empty file.
    pub const fn new() -> Self {
        GgufWriter {
            keys: BTreeSet::new(),
            pairs: Vec::new(),
            names: BTreeSet::new(),
            tensors: Vec::new(),
            alignment: DEFAULT_ALIGNMENT,
        }
    }

    /// Adds a metadata pair. An array must come from another file; new ones have their own
    /// methods. `general.alignment` sets the alignment of the file.
    ///
    /// # Errors
    /// `InvalidInput` if the key is too long or was added before.
    pub fn pair(&mut self, key: &str, value: Value<'_>) -> io::Result<()> {
        let mut bytes = encode_string(key);
        encode_value(&mut bytes, value);
        self.add_pair(key, &bytes)
    }

    /// Adds an array of strings.
    ///
    /// # Errors
    /// As [`GgufWriter::pair`].
    pub fn strings<S: AsRef<str>>(
        &mut self,
        key: &str,
        values: impl IntoIterator<Item = S>,
    ) -> io::Result<()> {
        let encode = |value: S| encode_string(value.as_ref().as_bytes());
        self.array(key, ValueType::Str, values.into_iter().map(encode))
    }

    /// Adds an array of f32.
    ///
    /// # Errors
    /// As [`GgufWriter::pair`].
    pub fn f32s(&mut self, key: &str, values: &[f32]) -> io::Result<()> {
        self.array(key, ValueType::F32, values.iter().map(|v| v.to_le_bytes()))
    }

    /// Adds an array of u32.
    ///
    /// # Errors
    /// As [`GgufWriter::pair`].
    pub fn u32s(&mut self, key: &str, values: &[u32]) -> io::Result<()> {
        self.array(key, ValueType::U32, values.iter().map(|v| v.to_le_bytes()))
    }

    /// Adds an array of i32.
    ///
    /// # Errors
    /// As [`GgufWriter::pair`].
    pub fn i32s(&mut self, key: &str, values: &[i32]) -> io::Result<()> {
        self.array(key, ValueType::I32, values.iter().map(|v| v.to_le_bytes()))
    }

    fn array<B: AsRef<[u8]>>(
        &mut self,
        key: &str,
        element_type: ValueType,
        elements: impl Iterator<Item = B>,
    ) -> io::Result<()> {
        let mut count = 0u64;
        let mut encoded = Vec::new();
        for element in elements {
            count += 1;
            encoded.extend_from_slice(element.as_ref());
        }
        let mut bytes = encode_string(key);
        encode_array(&mut bytes, element_type, count, &encoded);
        self.add_pair(key, &bytes)
    }

    fn add_pair(&mut self, key: &str, bytes: &[u8]) -> io::Result<()> {
        let refuse = |kind| invalid(format!("metadata key {key:?}: {kind}"));
        let (_, _, value) = read_pair(&mut Cursor::new(bytes, 0), &LongArrays::default())
            .map_err(|e| refuse(e.kind))?;
        if self.keys.len() as u64 == MAX_PAIRS {
            return Err(refuse(GgufErrorKind::TooManyPairs(MAX_PAIRS + 1)));
        }
        let alignment = match key {
            // What llama.cpp reads, unlike this library, is nothing but a u32.
            "general.alignment" if value.value_type() != ValueType::U32 => {
                return Err(refuse(GgufErrorKind::AlignmentType));
            }
            "general.alignment" => check_alignment(value).map_err(refuse)?,
            _ => self.alignment,
        };
        if !self.keys.insert(key.to_owned()) {
            return Err(refuse(GgufErrorKind::DuplicateKey));
        }
        self.alignment = alignment;
        self.pairs.extend_from_slice(bytes);
        Ok(())
    }

    /// Adds a tensor's description. `dims[0]` is the contiguous dimension: the row.
    ///
    /// # Errors
    /// `InvalidInput` if the reader would refuse such a tensor or its size is unknown.
    pub fn tensor(&mut self, name: &str, dims: &[u64], ggml_type: GgmlType) -> io::Result<()> {
        let refuse = |problem: String| invalid(format!("tensor {name:?}: {problem}"));
        let refuse_kind = |kind: GgufErrorKind| refuse(kind.to_string());
        let mut bytes = encode_string(name);
        bytes.extend_from_slice(&(dims.len() as u32).to_le_bytes());
        dims.iter().for_each(|dim| bytes.extend_from_slice(&dim.to_le_bytes()));
        bytes.extend_from_slice(&ggml_type.0.to_le_bytes());
        let described = bytes.len();
        bytes.extend_from_slice(&[0; 8]);
        let info =
            TensorInfo::read(&mut Cursor::new(&bytes, 0)).map_err(|e| refuse_kind(e.kind))?;
        let size = info.byte_len().ok_or_else(|| refuse(format!("type {ggml_type} is unknown")))?;
        if self.tensors.len() as u64 == MAX_TENSORS {
            return Err(refuse_kind(GgufErrorKind::TooManyTensors(MAX_TENSORS + 1)));
        }
        if !self.names.insert(name.to_owned()) {
            return Err(refuse_kind(GgufErrorKind::DuplicateTensor));
        }
        bytes.truncate(described);
        let quantized = ggml_type.block_len().is_some_and(|len| len > 1);
        self.tensors.push(Planned { description: bytes, bytes: size, quantized });
        Ok(())
    }

    /// Writes the header; the tensors' data comes next.
    ///
    /// `general.quantization_version` is added if a tensor is quantized and it is missing.
    ///
    /// # Errors
    /// Those of `out`, and `InvalidInput` if the tensors are too large for 64-bit offsets.
    pub fn begin<W: Write>(mut self, mut out: W) -> io::Result<GgufDataWriter<W>> {
        let version_key = "general.quantization_version";
        if self.tensors.iter().any(|t| t.quantized) && !self.keys.contains(version_key) {
            self.pair(version_key, Value::U32(QUANTIZATION_VERSION))?;
        }
        let mut header = b"GGUF".to_vec();
        header.extend_from_slice(&3u32.to_le_bytes());
        header.extend_from_slice(&(self.tensors.len() as u64).to_le_bytes());
        header.extend_from_slice(&(self.keys.len() as u64).to_le_bytes());
        header.append(&mut self.pairs);
        let mut offset = 0u64;
        for tensor in &self.tensors {
            header.extend_from_slice(&tensor.description);
            header.extend_from_slice(&offset.to_le_bytes());
            let end = offset.checked_add(tensor.bytes);
            let next = end.and_then(|end| end.checked_next_multiple_of(self.alignment.into()));
            offset = next.ok_or_else(|| invalid("the tensors' sizes overflow".to_owned()))?;
        }
        header.resize(header.len().next_multiple_of(self.alignment as usize), 0);
        out.write_all(&header)?;
        let sizes = self.tensors.iter().map(|t| t.bytes).collect::<Vec<_>>().into_iter();
        Ok(GgufDataWriter { out, alignment: self.alignment, sizes, written: 0 })
    }
}

/// A file whose header is written: takes the tensors' data.
#[derive(Debug)]
pub struct GgufDataWriter<W> {
    out: W,
    alignment: u32,
    /// Sizes of the current tensor and of those after it.
    sizes: std::vec::IntoIter<u64>,
    /// Bytes written of the current tensor.
    written: u64,
}

impl<W: Write> GgufDataWriter<W> {
    /// Appends `bytes` to the current tensor; when it is complete, the next one is current.
    ///
    /// # Errors
    /// Those of the output, and `InvalidInput` if the tensor has no room for the bytes.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        let size = self.sizes.as_slice().first().copied().unwrap_or(0);
        let written = self.written + bytes.len() as u64;
        if written > size {
            return Err(invalid("more data than the tensor's description says".to_owned()));
        }
        self.out.write_all(bytes)?;
        self.written = written;
        if written == size {
            let padding = size.next_multiple_of(self.alignment.into()) - size;
            io::copy(&mut io::Read::take(io::repeat(0), padding), &mut self.out)?;
            self.sizes.next();
            self.written = 0;
        }
        Ok(())
    }

    /// Flushes and returns the output.
    ///
    /// # Errors
    /// Those of the output, and `InvalidInput` if a tensor's data is missing.
    pub fn finish(mut self) -> io::Result<W> {
        if self.sizes.len() > 0 {
            return Err(invalid("less data than the tensors' descriptions say".to_owned()));
        }
        self.out.flush()?;
        Ok(self.out)
    }
}

fn invalid(message: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, message)
}

fn encode_string(text: impl AsRef<[u8]>) -> Vec<u8> {
    let text = text.as_ref();
    let mut bytes = (text.len() as u64).to_le_bytes().to_vec();
    bytes.extend_from_slice(text);
    bytes
}

fn encode_array(out: &mut Vec<u8>, element_type: ValueType, count: u64, elements: &[u8]) {
    out.extend_from_slice(&ValueType::Array.id().to_le_bytes());
    out.extend_from_slice(&element_type.id().to_le_bytes());
    out.extend_from_slice(&count.to_le_bytes());
    out.extend_from_slice(elements);
}

fn encode_value(out: &mut Vec<u8>, value: Value<'_>) {
    if let Value::Array(array) = value {
        return encode_array(out, array.element_type(), array.len() as u64, array.as_bytes());
    }
    out.extend_from_slice(&value.value_type().id().to_le_bytes());
    match value {
        Value::U8(v) => out.extend_from_slice(&v.to_le_bytes()),
        Value::I8(v) => out.extend_from_slice(&v.to_le_bytes()),
        Value::U16(v) => out.extend_from_slice(&v.to_le_bytes()),
        Value::I16(v) => out.extend_from_slice(&v.to_le_bytes()),
        Value::U32(v) => out.extend_from_slice(&v.to_le_bytes()),
        Value::I32(v) => out.extend_from_slice(&v.to_le_bytes()),
        Value::F32(v) => out.extend_from_slice(&v.to_le_bytes()),
        Value::U64(v) => out.extend_from_slice(&v.to_le_bytes()),
        Value::I64(v) => out.extend_from_slice(&v.to_le_bytes()),
        Value::F64(v) => out.extend_from_slice(&v.to_le_bytes()),
        Value::Bool(v) => out.push(v.into()),
        Value::Str(v) => out.append(&mut encode_string(v)),
        Value::BadStr(v) => out.append(&mut encode_string(v)),
        Value::Array(_) => {}
    }
}
