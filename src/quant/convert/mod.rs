//! Streaming conversion: any checkpoint to a GGUF file, a few rows of one tensor in memory at a
//! time (per thread, with feature `rayon`).

mod error;
#[cfg(feature = "safetensors")]
mod hf_metadata;
mod recode;
mod rope_factors;
mod source;
mod types;

use std::io::Write;
use std::ops::ControlFlow;
use std::path::Path;
use std::string::String;
use std::vec::Vec;

pub use error::ConvertError;
pub use types::Types;

use super::ErrorStats;
use crate::checkpoint::gguf::{GgmlType, Gguf, GgufWriter, Value};
use crate::checkpoint::{AtomicFile, Checkpoint};
use crate::kernels::DType;
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
}

/// Writes a GGUF file with the tensors of another, re-encoded, and its metadata.
///
/// `progress` is called after every chunk; when it breaks, the conversion stops. The file at
/// `output` appears whole, at the end, or not at all; it may be the source itself.
///
/// # Errors
/// [`ConvertError`]; nothing is left at `output` but what was there before.
pub fn convert_gguf(
    gguf: &Gguf<'_>,
    output: &Path,
    types: &Types,
    progress: impl FnMut(Progress<'_>) -> ControlFlow<()>,
) -> Result<Vec<TensorReport>, ConvertError> {
    let tensors = source::gguf_tensors(gguf)?;
    let mut writer = GgufWriter::new();
    let tied = gguf.config()?.tie_word_embeddings;
    copy_metadata(&mut writer, gguf, types.file_type()).map_err(|e| io_error(output, e))?;
    Plan::new(tensors, types, tied).write(writer, output, progress)
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
pub fn convert_hf(
    dir: &crate::checkpoint::hf::HfDir,
    output: &Path,
    types: &Types,
    vocabulary: Option<&crate::checkpoint::hf::Vocabulary>,
    progress: impl FnMut(Progress<'_>) -> ControlFlow<()>,
) -> Result<Vec<TensorReport>, ConvertError> {
    let config = dir.config()?;
    let tensors = source::hf_tensors(dir, &config)?;
    let alphas = source::alphas(dir, &config)?;
    let parameters = tensors.iter().map(|t| (t.rows * t.cols) as u64).sum();
    let path = std::path::absolute(dir.path()).unwrap_or_default();
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or("model");
    let mut writer = GgufWriter::new();
    let written = hf_metadata::write_model(
        &mut writer,
        &config,
        &alphas,
        &hf_metadata::title(name),
        parameters,
        types.file_type(),
    );
    written.map_err(|e| io_error(output, e))?;
    let written = match vocabulary {
        Some(vocabulary) => hf_metadata::write_vocabulary(&mut writer, vocabulary),
        // llama.cpp wants to be told so.
        None => writer.pair("tokenizer.ggml.model", Value::Str("none")),
    };
    written.map_err(|e| io_error(output, e))?;
    Plan::new(tensors, types, config.tie_word_embeddings).write(writer, output, progress)
}

/// The tensors of a conversion, and the types they are to have.
struct Plan<'w> {
    /// Each with the type it gets and the one asked for.
    tensors: Vec<(SourceTensor<'w>, DType, DType)>,
}

impl<'w> Plan<'w> {
    fn new(tensors: Vec<SourceTensor<'w>>, types: &Types, tied: bool) -> Self {
        let typed = |tensor: SourceTensor<'w>| {
            let wanted = types.of(tensor.role, tied);
            let dtype = types::fitting(wanted, tensor.cols);
            (tensor, dtype, wanted)
        };
        Plan { tensors: tensors.into_iter().map(typed).collect() }
    }

    fn write(
        self,
        mut writer: GgufWriter,
        output: &Path,
        mut progress: impl FnMut(Progress<'_>) -> ControlFlow<()>,
    ) -> Result<Vec<TensorReport>, ConvertError> {
        let io = |e| io_error(output, e);
        for (tensor, dtype, _) in &self.tensors {
            let number =
                GgmlType::from_dtype(*dtype).ok_or(ConvertError::UnknownTensor(tensor.name()))?;
            writer.tensor(&tensor.name(), &tensor.dims(), number).map_err(io)?;
        }
        let total = self.tensors.iter().map(|(t, ..)| t.stored_bytes()).sum();
        let mut done = 0;
        let mut data = writer.begin(AtomicFile::create(output).map_err(io)?).map_err(io)?;
        let mut reports = Vec::new();
        for (tensor, to, wanted) in &self.tensors {
            let name = tensor.name();
            let mut bytes_after = 0;
            let error = recode::recode(tensor, *to, |chunk| {
                data.write(chunk.bytes).map_err(io)?;
                bytes_after += chunk.bytes.len() as u64;
                done += chunk.read as u64;
                match progress(Progress { done, total, tensor: &name }) {
                    ControlFlow::Continue(()) => Ok(()),
                    ControlFlow::Break(()) => Err(ConvertError::Cancelled),
                }
            })?;
            reports.push(TensorReport {
                name,
                shape: [tensor.rows, tensor.cols],
                from: tensor.dtype,
                to: *to,
                wanted: *wanted,
                bytes_before: tensor.stored_bytes(),
                bytes_after,
                error,
            });
        }
        let mut file = data.finish().map_err(io)?;
        file.flush().and_then(|()| file.commit()).map_err(io)?;
        Ok(reports)
    }
}

/// Copies a file's pairs, all but those that the new tensors decide.
fn copy_metadata(writer: &mut GgufWriter, gguf: &Gguf<'_>, file_type: u32) -> std::io::Result<()> {
    for (key, value) in gguf.metadata() {
        match key {
            "general.file_type" | "general.quantization_version" => {}
            "general.alignment" => writer.pair(key, Value::U32(gguf.alignment()))?,
            _ => writer.pair(key, value)?,
        }
    }
    writer.pair("general.file_type", Value::U32(file_type))?;
    writer.pair("general.quantization_version", Value::U32(2))
}

fn io_error(path: &Path, source: std::io::Error) -> ConvertError {
    ConvertError::Io { path: path.into(), source }
}
