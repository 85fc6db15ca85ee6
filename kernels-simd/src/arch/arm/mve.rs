//! Dot products with Helium (MVE): sixteen products of bytes and their sum in one instruction.
//!
//! Whole rows in assembly, for the compiler gives inline assembly no vector registers. Four rows
//! share the inputs (q0, q1); their scales are gathered, and sums are converted, scaled and added
//! together. Vectors flush subnormal numbers to zero: inputs that could make some go to the plain
//! kernels (see [`is_normal`]).

use core::arch::naked_asm;

use super::rows::{Dots, QUANTS, SUMS, gemv};
use crate::arch::scalar::dot::{dot_q4_0, dot_q8_0};
use crate::block::{BlockQ4_0, BlockQ8_0, GROUPS, INPUT_BLOCK, InputBlock};
use crate::generic::gemv::gemv_by;
use crate::generic::matmul::Gemm;

/// The product of a block's 32 weights and the inputs, in `$sum`. `$row` is 16 bytes before the block,
/// and then before the next one.
macro_rules! block_q8_0 {
    ($row:literal, $sum:literal) => {
        concat!(
            "vldrb.u8 q2, [",
            $row,
            ", #18]\n",
            "vmladav.s8 ",
            $sum,
            ", q0, q2\n",
            "vldrb.u8 q2, [",
            $row,
            ", #34]!\n",
            "vmladava.s8 ",
            $sum,
            ", q1, q2\n",
        )
    };
}

/// As above, the weights being nibbles (q4 masks the lower ones), without their offset.
macro_rules! block_q4_0 {
    ($row:literal, $sum:literal) => {
        concat!(
            "vldrb.u8 q2, [",
            $row,
            ", #18]!\n",
            "vshr.u8 q5, q2, #4\n",
            "vand q2, q2, q4\n",
            "vmladav.s8 ",
            $sum,
            ", q0, q2\n",
            "vmladava.s8 ",
            $sum,
            ", q1, q5\n",
        )
    };
}

/// A function as [`Dots`] says, of four rows (r1, r3, r5, r7).
///
/// `$block` is one block of a row, whose scale is then `$back` bytes before the row's pointer; `$offset`
/// (with the scale of the inputs at r9) prepares what all sums need, `$add_offset` adds it to them in
/// q2.
macro_rules! dots {
    ($name:ident, $weights:ty, $block:ident, $back:literal, $offset:literal, $add_offset:literal) => {
        #[unsafe(naked)]
        unsafe extern "C" fn $name(
            w: &[*const $weights; 4],
            x: *const InputBlock,
            groups: usize,
            out: &mut [f32; 4],
        ) {
            naked_asm!(
                ".cpu cortex-m55",
                "push {{r3, r4, r5, r6, r7, r8, r9, r10, r11, lr}}",
                "vpush {{d8, d9, d10, d11, d12, d13}}",
                "mov r10, r2",            // groups that are left
                "mov r9, r1",             // the inputs' scales
                "add r8, r1, #{quants}",  // the inputs' quants
                "ldrd r1, r3, [r0]",
                "ldrd r5, r7, [r0, #8]",
                "vmov q6[2], q6[0], r1, r5",
                "vmov q6[3], q6[1], r3, r7",
                concat!("add r11, r1, #", $back),
                "vsub.i32 q6, q6, r11",   // from the first row's pointer to the rows' scales
                "sub r1, r1, #16",
                "sub r3, r3, #16",
                "sub r5, r5, #16",
                "sub r7, r7, #16",
                "vmov.i32 q3, #0",        // the results
                "vmov.i8 q4, #15",
                "2:",                     // an input block
                "cmp r10, #{groups}",
                "ite lo",
                "movlo r11, r10",
                "movhs r11, #{groups}",
                "sub r10, r10, r11",
                "dls lr, r11",
                "3:",                     // one of its groups
                "vldrb.u8 q0, [r8], #16",
                "vldrb.u8 q1, [r8], #16",
                $block!("r1", "r0"),
                $block!("r3", "r2"),
                $block!("r5", "r4"),
                $block!("r7", "r6"),
                $offset,
                "vmov q2[2], q2[0], r0, r4",
                "vmov q2[3], q2[1], r2, r6",
                $add_offset,
                "vcvt.f32.s32 q2, q2",
                "vldrh.u32 q0, [r1, q6]",
                "vcvtb.f32.f16 q0, q0",
                "ldr r11, [r9], #4",
                "vmul.f32 q0, q0, r11",
                "vmul.f32 q0, q0, q2",
                "vadd.f32 q3, q3, q0",
                "le lr, 3b",
                "add r8, r8, #{to_quants}",
                "add r9, r9, #{to_scales}",
                "cmp r10, #0",
                "bne 2b",
                "vpop {{d8, d9, d10, d11, d12, d13}}",
                "ldr r0, [sp]",
                "vstrw.32 q3, [r0]",
                "pop {{r3, r4, r5, r6, r7, r8, r9, r10, r11, pc}}",
                quants = const QUANTS,
                groups = const GROUPS,
                to_quants = const size_of::<InputBlock>() - INPUT_BLOCK,
                to_scales = const size_of::<InputBlock>() - GROUPS * size_of::<f32>(),
            )
        }
        const _: Dots<$weights, 4> = $name;
    };
}

dots!(dots_q8_0, BlockQ8_0, block_q8_0, "18", "", "");
// -8 times the sum of the inputs: of two halves, which are stored as far after the scale for all
// groups.
dots!(
    dots_q4_0,
    BlockQ4_0,
    block_q4_0,
    "2",
    "ldr r11, [r9, #32]\nmvn r12, #0x00070007\nsmuad r11, r11, r12",
    "vadd.i32 q2, q2, r11"
);
const _: () = assert!(SUMS == 32 && size_of::<BlockQ8_0>() == 34 && size_of::<BlockQ4_0>() == 18);

/// Whether no product of these inputs is subnormal, nor any sum of some. A scale of weights is 0 or at
/// least 2^-24, a sum of a block 0 or at least 1: with 2^-78 at least for the scales of inputs, products
/// are 0 or multiples of 2^-125, and so are their sums.
fn is_normal(x: &[InputBlock]) -> bool {
    const LEAST: f32 = f32::from_bits((127 - 78) << 23);
    // NaN is not.
    x.iter().flat_map(|block| block.d).all(|d| d == 0.0 || d >= LEAST)
}

/// Whether Helium reads scales there: at even addresses.
fn is_even<W>(w: &[W]) -> bool {
    w.as_ptr().addr().is_multiple_of(2)
}

/// See [`Table::q8_0`](crate::generic::matmul::Table::q8_0).
pub(crate) fn q8_0(g: Gemm<'_, BlockQ8_0, InputBlock>) {
    if is_even(g.w) && is_normal(g.x) { gemv(g, dots_q8_0) } else { gemv_by(g, dot_q8_0) }
}

/// See [`Table::q4_0`](crate::generic::matmul::Table::q4_0).
pub(crate) fn q4_0(g: Gemm<'_, BlockQ4_0, InputBlock>) {
    if is_even(g.w) && is_normal(g.x) { gemv(g, dots_q4_0) } else { gemv_by(g, dot_q4_0) }
}
