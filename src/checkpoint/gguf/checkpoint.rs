//! A GGUF file as a checkpoint.

use super::model::Keys;
use super::{Array, Gguf, TensorInfo, Value};
use crate::checkpoint::{Checkpoint, Role, Tensor};
use crate::{Config, ElementType, Error, RawXielu};

/// Where a file has no `xielu.beta`.
const DEFAULT_BETA: f32 = 0.5;
/// Where a file has no `xielu.eps`.
const DEFAULT_EPS: f32 = -1e-6;

impl<'w> Checkpoint<'w> for Gguf<'w> {
    fn config(&self) -> Result<Config, Error> {
        Keys::of(self)?.config()
    }

    fn tensor(&self, role: Role) -> Result<Option<Tensor<'w>>, Error> {
        let found = self.tensors().find(|info| Role::from_gguf_name(info.name) == Some(role));
        found.map(|info| self.as_weights(role, &info)).transpose()
    }

    fn raw_xielu(&self, layer: usize) -> Result<RawXielu, Error> {
        let keys = Keys::of(self)?;
        let layers = keys.size("block_count")?;
        if layer >= layers {
            return Err(Error::NoSuchLayer(layer));
        }
        let scalar = |key| layer_scalar(keys, self, key, layer, layers);
        let alpha = |key: &'static str| scalar(key)?.ok_or(Error::MissingKey(key.into()));
        Ok(RawXielu {
            alpha_p: alpha("xielu.alpha_p")?,
            alpha_n: alpha("xielu.alpha_n")?,
            beta: scalar("xielu.beta")?.unwrap_or(DEFAULT_BETA),
            eps: scalar("xielu.eps")?.unwrap_or(DEFAULT_EPS),
        })
    }
}

impl<'w> Gguf<'w> {
    /// Whether the activation's scalars stand under keys with an architecture prefix, such as
    /// `apertus.xielu.alpha_p`: they are read, but llama.cpp writes and reads bare keys.
    pub fn prefixed_alpha_keys(&self) -> bool {
        let Ok(keys) = Keys::of(self) else {
            return false;
        };
        let prefixed = |key| self.get(key).is_none() && keys.find(key).is_some();
        prefixed("xielu.alpha_p") || prefixed("xielu.alpha_n")
    }

    fn as_weights(&self, role: Role, info: &TensorInfo<'_>) -> Result<Tensor<'w>, Error> {
        let (rows, cols) = match *info.dims() {
            [cols] | [cols, 1, ..] if trailing_ones(info.dims()) => (1, cols),
            [cols, rows, ..] if trailing_ones(info.dims()) => (rows, cols),
            _ => return Err(Error::TensorRank { role, dims: info.dims().len() }),
        };
        let found = ElementType::Ggml(info.ggml_type);
        let unsupported = Error::UnsupportedType { role, found };
        let dtype = info.ggml_type.dtype().ok_or(unsupported)?;
        // The data lies in memory, so its dimensions fit `usize`.
        let rows = usize::try_from(rows).map_err(|_| unsupported)?;
        let cols = usize::try_from(cols).map_err(|_| unsupported)?;
        let data = self.tensor_data(info).ok_or(unsupported)?;
        Ok(Tensor { dtype, rows, cols, data })
    }
}

/// Whether all dimensions after the second are 1.
fn trailing_ones(dims: &[u64]) -> bool {
    dims.iter().skip(2).all(|&dim| dim == 1)
}

/// One of the activation's scalars: an f32 array with one element per layer, or one value for
/// all layers.
fn layer_scalar(
    keys: Keys<'_, '_>,
    gguf: &Gguf<'_>,
    name: &'static str,
    layer: usize,
    layers: usize,
) -> Result<Option<f32>, Error> {
    let bad = |problem| Error::BadKey { key: name.into(), problem };
    let value = match gguf.get(name).or_else(|| keys.find(name)) {
        None => return Ok(None),
        Some(Value::F32(value)) => value,
        Some(Value::Array(array)) => element(array, layer, layers).map_err(bad)?,
        Some(_) => return Err(bad("is neither an f32 nor an array of f32")),
    };
    if value.is_finite() { Ok(Some(value)) } else { Err(bad("has a value that is not finite")) }
}

fn element(array: Array<'_>, layer: usize, layers: usize) -> Result<f32, &'static str> {
    let index = match array.len() {
        n if n == layers => layer,
        1 => 0,
        _ => return Err("has neither one value nor one per layer"),
    };
    let mut values = array.f32s().ok_or("is neither an f32 nor an array of f32")?;
    values.nth(index).ok_or("has no value for this layer")
}
