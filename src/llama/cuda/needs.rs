//! What a model needs of a device's kernels.

use crate::cuda::decoder::{CacheType, HeadShape};
use crate::cuda::{Error as DeviceError, Forms};
use crate::kernels::{ActivationKind, Matrix};
use crate::llama::KvType;
use crate::llama::layer::Layer;
use crate::llama::model::Model;
use crate::{Config, Error};

/// The matrices of a layer.
pub(super) fn matrices_of<'a, 'w>(layer: &'a Layer<'w>) -> impl Iterator<Item = &'a Matrix<'w>> {
    let mlp = layer.mlp.parts();
    let attention = [&layer.q, &layer.k, &layer.v, &layer.o];
    attention.into_iter().chain([mlp.up, mlp.down]).chain(mlp.act.err())
}

/// The forms that inputs are kept in, by what takes them.
pub(super) struct Needs {
    /// Of queries, keys, values, the MLP's up (and gate) and the output head.
    pub hidden: Forms,
    /// Of attention's output.
    pub heads: Forms,
    /// Of the MLP's down.
    pub ffn: Forms,
    /// Whether there are gates.
    pub gated: bool,
}

impl Needs {
    pub(super) fn of(model: &Model<'_, '_>) -> Self {
        let of = |m: &Matrix<'_>| Forms::of(m.dtype());
        let none = Forms::default();
        let mut needs = Needs { hidden: of(&model.output), heads: none, ffn: none, gated: false };
        for layer in model.layers {
            let mlp = layer.mlp.parts();
            let hidden = [&layer.q, &layer.k, &layer.v, mlp.up].into_iter().chain(mlp.act.err());
            needs.hidden = hidden.fold(needs.hidden, |forms, m| forms.and(of(m)));
            needs.heads = needs.heads.and(of(&layer.o));
            needs.ffn = needs.ffn.and(of(mlp.down));
            needs.gated |= mlp.act.is_err();
        }
        needs
    }
}

/// The shape of a layer's heads and cache.
pub(super) fn head_shape(
    config: &Config,
    context: usize,
    kv_type: KvType,
) -> Result<HeadShape, Error> {
    let cache = CacheType::of(kv_type.dtype());
    let shape = HeadShape {
        heads: config.num_heads,
        kv_heads: config.num_kv_heads,
        head_dim: config.head_dim,
        context,
        cache: cache.ok_or(DeviceError::Unsupported("a KV cache of this type"))?,
    };
    match shape.problem() {
        Some(problem) => Err(DeviceError::Unsupported(problem).into()),
        None => Ok(shape),
    }
}

/// Refuses what of a model the kernels do not have.
pub(super) fn check(model: &Model<'_, '_>, kv_type: KvType) -> Result<(), Error> {
    head_shape(&model.config, 1, kv_type)?;
    for layer in model.layers {
        let mlp = layer.mlp.parts();
        if let Ok(act) = mlp.act {
            match act.kind() {
                ActivationKind::Xielu | ActivationKind::Xiprelu | ActivationKind::Relu2 => {}
                other => return Err(DeviceError::NoKernel(other).into()),
            }
        }
    }
    let mut matrices = model.layers.iter().flat_map(matrices_of).chain([&model.output]);
    if matrices.any(Matrix::is_packed) {
        return Err(DeviceError::Unsupported("weights that were packed for the CPU").into());
    }
    Ok(())
}
