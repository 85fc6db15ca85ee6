//! Keys and values of past positions, in the caller's bytes.

use crate::NonFinite;
use crate::compute::rows::rows;
use crate::kernels::{BF16, BlockQ8_0, DType, F16, F32, Kernels, Matrix, Shape, ShapeError, built};
use crate::names::KvType;
use crate::numeric::finite::{all_finite, is_finite};
use crate::{Config, Error};

impl KvType {
    /// Whether this build has such caches, and `config` heads for them.
    ///
    /// # Errors
    /// [`Error::Product`] if the build of a small target leaves the type out (see
    /// [`crate::kernels::built`]); [`Error::Config`] if a head is not a whole number of blocks.
    /// (Blocks across heads could not be the rows of a head's matrix.)
    pub const fn check(self, config: &Config) -> Result<(), Error> {
        let dtype = self.dtype();
        let is_built = match self {
            KvType::F32 | KvType::F16 | KvType::BF16 => dtype.is_built(),
            KvType::Q8_0 => built::Q8_0_KV,
        };
        if !is_built {
            return Err(Error::Product(ShapeError::NotBuilt(dtype)));
        }
        if !config.head_dim.is_multiple_of(dtype.block_len()) {
            return Err(Error::Config("head_dim is not a multiple of 32, as a Q8_0 KV cache asks"));
        }
        Ok(())
    }
}

/// The cache: `[layer][keys, values][kv_head][position][head_dim]`, so that a head's keys are
/// the rows of a matrix.
#[derive(Debug)]
pub struct KvCache<'c> {
    bytes: &'c mut [u8],
    kv_type: KvType,
    context: usize,
    layers: usize,
    kv_heads: usize,
    head_dim: usize,
}

impl<'c> KvCache<'c> {
    /// Bytes for `context` positions; `usize::MAX` if that does not fit `usize`. A block that a
    /// head does not fill counts, though there is no such cache ([`KvType::check`]).
    pub const fn bytes_needed(config: &Config, context: usize, kv_type: KvType) -> usize {
        row_bytes(config.head_dim, kv_type.dtype())
            .saturating_mul(2 * config.num_kv_heads)
            .saturating_mul(config.num_layers)
            .saturating_mul(context)
    }

    /// The bytes of the first `positions` of a cache of `context`: the rows of one head after the
    /// other, keys and then values, layer by layer.
    #[cfg(feature = "session")]
    pub(crate) fn filled(
        config: &Config,
        context: usize,
        kv_type: KvType,
        positions: usize,
    ) -> impl Iterator<Item = core::ops::Range<usize>> {
        let row = row_bytes(config.head_dim, kv_type.dtype());
        let heads = config.num_layers * 2 * config.num_kv_heads;
        (0..heads).map(move |head| {
            let start = head * context * row;
            start..start + positions * row
        })
    }

    /// A cache of `context` positions in `bytes`, at any alignment, whatever they hold.
    ///
    /// # Errors
    /// As [`KvType::check`], and [`Error::Memory`] if `bytes` is shorter than
    /// [`KvCache::bytes_needed`].
    pub fn new(
        config: &Config,
        context: usize,
        kv_type: KvType,
        bytes: &'c mut [u8],
    ) -> Result<Self, Error> {
        kv_type.check(config)?;
        let needed = Self::bytes_needed(config, context, kv_type);
        let found = bytes.len();
        let bytes =
            bytes.get_mut(..needed).ok_or(Error::Memory { what: "KV cache", needed, found })?;
        Ok(KvCache {
            bytes,
            kv_type,
            context,
            layers: config.num_layers,
            kv_heads: config.num_kv_heads,
            head_dim: config.head_dim,
        })
    }

    /// A cache whose keys and values are on a device: here is its shape alone.
    #[cfg(feature = "cuda")]
    pub(crate) fn elsewhere(config: &Config, context: usize, kv_type: KvType) -> Self {
        KvCache {
            bytes: &mut [],
            kv_type,
            context,
            layers: config.num_layers,
            kv_heads: config.num_kv_heads,
            head_dim: config.head_dim,
        }
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
        row_bytes(self.head_dim, self.kv_type.dtype())
    }

    /// Writes the keys and values (all heads) of one position. One that is not finite is an error:
    /// a score of minus infinity would go unnoticed.
    pub(crate) fn store(
        &mut self,
        kernels: &Kernels,
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
                let row = row.ok_or(Error::OutOfRange("KV cache"))?;
                if !encode(kernels, self.kv_type.dtype(), x, row)? {
                    return Err(Error::NonFinite(self.blame(layer, x)));
                }
            }
        }
        Ok(())
    }

    /// Why `x`, of `layer`, cannot be stored.
    fn blame(&self, layer: usize, x: &[f32]) -> NonFinite {
        match all_finite(x) {
            true => NonFinite::KvCache { layer, kv_type: self.kv_type },
            false => NonFinite::Attention(layer),
        }
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
        Ok(Matrix::new(
            self.kv_type.dtype(),
            Shape { rows: positions, cols: self.head_dim },
            bytes,
        )?)
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

/// Bytes of one position of a head.
const fn row_bytes(head_dim: usize, dtype: DType) -> usize {
    head_dim.div_ceil(dtype.block_len()) * dtype.block_bytes()
}

/// Stores `x` as `dtype`, rounding to nearest; tells whether what is stored is finite.
fn encode(kernels: &Kernels, dtype: DType, x: &[f32], row: &mut [u8]) -> Result<bool, Error> {
    Ok(match dtype {
        DType::Q8_0 if built::Q8_0_KV => {
            let blocks = bytemuck::try_cast_slice_mut(row);
            let blocks: &mut [BlockQ8_0] =
                blocks.map_err(|_| Error::OutOfRange("blocks of the KV cache"))?;
            kernels.quantize_q8_0(x, blocks)?;
            blocks.iter().all(|block| is_finite(block.d.get()))
        }
        DType::F16 => write(x, row, |v| F16::from(v).0, 0x7c00),
        DType::BF16 => write(x, row, |v| BF16::from(v).0, 0x7f80),
        _ => write(x, row, |v| F32::from(v).0, 0x7f80),
    })
}

/// Writes little-endian floats; false if one has the `exponent`, in its upper 16 bits, of what is
/// not finite.
fn write<const N: usize>(
    x: &[f32],
    row: &mut [u8],
    bytes: impl Fn(f32) -> [u8; N],
    exponent: u16,
) -> bool {
    let mut largest = 0;
    for (to, &v) in row.as_chunks_mut::<N>().0.iter_mut().zip(x) {
        *to = bytes(v);
        let upper = to.last_chunk().copied().map_or(0, u16::from_le_bytes);
        largest = largest.max(upper & exponent);
    }
    largest < exponent
}
