//! The weights of one layer as views into a checkpoint.

use super::norm::RmsNorm;
use crate::compute::packing::Packer;
use crate::kernels::Matrix;
use crate::{Error, Mlp};

/// The weights of one layer: a handful of views, `Copy`.
#[derive(Clone, Copy, Debug)]
pub struct Layer<'w> {
    pub(crate) attn_norm: RmsNorm<'w>,
    pub(crate) q: Matrix<'w>,
    pub(crate) k: Matrix<'w>,
    pub(crate) v: Matrix<'w>,
    pub(crate) o: Matrix<'w>,
    /// Norms of each query and key head, before RoPE.
    pub(crate) qk_norm: Option<(RmsNorm<'w>, RmsNorm<'w>)>,
    pub(crate) ffn_norm: RmsNorm<'w>,
    pub(crate) mlp: Mlp<'w>,
}

impl<'w> Layer<'w> {
    /// No weights, to fill the caller's array with before [`Model::load`](super::Model::load).
    pub const EMPTY: Layer<'static> = Layer {
        attn_norm: RmsNorm::EMPTY,
        q: Matrix::EMPTY,
        k: Matrix::EMPTY,
        v: Matrix::EMPTY,
        o: Matrix::EMPTY,
        qk_norm: None,
        ffn_norm: RmsNorm::EMPTY,
        mlp: Mlp::EMPTY,
    };

    /// The layer's MLP, usable alone.
    pub const fn mlp(&self) -> &Mlp<'w> {
        &self.mlp
    }

    /// The matrices, without norms.
    pub(super) fn matrices(&self) -> impl Iterator<Item = &Matrix<'w>> {
        [&self.q, &self.k, &self.v, &self.o].into_iter().chain(self.mlp.matrices())
    }

    pub(super) fn pack_with(&self, packer: &mut Packer<'_, 'w>) -> Result<Self, Error> {
        Ok(Layer {
            q: packer.pack(&self.q)?,
            k: packer.pack(&self.k)?,
            v: packer.pack(&self.v)?,
            o: packer.pack(&self.o)?,
            mlp: self.mlp.pack_with(packer)?,
            ..*self
        })
    }
}
