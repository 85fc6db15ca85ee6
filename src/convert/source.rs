//! What is converted: metadata and tensors, read from a GGUF file or a Hugging Face directory.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::string::{String, ToString};
use std::vec::Vec;

use super::ConvertError;
use crate::Config;
use crate::checkpoint::gguf::SplitGguf;
use crate::checkpoint::{Checkpoint, Role};
use crate::kernels::DType;
#[cfg(feature = "safetensors")]
use {
    super::hf_metadata::architecture,
    crate::RawXielu,
    crate::checkpoint::{
        LayerRole,
        hf::{Fp8Matrix, HfDir},
    },
    crate::names::Architecture,
};

/// One tensor to convert.
pub(super) struct SourceTensor<'w> {
    pub(super) role: Role,
    pub(super) dtype: DType,
    pub(super) rows: usize,
    pub(super) cols: usize,
    pub(super) data: Cow<'w, [u8]>,
    /// The same matrix where it lies in FP8: `data` is then empty, and rows are widened to
    /// `dtype` as they are read.
    #[cfg(feature = "safetensors")]
    pub(super) fp8: Option<Fp8Matrix<'w>>,
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

    /// Bytes that reading all of it reads.
    pub(super) fn stored_bytes(&self) -> u64 {
        #[cfg(feature = "safetensors")]
        if let Some(matrix) = &self.fp8 {
            return matrix.data.len() as u64;
        }
        self.data.len() as u64
    }

    /// The row that becomes row `row` of the output, as `dtype`: `bytes` of them.
    pub(super) fn row(&self, row: usize, bytes: usize) -> Option<Cow<'_, [u8]>> {
        let row = self.stored_row(row);
        #[cfg(feature = "safetensors")]
        if let Some(matrix) = &self.fp8 {
            let mut widened = std::vec![0; bytes];
            return matrix.widen(row..row + 1, &mut widened).then_some(Cow::Owned(widened));
        }
        let start = row.checked_mul(bytes)?;
        Some(Cow::Borrowed(self.data.get(start..)?.get(..bytes)?))
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

/// All tensors that `config` calls for, out of those `found`, and its RoPE factors.
fn tensors<'w>(
    mut found: BTreeMap<Role, SourceTensor<'w>>,
    config: &Config,
) -> Result<Vec<SourceTensor<'w>>, ConvertError> {
    let mut tensors = Vec::new();
    if let Some(factors) = found.remove(&Role::RopeFreqs) {
        tensors.push(factors);
    } else if let Some(factors) = super::rope_factors::rope_factors(config) {
        tensors.push(SourceTensor {
            role: Role::RopeFreqs,
            dtype: DType::F32,
            rows: 1,
            cols: factors.len(),
            data: factors.iter().flat_map(|f| f.to_le_bytes()).collect(),
            #[cfg(feature = "safetensors")]
            fp8: None,
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
        tensors.push(t);
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
        #[cfg(feature = "safetensors")]
        fp8: None,
        interleave: None,
    }
}

#[cfg(feature = "safetensors")]
fn fp8_tensor(role: Role, matrix: Fp8Matrix<'_>) -> SourceTensor<'_> {
    let Fp8Matrix { dtype, rows, cols, .. } = matrix;
    let data = Cow::Borrowed(&[][..]);
    SourceTensor { role, dtype, rows, cols, data, fp8: Some(matrix), interleave: None }
}

/// The tensors of a GGUF file; every one must be known, or the output would lack it.
pub(super) fn gguf_tensors<'w>(
    gguf: SplitGguf<'_, 'w>,
) -> Result<Vec<SourceTensor<'w>>, ConvertError> {
    let config = gguf.config().map_err(|e| match e {
        // The error's own copy of the name may be cut.
        crate::Error::UnknownTensor(name) => {
            let mut names = gguf.tensors().map(|(_, info)| info.name);
            let whole = names.find(|whole| whole.starts_with(name.as_str()));
            ConvertError::UnknownTensor(whole.unwrap_or(name.as_str()).into())
        }
        e => e.into(),
    })?;
    let mut found = BTreeMap::new();
    gguf.visit(&mut |role, tensor| {
        found.insert(role, source_tensor(role, tensor));
        Ok(())
    })?;
    tensors(found, &config)
}

/// The tensors of a Hugging Face directory, with rows in the order its architecture has in GGUF.
/// Those in FP8 are not widened yet.
#[cfg(feature = "safetensors")]
pub(super) fn hf_tensors<'w>(
    dir: &'w HfDir,
    config: &Config,
) -> Result<Vec<SourceTensor<'w>>, ConvertError> {
    let mut found = BTreeMap::new();
    for role in Role::all(config) {
        if let Some(matrix) = dir.fp8(role) {
            found.insert(role, fp8_tensor(role, matrix));
        } else if let Some(tensor) = dir.tensor(role)? {
            found.insert(role, source_tensor(role, tensor));
        }
    }
    let mut tensors = tensors(found, config)?;
    if architecture(config) == Architecture::Llama {
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
