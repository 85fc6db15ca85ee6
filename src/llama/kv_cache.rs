//! Keys and values of past positions, in the caller's bytes.

use crate::kernels::{BF16, DType, F16, F32, Matrix};
use crate::rows::rows;
use crate::{Config, Error};

/// How cached keys and values are stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KvType {
    /// As computed.
    F32,
    /// Half the memory; the usual choice.
    #[default]
    F16,
    /// Half the memory, f32's range.
    BF16,
}

impl KvType {
    const fn dtype(self) -> DType {
        match self {
            KvType::F32 => DType::F32,
            KvType::F16 => DType::F16,
            KvType::BF16 => DType::BF16,
        }
    }
}

/// The cache: `[layer][keys, values][kv_head][position][head_dim]`, so that a head's keys are
/// the rows of a matrix.
#[derive(Debug)]
pub struct KvCache<'c> {
    bytes: &'c mut [u8],
    dtype: DType,
    context: usize,
    layers: usize,
    kv_heads: usize,
    head_dim: usize,
}

impl<'c> KvCache<'c> {
    /// Bytes for `context` positions; `usize::MAX` if that does not fit `usize`.
    pub const fn bytes_needed(config: &Config, context: usize, kv_type: KvType) -> usize {
        config
            .kv_size()
            .saturating_mul(2 * kv_type.dtype().block_bytes())
            .saturating_mul(config.num_layers)
            .saturating_mul(context)
    }

    /// A cache of `context` positions in `bytes`, at any alignment, whatever they hold.
    ///
    /// # Errors
    /// If `bytes` is shorter than [`KvCache::bytes_needed`].
    pub fn new(
        config: &Config,
        context: usize,
        kv_type: KvType,
        bytes: &'c mut [u8],
    ) -> Result<Self, Error> {
        let needed = Self::bytes_needed(config, context, kv_type);
        let found = bytes.len();
        let bytes =
            bytes.get_mut(..needed).ok_or(Error::Memory { what: "KV cache", needed, found })?;
        Ok(KvCache {
            bytes,
            dtype: kv_type.dtype(),
            context,
            layers: config.num_layers,
            kv_heads: config.num_kv_heads,
            head_dim: config.head_dim,
        })
    }

    /// Positions there is room for.
    pub const fn context(&self) -> usize {
        self.context
    }

    /// Whether the cache was made for this shape.
    pub(crate) const fn fits(&self, config: &Config) -> bool {
        self.layers == config.num_layers
            && self.kv_heads == config.num_kv_heads
            && self.head_dim == config.head_dim
    }

    /// First byte of a head's rows. `values` is 0 for keys, 1 for values.
    const fn offset(&self, layer: usize, values: usize, head: usize) -> usize {
        let rows = ((layer * 2 + values) * self.kv_heads + head) * self.context;
        rows * self.row_bytes()
    }

    const fn row_bytes(&self) -> usize {
        self.head_dim * self.dtype.block_bytes()
    }

    /// Writes the keys and values (all heads) of one position.
    pub(crate) fn store(
        &mut self,
        layer: usize,
        position: usize,
        keys: &[f32],
        values: &[f32],
    ) -> Result<(), Error> {
        let row_bytes = self.row_bytes();
        for (which, all_heads) in [keys, values].into_iter().enumerate() {
            for (head, x) in rows(all_heads, self.head_dim).enumerate() {
                let start = self.offset(layer, which, head) + position * row_bytes;
                let row = self.bytes.get_mut(start..start + row_bytes);
                encode(self.dtype, x, row.ok_or(Error::OutOfRange("KV cache"))?);
            }
        }
        Ok(())
    }

    /// The first `positions` keys (`values` 0) or values (`values` 1) of one head,
    /// `[positions, head_dim]`.
    fn rows(
        &self,
        layer: usize,
        values: usize,
        head: usize,
        positions: usize,
    ) -> Result<Matrix<'_>, Error> {
        let start = self.offset(layer, values, head);
        let bytes = self.bytes.get(start..start + positions * self.row_bytes());
        let bytes = bytes.ok_or(Error::OutOfRange("KV cache"))?;
        Ok(Matrix::new(self.dtype, positions, self.head_dim, bytes)?)
    }

    /// Keys of one head, `[positions, head_dim]`.
    pub(crate) fn keys(
        &self,
        layer: usize,
        head: usize,
        positions: usize,
    ) -> Result<Matrix<'_>, Error> {
        self.rows(layer, 0, head, positions)
    }

    /// Values of one head, `[positions, head_dim]`.
    pub(crate) fn values(
        &self,
        layer: usize,
        head: usize,
        positions: usize,
    ) -> Result<Matrix<'_>, Error> {
        self.rows(layer, 1, head, positions)
    }
}

/// Stores `x` as `dtype`, rounding to nearest.
fn encode(dtype: DType, x: &[f32], row: &mut [u8]) {
    match dtype {
        DType::F16 => write(x, row, |v| F16::from(v).0),
        DType::BF16 => write(x, row, |v| BF16::from(v).0),
        _ => write(x, row, |v| F32::from(v).0),
    }
}

fn write<const N: usize>(x: &[f32], row: &mut [u8], bytes: impl Fn(f32) -> [u8; N]) {
    for (to, &v) in row.as_chunks_mut::<N>().0.iter_mut().zip(x) {
        *to = bytes(v);
    }
}
