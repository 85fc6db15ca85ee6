//! Blocks of any type, viewed in place.

use super::dtype::DType;
use super::float::{BF16, F16, F32};
use super::k_quants::{BlockQ4_K, BlockQ5_K, BlockQ6_K};
use super::q4_0::BlockQ4_0;
use super::q8_0::BlockQ8_0;

/// Borrowed blocks of one type, viewed in place.
#[derive(Clone, Copy, Debug)]
#[allow(non_camel_case_types)] // GGUF's names
#[non_exhaustive]
pub enum Blocks<'w> {
    /// See [`DType::F32`].
    F32(&'w [F32]),
    /// See [`DType::F16`].
    F16(&'w [F16]),
    /// See [`DType::BF16`].
    BF16(&'w [BF16]),
    /// See [`DType::Q8_0`].
    Q8_0(&'w [BlockQ8_0]),
    /// See [`DType::Q4_0`].
    Q4_0(&'w [BlockQ4_0]),
    /// See [`DType::Q4_K`].
    Q4_K(&'w [BlockQ4_K]),
    /// See [`DType::Q5_K`].
    Q5_K(&'w [BlockQ5_K]),
    /// See [`DType::Q6_K`].
    Q6_K(&'w [BlockQ6_K]),
}

/// The same expression for the blocks of any type. Those of a type that is not compiled do not
/// exist: [`Blocks::new`] refuses them.
macro_rules! for_blocks {
    ($blocks:expr, $b:ident => $each:expr) => {
        match $blocks {
            Blocks::F16($b) if DType::F16.is_built() => $each,
            Blocks::BF16($b) if DType::BF16.is_built() => $each,
            Blocks::Q8_0($b) if DType::Q8_0.is_built() => $each,
            Blocks::Q4_0($b) if DType::Q4_0.is_built() => $each,
            Blocks::Q4_K($b) if DType::Q4_K.is_built() => $each,
            Blocks::Q5_K($b) if DType::Q5_K.is_built() => $each,
            Blocks::Q6_K($b) if DType::Q6_K.is_built() => $each,
            Blocks::F32($b) => $each,
            _ => {
                let $b: &[F32] = &[];
                $each
            }
        }
    };
}

/// What [`Blocks`] needs of a block.
trait Block: bytemuck::Pod {
    const DTYPE: DType;
    /// As the variant of its type.
    fn wrap(blocks: &[Self]) -> Blocks<'_>;
    /// Writes its [`DType::block_len`] values.
    fn write(&self, out: &mut [f32]);
}

/// Implements [`Block`]; `$values` gives an array.
macro_rules! block {
    ($block:ident, $dtype:ident, $self:ident => $values:expr) => {
        impl Block for $block {
            const DTYPE: DType = DType::$dtype;
            fn wrap(blocks: &[Self]) -> Blocks<'_> {
                Blocks::$dtype(blocks)
            }
            fn write(&$self, out: &mut [f32]) {
                out.iter_mut().zip($values).for_each(|(o, v)| *o = v);
            }
        }
    };
}

block!(F32, F32, self => [self.get()]);
block!(F16, F16, self => [self.get()]);
block!(BF16, BF16, self => [self.get()]);
block!(BlockQ8_0, Q8_0, self => self.dequantize());
block!(BlockQ4_0, Q4_0, self => self.dequantize());
block!(BlockQ4_K, Q4_K, self => self.dequantize());
block!(BlockQ5_K, Q5_K, self => self.dequantize());
block!(BlockQ6_K, Q6_K, self => self.dequantize());

impl<'w> Blocks<'w> {
    /// Views `bytes` as blocks of `dtype`; `None` if the length is not a whole number of blocks, or
    /// the type not compiled.
    pub fn new(dtype: DType, bytes: &'w [u8]) -> Option<Self> {
        fn view<B: Block>(bytes: &[u8]) -> Option<Blocks<'_>> {
            Some(B::wrap(bytemuck::try_cast_slice(bytes).ok()?))
        }
        if !dtype.is_readable() {
            return None;
        }
        match dtype {
            DType::F32 => view::<F32>(bytes),
            DType::F16 => view::<F16>(bytes),
            DType::BF16 => view::<BF16>(bytes),
            DType::Q8_0 => view::<BlockQ8_0>(bytes),
            DType::Q4_0 => view::<BlockQ4_0>(bytes),
            DType::Q4_K => view::<BlockQ4_K>(bytes),
            DType::Q5_K => view::<BlockQ5_K>(bytes),
            DType::Q6_K => view::<BlockQ6_K>(bytes),
        }
    }

    /// The element type.
    pub const fn dtype(&self) -> DType {
        const fn of<B: Block>(_: &[B]) -> DType {
            B::DTYPE
        }
        for_blocks!(self, b => of(b))
    }

    /// Without the first `n` blocks; empty if there are fewer.
    pub(crate) fn skip(self, n: usize) -> Blocks<'w> {
        for_blocks!(self, b => Block::wrap(b.get(n..).unwrap_or_default()))
    }

    /// The first `n` blocks; `None` if there are fewer.
    pub(crate) fn take(self, n: usize) -> Option<Blocks<'w>> {
        Some(for_blocks!(self, b => Block::wrap(b.get(..n)?)))
    }

    /// `x[i] *= self[i]`, for float types; `false` (and nothing written) for quantized ones or
    /// another length.
    pub fn multiply_into(&self, x: &mut [f32]) -> bool {
        fn each<B: Copy>(w: &[B], x: &mut [f32], get: impl Fn(B) -> f32) -> bool {
            let fits = w.len() == x.len();
            if fits {
                x.iter_mut().zip(w).for_each(|(x, &w)| *x *= get(w));
            }
            fits
        }
        match self {
            Blocks::F32(w) => each(w, x, F32::get),
            Blocks::F16(w) if DType::F16.is_built() => each(w, x, F16::get),
            Blocks::BF16(w) if DType::BF16.is_built() => each(w, x, BF16::get),
            _ => false,
        }
    }

    /// Writes the values as f32; `false` (and nothing written) if `out` has another length.
    pub fn dequantize(&self, out: &mut [f32]) -> bool {
        fn each<B: Block>(src: &[B], mut out: &mut [f32]) -> bool {
            let block_len = B::DTYPE.block_len();
            if src.len().checked_mul(block_len) != Some(out.len()) {
                return false;
            }
            for block in src {
                let Some((values, rest)) = out.split_at_mut_checked(block_len) else { break };
                block.write(values);
                out = rest;
            }
            true
        }
        for_blocks!(self, b => each(b, out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_alignments_match_the_format() {
        fn is<T>(dtype: DType) {
            assert_eq!(size_of::<T>(), dtype.block_bytes());
            assert_eq!(align_of::<T>(), 1);
        }
        is::<F32>(DType::F32);
        is::<F16>(DType::F16);
        is::<BF16>(DType::BF16);
        is::<BlockQ8_0>(DType::Q8_0);
        is::<BlockQ4_0>(DType::Q4_0);
        is::<BlockQ4_K>(DType::Q4_K);
        is::<BlockQ5_K>(DType::Q5_K);
        is::<BlockQ6_K>(DType::Q6_K);
        assert_eq!(DType::Q4_0.row_bytes(33), None);
        assert_eq!(DType::F32.row_bytes(usize::MAX), None);
    }

    #[test]
    fn partial_blocks_are_refused() {
        assert!(Blocks::new(DType::Q8_0, &[0; 33]).is_none());
        assert!(Blocks::new(DType::F32, &[0; 6]).is_none());
        let bytes = [0u8; 68];
        let blocks = Blocks::new(DType::Q8_0, &bytes).unwrap();
        assert!(!blocks.dequantize(&mut [0.0; 63]));
        assert!(blocks.dequantize(&mut [1.0; 64]));
    }
}
