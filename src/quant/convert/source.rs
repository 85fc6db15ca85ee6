//! What is converted: metadata and tensors, read from a GGUF file or a Hugging Face directory.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::string::{String, ToString};
use std::vec::Vec;

use super::ConvertError;
use crate::Config;
use crate::checkpoint::gguf::Gguf;
use crate::checkpoint::{Checkpoint, Role};
use crate::kernels::DType;
#[cfg(feature = "safetensors")]
use {
    super::hf_metadata::Architecture,
    crate::RawXielu,
    crate::checkpoint::{LayerRole, hf::HfDir},
};

/// One tensor to convert.
pub(super) struct SourceTensor<'w> {
    pub(super) role: Role,
    pub(super) dtype: DType,
    pub(super) rows: usize,
    pub(super) cols: usize,
    pub(super) data: Cow<'w, [u8]>,
    /// Rows of a head, where the halves of each head are to be interleaved.
    pub(super) interleave: Option<usize>,
}

impl SourceTensor<'_> {
    /// The name in the output.
    pub(super) fn name(&self) -> String {
        self.role.to_string()
    }

    /// Dimensions as GGUF lists them: the row first.
    pub(super) fn dims(&self) -> Vec<u64> {
        let (rows, cols) = (self.rows as u64, self.cols as u64);
        if self.role.is_vector() { [cols].into() } else { [cols, rows].into() }
    }

    /// The stored row that becomes row `row` of the output.
    ///
    /// llama.cpp's architecture `llama` rotates elements `2i` and `2i + 1` of a head, Hugging
    /// Face's elements `i` and `i + dim/2`: the same rotation once the halves are interleaved.
    pub(super) fn stored_row(&self, row: usize) -> usize {
        let Some(dim) = self.interleave else { return row };
        let (head, i) = (row / dim, row % dim);
        head * dim + i % 2 * (dim / 2) + i / 2
    }
}

/// All tensors of a checkpoint that `config` calls for, and its RoPE factors.
pub(super) fn tensors<'w>(
    checkpoint: &impl Checkpoint<'w>,
    config: &Config,
) -> Result<Vec<SourceTensor<'w>>, ConvertError> {
    let mut found = BTreeMap::new();
    checkpoint.visit(&mut |role, tensor| {
        found.insert(role, tensor);
        Ok(())
    })?;
    let mut tensors = Vec::new();
    if let Some(t) = found.remove(&Role::RopeFreqs) {
        tensors.push(source_tensor(Role::RopeFreqs, t));
    } else if let Some(factors) = super::rope_factors::rope_factors(config) {
        tensors.push(SourceTensor {
            role: Role::RopeFreqs,
            dtype: DType::F32,
            rows: 1,
            cols: factors.len(),
            data: factors.iter().flat_map(|f| f.to_le_bytes()).collect(),
            interleave: None,
        });
    }
    for role in Role::all(config) {
        let t = found.remove(&role).ok_or(crate::Error::MissingTensor(role))?;
        let (rows, cols) = role.shape(config);
        if (t.rows, t.cols) != (rows, cols) {
            let (expected, found) = ([rows, cols], [t.rows, t.cols]);
            return Err(crate::Error::TensorShape { role, expected, found }.into());
        }
        tensors.push(source_tensor(role, t));
    }
    Ok(tensors)
}

fn source_tensor(role: Role, t: crate::checkpoint::Tensor<'_>) -> SourceTensor<'_> {
    SourceTensor {
        role,
        dtype: t.dtype,
        rows: t.rows,
        cols: t.cols,
        data: Cow::Borrowed(t.data),
        interleave: None,
    }
}

/// The tensors of a GGUF file; every one must be known, or the output would lack it.
pub(super) fn gguf_tensors<'w>(gguf: &Gguf<'w>) -> Result<Vec<SourceTensor<'w>>, ConvertError> {
    let config = gguf.config().map_err(|e| match e {
        // The error's own copy of the name may be cut.
        crate::Error::UnknownTensor(name) => {
            let mut names = gguf.tensors().map(|info| info.name);
            let whole = names.find(|whole| whole.starts_with(name.as_str()));
            ConvertError::UnknownTensor(whole.unwrap_or(name.as_str()).into())
        }
        e => e.into(),
    })?;
    tensors(gguf, &config)
}

/// The tensors of a Hugging Face directory, with rows in the order its architecture has in GGUF.
#[cfg(feature = "safetensors")]
pub(super) fn hf_tensors<'w>(
    dir: &'w HfDir,
    config: &Config,
) -> Result<Vec<SourceTensor<'w>>, ConvertError> {
    let mut tensors = tensors(&dir, config)?;
    if Architecture::of(config) == Architecture::Llama {
        let rotated = |role| matches!(role, Role::Layer(_, LayerRole::AttnQ | LayerRole::AttnK));
        for tensor in tensors.iter_mut().filter(|tensor| rotated(tensor.role)) {
            tensor.interleave = Some(config.head_dim);
        }
    }
    Ok(tensors)
}

/// The activation scalars of every layer; none where the activation has none.
#[cfg(feature = "safetensors")]
pub(super) fn alphas(dir: &HfDir, config: &Config) -> Result<Vec<RawXielu>, ConvertError> {
    if !config.hidden_act.has_alphas() {
        return Ok(Vec::new());
    }
    let scalars = (0..config.num_layers).map(|layer| dir.raw_xielu(layer));
    Ok(scalars.collect::<Result<_, _>>()?)
}
