//! The file of an importance matrix.
//!
//! Metadata: `general.type` is `imatrix`; `imatrix.datasets`, `imatrix.chunk_count`,
//! `imatrix.chunk_size`. For each matrix two tensors in F32, `NAME.in_sum2` with the sums and
//! `NAME.counts`. Source: llama.cpp's `tools/imatrix`.

use std::borrow::ToOwned;
use std::collections::BTreeMap;
use std::fmt;
use std::format;
use std::io;
use std::string::{String, ToString as _};
use std::vec::Vec;

use super::{Entry, ImportanceMatrix};
use crate::Error;
use crate::checkpoint::gguf::{GgmlType, Gguf, GgufError, GgufWriter, TensorInfo, Value};
use crate::error::escape::Escaping;

const F32: GgmlType = GgmlType(0);
const SUMS: &str = ".in_sum2";
const COUNTS: &str = ".counts";
const DATASETS: &str = "imatrix.datasets";
const CHUNKS: &str = "imatrix.chunk_count";
const CHUNK_SIZE: &str = "imatrix.chunk_size";

/// Why a file is no importance matrix: one sentence.
#[derive(Debug)]
#[non_exhaustive]
pub enum ImatrixError {
    /// The file is not GGUF: the older format of llama.cpp (`.dat`) is not read.
    NotGguf,
    /// The GGUF file is damaged.
    Gguf(GgufError),
    /// A key has a value that it may not have.
    Key(Error),
    /// A key is missing: it is another kind of file.
    Missing(&'static str),
    /// A matrix has no sums, or no counts, or they are of another type than F32 or do not go together.
    Entry(String),
    /// A number of a matrix is negative, NaN or infinite.
    Number(String),
    /// There is no matrix in it.
    Empty,
}

impl fmt::Display for ImatrixError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let f = &mut Escaping(f);
        use fmt::Write as _;
        match self {
            ImatrixError::NotGguf => f.write_str(
                "it is not a GGUF file; llama-imatrix makes one of its older format with \
                 --in-file OLD --output-format gguf",
            ),
            ImatrixError::Gguf(e) => write!(f, "{e}"),
            ImatrixError::Key(e) => write!(f, "{e}"),
            ImatrixError::Missing(key) => {
                write!(f, "it is not an importance matrix: there is no key {key}")
            }
            ImatrixError::Entry(name) => {
                write!(
                    f,
                    "the sums and counts of {name} are not both there, in F32, of fitting sizes"
                )
            }
            ImatrixError::Number(name) => {
                write!(f, "a number of {name} is negative, NaN or infinite")
            }
            ImatrixError::Empty => f.write_str("it has no entries"),
        }
    }
}

impl std::error::Error for ImatrixError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            ImatrixError::Gguf(e) => Some(e),
            ImatrixError::Key(e) => Some(e),
            _ => None,
        }
    }
}

impl ImportanceMatrix {
    /// Reads the bytes of a file.
    ///
    /// # Errors
    /// [`ImatrixError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, ImatrixError> {
        if !bytes.starts_with(b"GGUF") {
            return Err(ImatrixError::NotGguf);
        }
        let gguf = Gguf::parse(bytes).map_err(ImatrixError::Gguf)?;
        let number =
            |key| gguf.read_u32(key).map_err(ImatrixError::Key)?.ok_or(ImatrixError::Missing(key));
        let (chunks, chunk_size) = (number(CHUNKS)?, number(CHUNK_SIZE)?);
        let datasets = gguf.get_array(DATASETS).ok_or(ImatrixError::Missing(DATASETS))?;
        let datasets = datasets.strs().into_iter().flatten().map(ToOwned::to_owned).collect();
        let mut halves: BTreeMap<&str, [Option<Vec<f32>>; 2]> = BTreeMap::new();
        for info in gguf.tensors() {
            let (sums, counts) = (info.name.strip_suffix(SUMS), info.name.strip_suffix(COUNTS));
            if let Some(name) = sums.or(counts) {
                let [first, second] = halves.entry(name).or_default();
                let half = if sums.is_some() { first } else { second };
                *half = numbers(&gguf, &info, name)?;
            }
        }
        let mut matrix = ImportanceMatrix { datasets, chunks, chunk_size, ..Self::default() };
        for (name, halves) in halves {
            let [Some(sums), Some(counts)] = halves else {
                return Err(ImatrixError::Entry(name.to_owned()));
            };
            if counts.is_empty() || sums.is_empty() || !sums.len().is_multiple_of(counts.len()) {
                return Err(ImatrixError::Entry(name.to_owned()));
            }
            matrix.insert(name.to_owned(), Entry { sums, counts });
        }
        if matrix.entries.is_empty() { Err(ImatrixError::Empty) } else { Ok(matrix) }
    }

    /// Writes the file.
    ///
    /// # Errors
    /// Those of `out`; `InvalidInput` for a name that GGUF cannot hold.
    pub fn write<W: io::Write>(&self, out: W) -> io::Result<W> {
        let mut writer = GgufWriter::new();
        writer.pair("general.type", Value::Str("imatrix"))?;
        writer.strings(DATASETS, &self.datasets)?;
        writer.pair(CHUNKS, Value::U32(self.chunks))?;
        writer.pair(CHUNK_SIZE, Value::U32(self.chunk_size))?;
        for (name, Entry { sums, counts }) in &self.entries {
            let experts = counts.len() as u64;
            let dims = [(sums.len() as u64).checked_div(experts).unwrap_or(0), experts];
            // As ggml describes tensors: without what is 1 at the end.
            let shown =
                |dims: [u64; 2]| if dims[1] == 1 { dims[..1].to_vec() } else { dims.to_vec() };
            writer.tensor(&format!("{name}{SUMS}"), &shown(dims), F32)?;
            writer.tensor(&format!("{name}{COUNTS}"), &shown([1, experts]), F32)?;
        }
        let mut data = writer.begin(out)?;
        for numbers in self.entries.values().flat_map(|entry| [&entry.sums, &entry.counts]) {
            let bytes: Vec<u8> = numbers.iter().flat_map(|n| n.to_le_bytes()).collect();
            data.write(&bytes)?;
        }
        data.finish()
    }
}

/// The numbers of a tensor; `None` if they are not F32.
fn numbers(
    gguf: &Gguf<'_>,
    info: &TensorInfo<'_>,
    name: &str,
) -> Result<Option<Vec<f32>>, ImatrixError> {
    let data = gguf.tensor_data(info).filter(|_| info.ggml_type == F32);
    let numbers = data.map(|data| data.as_chunks().0.iter().map(|&b| f32::from_le_bytes(b)));
    let numbers: Option<Vec<f32>> = numbers.map(Iterator::collect);
    if numbers.iter().flatten().any(|n| !(n.is_finite() && *n >= 0.0)) {
        return Err(ImatrixError::Number(name.to_string()));
    }
    Ok(numbers)
}
