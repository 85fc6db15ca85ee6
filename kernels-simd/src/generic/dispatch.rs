//! GEMV for few tokens, GEMM for many.

use crate::block::{Format, InputBlock};
use crate::generic::gemm_float::{FloatPanelIsa, multiply_float_panels};
use crate::generic::gemm_quantized::{PanelIsa, multiply_panels};
use crate::generic::gemv::{ChunkDot, Chunked, PANEL_TOKENS, RowDot, gemv};
use crate::generic::matmul::Gemm;
use crate::generic::pack::Pack;
use crate::generic::unpacked::{Bits, Bytes, UNPACKED_PANEL_TOKENS, unpacked_panels};

/// A product of quantized weights: GEMV or GEMM, whichever is faster for so many tokens.
#[inline(always)]
pub(crate) fn product<D: ChunkDot<Block: Pack>, A: PanelIsa>(
    isa: A,
    rows: D,
    g: Gemm<'_, D::Block, InputBlock>,
) {
    if g.out.tokens() < D::PANEL_TOKENS && !g.packed {
        gemv::<_, _, 1>(g, Chunked(rows));
    } else {
        multiply_panels(isa, g);
    }
}

/// [`product`] of a format that is unpacked a row at a time.
#[inline(always)]
pub(crate) fn unpacked_product<A: PanelIsa>(
    isa: A,
    rows: impl RowDot<u8, InputBlock>,
    g: Gemm<'_, u8, InputBlock>,
    format: &Format,
) {
    if g.out.tokens() < UNPACKED_PANEL_TOKENS {
        gemv::<_, _, 1>(g, rows);
    } else {
        match (format.bytes, format.halves) {
            (false, false) => unpacked_panels::<Bits<false>, _>(isa, g, format),
            (false, true) => unpacked_panels::<Bits<true>, _>(isa, g, format),
            (true, false) => unpacked_panels::<Bytes<false>, _>(isa, g, format),
            (true, true) => unpacked_panels::<Bytes<true>, _>(isa, g, format),
        }
    }
}

/// [`product`] of float weights; for `V`, `T` and `H` see [`multiply_float_panels`].
#[inline(always)]
pub(crate) fn float_product<A, D, W: Copy, const V: usize, const T: usize, const H: usize>(
    isa: A,
    rows: D,
    g: Gemm<'_, W, f32>,
) where
    A: FloatPanelIsa<W>,
    D: RowDot<W, f32>,
{
    if g.out.tokens() < PANEL_TOKENS {
        gemv::<_, _, 3>(g, rows);
    } else {
        multiply_float_panels::<A, W, V, T, H>(isa, g);
    }
}

/// Defines product kernels, `name: block => product`. `$compile` compiles them with the features of
/// their instruction set, and `$isa` is its token.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
macro_rules! kernels {
    (
        $compile:ident, |$isa:ident: $token:ty, $g:ident|
        $($name:ident: $block:ident => $product:expr),+ $(,)?
    ) => {
        $compile! {
            $(
                pub(in crate::arch) fn $name(
                    $g: $crate::generic::matmul::Gemm<
                        '_,
                        $crate::block::$block,
                        $crate::block::InputBlock,
                    >,
                ) {
                    let $isa = <$token>::new();
                    $product
                }
            )+
        }
    };
}
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
pub(crate) use kernels;
