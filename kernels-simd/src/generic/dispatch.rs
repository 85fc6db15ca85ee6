//! Which way suits a product's number of tokens: a row at a time, or panels.

use crate::block::InputBlock;
use crate::generic::gemm_float::{FloatPanelIsa, drive_float_panels};
use crate::generic::gemm_quantized::{PanelIsa, drive_panels};
use crate::generic::gemv::{ChunkDot, Chunked, PANEL_TOKENS, RowDot, drive_rows};
use crate::generic::matmul::Gemm;
use crate::generic::pack::Pack;

/// A product of quantized weights, whichever way suits the number of tokens.
#[inline(always)]
pub(crate) fn product<D: ChunkDot<Block: Pack>, A: PanelIsa>(
    isa: A,
    rows: D,
    g: Gemm<'_, D::Block, InputBlock>,
) {
    if g.out.tokens() < D::PANEL_TOKENS && !g.packed {
        drive_rows::<_, _, 1>(g, Chunked(rows));
    } else {
        drive_panels(isa, g);
    }
}

/// [`product`] of float weights; for `V`, `T` and `H` see [`drive_float_panels`].
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
        drive_rows::<_, _, 3>(g, rows);
    } else {
        drive_float_panels::<A, W, V, T, H>(isa, g);
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
