//! Streaming conversion: any checkpoint to a GGUF file, a few rows of one tensor in memory at a
//! time (per thread, with feature `rayon`). [`Conversion`] takes whatever [`checkpoint::open`] gives.
//!
//! [`checkpoint::open`]: crate::checkpoint::open()

mod conversion;
mod error;
#[cfg(feature = "safetensors")]
mod hf_metadata;
mod output;
mod recode;
mod rope_factors;
mod source;
mod types;

use std::ops::ControlFlow;
use std::path::Path;
use std::string::String;
use std::vec::Vec;

pub use conversion::Conversion;
pub use error::ConvertError;
pub use output::Output;
pub use types::{DTYPES, RECIPES, Types, UnknownType};

use crate::checkpoint::gguf::{GgmlType, Gguf, GgufWriter, SplitGguf, Value};
use crate::checkpoint::{AtomicFile, Checkpoint};
use crate::imatrix::ImportanceMatrix;
use crate::kernels::DType;
use crate::quant::{ErrorStats, WEIGHTED};
use error::io_error;
use source::SourceTensor;

/// How far a conversion is.
#[derive(Clone, Copy, Debug)]
pub struct Progress<'a> {
    /// Bytes of the source read so far.
    pub done: u64,
    /// Bytes of the source in all.
    pub total: u64,
    /// The tensor at hand, by its GGUF name.
    pub tensor: &'a str,
}

/// What became of one tensor.
#[derive(Clone, Debug)]
pub struct TensorReport {
    /// Its GGUF name.
    pub name: String,
    /// Rows and columns.
    pub shape: [usize; 2],
    /// Its type before.
    pub from: DType,
    /// Its type now.
    pub to: DType,
    /// The type asked for; `to` is another one where a row is not a whole number of its blocks.
    pub wanted: DType,
    /// Its size before, in bytes.
    pub bytes_before: u64,
    /// Its size now, in bytes.
    pub bytes_after: u64,
    /// What the change of type lost; empty where the bytes were copied.
    pub error: ErrorStats,
    /// Whether the weights of an importance matrix were used.
    pub weighted: bool,
    /// The part of the output it is in, from 0; 0 unless that is split.
    pub part: usize,
}

/// Writes a GGUF file with the tensors of another, re-encoded, and its metadata.
///
/// The source may be one file or all parts of a split model ([`SplitGguf`]); so may the result:
/// see [`Output`]. `progress` is called after every chunk; when it breaks, the conversion stops.
/// What is written appears whole, at the end, or not at all; it may be the source itself.
///
/// # Errors
/// [`ConvertError`]; nothing is left at `output` but what was there before.
pub fn convert_gguf<'p, 'w: 'p, 'o>(
    source: impl Into<SplitGguf<'p, 'w>>,
    output: impl Into<Output<'o>>,
    types: &Types,
    progress: impl FnMut(Progress<'_>) -> ControlFlow<()>,
) -> Result<Vec<TensorReport>, ConvertError> {
    write_gguf(source.into(), &output.into(), types, None, progress)
}

fn write_gguf(
    source: SplitGguf<'_, '_>,
    output: &Output<'_>,
    types: &Types,
    importance: Option<&Importance<'_>>,
    progress: impl FnMut(Progress<'_>) -> ControlFlow<()>,
) -> Result<Vec<TensorReport>, ConvertError> {
    let tensors = source::gguf_tensors(source)?;
    let mut writer = GgufWriter::new();
    let tied = source.config()?.tie_word_embeddings;
    if let Some(first) = source.parts().first() {
        let copied = copy_metadata(&mut writer, first, types.file_type(), importance.is_some());
        copied.map_err(|e| io_error(output.path, e))?;
    }
    Plan::new(tensors, types, tied, importance).write(writer, output, progress)
}

/// Writes a Hugging Face directory as a GGUF file, its vocabulary with it.
///
/// The architecture is `apertus` for xIELU with QK-norm and `llama` for SwiGLU without it, both
/// as llama.cpp reads them (the q and k rows of a `llama` are interleaved); anything else is
/// `xielu-llama`, which only this library reads. `vocabulary` is what
/// [`HfDir::vocabulary`](crate::checkpoint::hf::HfDir::vocabulary) gives, or none. `progress` and
/// `output` are as in [`convert_gguf`].
///
/// # Errors
/// As [`convert_gguf`].
#[cfg(feature = "safetensors")]
pub fn convert_hf<'o>(
    dir: &crate::checkpoint::hf::HfDir,
    output: impl Into<Output<'o>>,
    types: &Types,
    vocabulary: Option<&crate::checkpoint::hf::Vocabulary>,
    progress: impl FnMut(Progress<'_>) -> ControlFlow<()>,
) -> Result<Vec<TensorReport>, ConvertError> {
    write_hf(dir, &output.into(), types, vocabulary, None, progress)
}

#[cfg(feature = "safetensors")]
fn write_hf(
    dir: &crate::checkpoint::hf::HfDir,
    output: &Output<'_>,
    types: &Types,
    vocabulary: Option<&crate::checkpoint::hf::Vocabulary>,
    importance: Option<&Importance<'_>>,
    progress: impl FnMut(Progress<'_>) -> ControlFlow<()>,
) -> Result<Vec<TensorReport>, ConvertError> {
    let config = dir.config()?;
    let tensors = source::hf_tensors(dir, &config)?;
    let alphas = source::alphas(dir, &config)?;
    let parameters = tensors.iter().map(|t| (t.rows * t.cols) as u64).sum();
    let mut writer = GgufWriter::new();
    let written = hf_metadata::write_model(
        &mut writer,
        &config,
        &alphas,
        &hf_metadata::title(&dir.name()),
        parameters,
        types.file_type(),
    );
    written.map_err(|e| io_error(output.path, e))?;
    let written = match vocabulary {
        Some(vocabulary) => hf_metadata::write_vocabulary(&mut writer, vocabulary),
        // llama.cpp wants to be told so.
        None => writer.pair("tokenizer.ggml.model", Value::Str("none")),
    };
    written.map_err(|e| io_error(output.path, e))?;
    let plan = Plan::new(tensors, types, config.tie_word_embeddings, importance);
    plan.write(writer, output, progress)
}

/// The importance matrix of a conversion, and the name of its file.
#[derive(Clone, Debug)]
struct Importance<'i> {
    matrix: &'i ImportanceMatrix,
    file: String,
}

impl Importance<'_> {
    /// Says of what the weights were, with the keys of llama.cpp's quantizer.
    fn describe(&self, writer: &mut GgufWriter) -> std::io::Result<()> {
        let matrix = self.matrix;
        writer.pair("quantize.imatrix.file", Value::Str(&self.file))?;
        if let Some(dataset) = matrix.datasets.first() {
            writer.pair("quantize.imatrix.dataset", Value::Str(dataset))?;
        }
        let entries = u32::try_from(matrix.entries().len()).unwrap_or(u32::MAX);
        writer.pair("quantize.imatrix.entries_count", Value::U32(entries))?;
        writer.pair("quantize.imatrix.chunks_count", Value::U32(matrix.chunks))
    }

    /// The weights for a tensor that becomes `dtype`.
    fn weights(&self, name: &str, dtype: DType) -> Option<Vec<f32>> {
        if WEIGHTED.contains(&dtype) { self.matrix.weights(name) } else { None }
    }
}

/// The tensors of a conversion, and the types they are to have.
struct Plan<'w, 'i> {
    tensors: Vec<Planned<'w>>,
    importance: Option<&'i Importance<'i>>,
}

impl<'w, 'i> Plan<'w, 'i> {
    fn new(
        tensors: Vec<SourceTensor<'w>>,
        types: &Types,
        tied: bool,
        importance: Option<&'i Importance<'i>>,
    ) -> Self {
        let typed = |tensor: SourceTensor<'w>| {
            let wanted = types.of(tensor.role, tied);
            let dtype = types::fitting(wanted, tensor.cols);
            (tensor, dtype, wanted)
        };
        Plan { tensors: tensors.into_iter().map(typed).collect(), importance }
    }

    fn described(&self, mut writer: GgufWriter) -> std::io::Result<GgufWriter> {
        self.importance.map_or(Ok(()), |importance| importance.describe(&mut writer))?;
        Ok(writer)
    }

    fn write(
        self,
        writer: GgufWriter,
        output: &Output<'_>,
        mut progress: impl FnMut(Progress<'_>) -> ControlFlow<()>,
    ) -> Result<Vec<TensorReport>, ConvertError> {
        let total = self.tensors.iter().map(|(t, ..)| t.stored_bytes()).sum();
        let mut progress = |done, tensor: &str| match progress(Progress { done, total, tensor }) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(ConvertError::Cancelled),
        };
        let parts = output.divide(self.tensors.iter().map(|(t, to, _)| encoded_bytes(t, *to)))?;
        let paths = output.paths(parts.len());
        output.refuse_existing(&paths)?;
        let (mut done, mut reports, mut files) = (0, Vec::new(), Vec::new());
        let mut writer = Some(self.described(writer).map_err(|e| io_error(output.path, e))?);
        for ((number, part), path) in parts.iter().enumerate().zip(&paths) {
            let io = |e| io_error(path, e);
            let tensors = self.tensors.get(part.clone()).unwrap_or_default();
            let mut writer = writer.take().unwrap_or_default();
            if output.max_part.is_some() {
                write_split_keys(&mut writer, number, parts.len(), self.tensors.len())
                    .map_err(io)?;
            }
            let file = AtomicFile::create(path).map_err(io)?;
            let mut data = describe(tensors, writer, path)?.begin(file).map_err(io)?;
            for planned in tensors {
                let (tensor, to, _) = planned;
                let name = tensor.name();
                let mut bytes_after = 0;
                let weights = self.importance.and_then(|i| i.weights(&name, *to));
                let weights = weights.filter(|_| *to != tensor.dtype);
                let error = recode::recode(tensor, *to, weights.as_deref(), |chunk| {
                    data.write(chunk.bytes).map_err(io)?;
                    bytes_after += chunk.bytes.len() as u64;
                    done += chunk.read as u64;
                    progress(done, &name)
                })?;
                reports.push(TensorReport {
                    weighted: weights.is_some(),
                    ..report(planned, number, bytes_after, error)
                });
            }
            files.push((data.finish().map_err(io)?, path));
        }
        output::commit(files)?;
        Ok(reports)
    }
}

/// A tensor with the type it gets and the one asked for.
type Planned<'w> = (SourceTensor<'w>, DType, DType);

fn report(
    (tensor, to, wanted): &Planned<'_>,
    part: usize,
    bytes_after: u64,
    error: ErrorStats,
) -> TensorReport {
    TensorReport {
        name: tensor.name(),
        shape: [tensor.rows, tensor.cols],
        from: tensor.dtype,
        to: *to,
        wanted: *wanted,
        bytes_before: tensor.stored_bytes(),
        bytes_after,
        error,
        weighted: false,
        part,
    }
}

/// Adds the descriptions of `tensors`.
fn describe(
    tensors: &[Planned<'_>],
    mut writer: GgufWriter,
    path: &Path,
) -> Result<GgufWriter, ConvertError> {
    for (tensor, dtype, _) in tensors {
        let number =
            GgmlType::from_dtype(*dtype).ok_or(ConvertError::UnknownTensor(tensor.name()))?;
        let added = writer.tensor(&tensor.name(), &tensor.dims(), number);
        added.map_err(|e| io_error(path, e))?;
    }
    Ok(writer)
}

fn encoded_bytes(tensor: &SourceTensor<'_>, dtype: DType) -> u64 {
    let row = dtype.row_bytes(tensor.cols).unwrap_or(0) as u64;
    row.saturating_mul(tensor.rows as u64)
}

/// Says which part of the model a file is, with the keys and types of llama.cpp's `gguf-split`.
fn write_split_keys(
    writer: &mut GgufWriter,
    number: usize,
    count: usize,
    tensors: usize,
) -> std::io::Result<()> {
    // `Output::divide` keeps the parts, and `GgufWriter` the tensors, below these.
    let small = |n: usize| Value::U16(u16::try_from(n).unwrap_or(u16::MAX));
    writer.pair("split.no", small(number))?;
    writer.pair("split.count", small(count))?;
    writer.pair("split.tensors.count", Value::I32(i32::try_from(tensors).unwrap_or(i32::MAX)))
}

/// Copies a file's pairs, all but those that the new tensors decide.
fn copy_metadata(
    writer: &mut GgufWriter,
    gguf: &Gguf<'_>,
    file_type: u32,
    weighted: bool,
) -> std::io::Result<()> {
    for (key, value) in gguf.metadata() {
        match key {
            "general.file_type" | "general.quantization_version" => {}
            _ if weighted && key.starts_with("quantize.imatrix.") => {}
            "split.no" | "split.count" | "split.tensors.count" => {}
            "general.alignment" => writer.pair(key, Value::U32(gguf.alignment()))?,
            _ => writer.pair(key, value)?,
        }
    }
    writer.pair("general.file_type", Value::U32(file_type))?;
    writer.pair("general.quantization_version", Value::U32(2))
}
