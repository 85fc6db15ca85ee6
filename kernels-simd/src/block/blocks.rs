//! Blocks of any type, viewed in place.

use super::codes::{BlockIQ4_NL, BlockIQ4_XS, BlockMXFP4, BlockNVFP4};
use super::dtype::DType;
use super::float::{BF16, F16, F32};
use super::iq::{
    BlockIQ1_M, BlockIQ1_S, BlockIQ2_S, BlockIQ2_XS, BlockIQ2_XXS, BlockIQ3_S, BlockIQ3_XXS,
};
use super::k_quants::{BlockQ4_K, BlockQ5_K, BlockQ6_K};
use super::low_bits::{BlockQ2_K, BlockQ3_K, BlockQ8_K, BlockTQ1_0, BlockTQ2_0};
use super::q4_0::BlockQ4_0;
use super::q8_0::BlockQ8_0;
use super::small::{BlockQ4_1, BlockQ5_0, BlockQ5_1, BlockQ8_1};

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
    /// See [`DType::Q4_1`].
    Q4_1(&'w [BlockQ4_1]),
    /// See [`DType::Q5_0`].
    Q5_0(&'w [BlockQ5_0]),
    /// See [`DType::Q5_1`].
    Q5_1(&'w [BlockQ5_1]),
    /// See [`DType::Q8_1`].
    Q8_1(&'w [BlockQ8_1]),
    /// See [`DType::Q2_K`].
    Q2_K(&'w [BlockQ2_K]),
    /// See [`DType::Q3_K`].
    Q3_K(&'w [BlockQ3_K]),
    /// See [`DType::Q8_K`].
    Q8_K(&'w [BlockQ8_K]),
    /// See [`DType::IQ4_NL`].
    IQ4_NL(&'w [BlockIQ4_NL]),
    /// See [`DType::IQ4_XS`].
    IQ4_XS(&'w [BlockIQ4_XS]),
    /// See [`DType::MXFP4`].
    MXFP4(&'w [BlockMXFP4]),
    /// See [`DType::NVFP4`].
    NVFP4(&'w [BlockNVFP4]),
    /// See [`DType::TQ1_0`].
    TQ1_0(&'w [BlockTQ1_0]),
    /// See [`DType::TQ2_0`].
    TQ2_0(&'w [BlockTQ2_0]),
    /// See [`DType::IQ1_S`].
    IQ1_S(&'w [BlockIQ1_S]),
    /// See [`DType::IQ1_M`].
    IQ1_M(&'w [BlockIQ1_M]),
    /// See [`DType::IQ2_XXS`].
    IQ2_XXS(&'w [BlockIQ2_XXS]),
    /// See [`DType::IQ2_XS`].
    IQ2_XS(&'w [BlockIQ2_XS]),
    /// See [`DType::IQ2_S`].
    IQ2_S(&'w [BlockIQ2_S]),
    /// See [`DType::IQ3_XXS`].
    IQ3_XXS(&'w [BlockIQ3_XXS]),
    /// See [`DType::IQ3_S`].
    IQ3_S(&'w [BlockIQ3_S]),
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
            Blocks::Q4_1($b) if DType::Q4_1.is_built() => $each,
            Blocks::Q5_0($b) if DType::Q5_0.is_built() => $each,
            Blocks::Q5_1($b) if DType::Q5_1.is_built() => $each,
            Blocks::Q8_1($b) if DType::Q8_1.is_built() => $each,
            Blocks::Q2_K($b) if DType::Q2_K.is_built() => $each,
            Blocks::Q3_K($b) if DType::Q3_K.is_built() => $each,
            Blocks::Q8_K($b) if DType::Q8_K.is_built() => $each,
            Blocks::IQ4_NL($b) if DType::IQ4_NL.is_built() => $each,
            Blocks::IQ4_XS($b) if DType::IQ4_XS.is_built() => $each,
            Blocks::MXFP4($b) if DType::MXFP4.is_built() => $each,
            Blocks::NVFP4($b) if DType::NVFP4.is_built() => $each,
            Blocks::TQ1_0($b) if DType::TQ1_0.is_built() => $each,
            Blocks::TQ2_0($b) if DType::TQ2_0.is_built() => $each,
            Blocks::IQ1_S($b) if DType::IQ1_S.is_built() => $each,
            Blocks::IQ1_M($b) if DType::IQ1_M.is_built() => $each,
            Blocks::IQ2_XXS($b) if DType::IQ2_XXS.is_built() => $each,
            Blocks::IQ2_XS($b) if DType::IQ2_XS.is_built() => $each,
            Blocks::IQ2_S($b) if DType::IQ2_S.is_built() => $each,
            Blocks::IQ3_XXS($b) if DType::IQ3_XXS.is_built() => $each,
            Blocks::IQ3_S($b) if DType::IQ3_S.is_built() => $each,
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
block!(BlockQ4_1, Q4_1, self => self.dequantize());
block!(BlockQ5_0, Q5_0, self => self.dequantize());
block!(BlockQ5_1, Q5_1, self => self.dequantize());
block!(BlockQ8_1, Q8_1, self => self.dequantize());
block!(BlockQ2_K, Q2_K, self => self.dequantize());
block!(BlockQ3_K, Q3_K, self => self.dequantize());
block!(BlockQ8_K, Q8_K, self => self.dequantize());
block!(BlockIQ4_NL, IQ4_NL, self => self.dequantize());
block!(BlockIQ4_XS, IQ4_XS, self => self.dequantize());
block!(BlockMXFP4, MXFP4, self => self.dequantize());
block!(BlockNVFP4, NVFP4, self => self.dequantize());
block!(BlockTQ1_0, TQ1_0, self => self.dequantize());
block!(BlockTQ2_0, TQ2_0, self => self.dequantize());
block!(BlockIQ1_S, IQ1_S, self => self.dequantize());
block!(BlockIQ1_M, IQ1_M, self => self.dequantize());
block!(BlockIQ2_XXS, IQ2_XXS, self => self.dequantize());
block!(BlockIQ2_XS, IQ2_XS, self => self.dequantize());
block!(BlockIQ2_S, IQ2_S, self => self.dequantize());
block!(BlockIQ3_XXS, IQ3_XXS, self => self.dequantize());
block!(BlockIQ3_S, IQ3_S, self => self.dequantize());

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
            DType::Q4_1 => view::<BlockQ4_1>(bytes),
            DType::Q5_0 => view::<BlockQ5_0>(bytes),
            DType::Q5_1 => view::<BlockQ5_1>(bytes),
            DType::Q8_1 => view::<BlockQ8_1>(bytes),
            DType::Q2_K => view::<BlockQ2_K>(bytes),
            DType::Q3_K => view::<BlockQ3_K>(bytes),
            DType::Q8_K => view::<BlockQ8_K>(bytes),
            DType::IQ4_NL => view::<BlockIQ4_NL>(bytes),
            DType::IQ4_XS => view::<BlockIQ4_XS>(bytes),
            DType::MXFP4 => view::<BlockMXFP4>(bytes),
            DType::NVFP4 => view::<BlockNVFP4>(bytes),
            DType::TQ1_0 => view::<BlockTQ1_0>(bytes),
            DType::TQ2_0 => view::<BlockTQ2_0>(bytes),
            DType::IQ1_S => view::<BlockIQ1_S>(bytes),
            DType::IQ1_M => view::<BlockIQ1_M>(bytes),
            DType::IQ2_XXS => view::<BlockIQ2_XXS>(bytes),
            DType::IQ2_XS => view::<BlockIQ2_XS>(bytes),
            DType::IQ2_S => view::<BlockIQ2_S>(bytes),
            DType::IQ3_XXS => view::<BlockIQ3_XXS>(bytes),
            DType::IQ3_S => view::<BlockIQ3_S>(bytes),
        }
    }

    /// As stored.
    pub(crate) fn bytes(&self) -> &'w [u8] {
        for_blocks!(*self, b => bytemuck::cast_slice(b))
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
        is::<BlockQ4_1>(DType::Q4_1);
        is::<BlockQ5_0>(DType::Q5_0);
        is::<BlockQ5_1>(DType::Q5_1);
        is::<BlockQ8_1>(DType::Q8_1);
        is::<BlockQ2_K>(DType::Q2_K);
        is::<BlockQ3_K>(DType::Q3_K);
        is::<BlockQ8_K>(DType::Q8_K);
        is::<BlockIQ4_NL>(DType::IQ4_NL);
        is::<BlockIQ4_XS>(DType::IQ4_XS);
        is::<BlockMXFP4>(DType::MXFP4);
        is::<BlockNVFP4>(DType::NVFP4);
        is::<BlockTQ1_0>(DType::TQ1_0);
        is::<BlockTQ2_0>(DType::TQ2_0);
        is::<BlockIQ1_S>(DType::IQ1_S);
        is::<BlockIQ1_M>(DType::IQ1_M);
        is::<BlockIQ2_XXS>(DType::IQ2_XXS);
        is::<BlockIQ2_XS>(DType::IQ2_XS);
        is::<BlockIQ2_S>(DType::IQ2_S);
        is::<BlockIQ3_XXS>(DType::IQ3_XXS);
        is::<BlockIQ3_S>(DType::IQ3_S);
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
