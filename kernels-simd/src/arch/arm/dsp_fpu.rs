//! Dot products with the DSP extension and an FPU: whole rows in assembly, for inline
//! assembly has no registers of this FPU, and what the compiler puts between blocks costs as much
//! as half their products.

use core::arch::naked_asm;

use super::cpu;
pub(crate) use super::q8_0_pairs::q8_0;
use super::rows::{QUANTS, SUMS, gemv};
use crate::block::{BlockQ4_0, GROUPS, INPUT_BLOCK, InputBlock};
use crate::generic::matmul::Gemm;

/// Adds `scale * input scale (s3) * sum` to a row's result; its pointer moves to the next block.
/// `$t` is overwritten.
macro_rules! scale {
    ($row:literal, $bytes:literal, $sum:literal, $result:literal, $t:literal) => {
        concat!(
            "ldrh ",
            $t,
            ", [",
            $row,
            "], #",
            $bytes,
            "\n",
            "vmov s4, ",
            $t,
            "\n",
            "vcvtb.f32.f16 s4, s4\n",
            "vmul.f32 s4, s4, s3\n",
            "vmov s5, ",
            $sum,
            "\n",
            "vcvt.f32.s32 s5, s5\n",
            "vmul.f32 s4, s4, s5\n",
            "vadd.f32 ",
            $result,
            ", ",
            $result,
            ", s4\n",
        )
    };
}

/// Two weights of a row (nibbles of r10, masked by r3) and two inputs, added to its sum.
macro_rules! pair_q4_0 {
    ($sum:literal, $inputs:literal, $shift:literal) => {
        concat!(
            "and r12, r3, r10",
            $shift,
            "\n",
            "smlad ",
            $sum,
            ", r12, ",
            $inputs,
            ", ",
            $sum,
            "\n",
        )
    };
}

/// Eight weights of a row, at an offset: nibbles are halves as soon as the others are masked out.
macro_rules! row_q4_0 {
    ($row:literal, $weight:literal, $sum:literal) => {
        concat!(
            "ldr r10, [",
            $row,
            ", #",
            $weight,
            "]\n",
            pair_q4_0!($sum, "r6", ""),
            pair_q4_0!($sum, "r7", ", lsr #8"),
            pair_q4_0!($sum, "r8", ", lsr #4"),
            pair_q4_0!($sum, "r9", ", lsr #12"),
        )
    };
}

/// The products of 8 weights of both rows (r0, r1) and the inputs (r2), at the offsets of these,
/// added to r4 and r5.
macro_rules! step_q4_0 {
    ($at:literal, $high:literal, $weight:literal) => {
        concat!(
            "ldr r7, [r2, #",
            $at,
            "]\n",
            "ldr r9, [r2, #",
            $high,
            "]\n",
            "sxtb16 r6, r7\n",
            "sxtb16 r7, r7, ror #8\n",
            "sxtb16 r8, r9\n",
            "sxtb16 r9, r9, ror #8\n",
            row_q4_0!("r0", $weight, "r4"),
            row_q4_0!("r1", $weight, "r5"),
        )
    };
}

/// [`Dots`](super::rows::Dots) of two rows.
#[unsafe(naked)]
unsafe extern "C" fn dots_q4_0(
    w: &[*const BlockQ4_0; 2],
    x: *const InputBlock,
    groups: usize,
    out: &mut [f32; 2],
) {
    naked_asm!(
        cpu!(),
        "push {{r3, r4, r5, r6, r7, r8, r9, r10, r11, lr}}",
        "mov r11, r2",
        "mov lr, r1",                 // the scales of an input block
        "add r2, r1, #{quants}",      // its quants
        "ldm r0, {{r0, r1}}",
        "mov r3, #0x000f000f",
        "mov r4, #0",
        "vmov s0, r4",
        "vmov s1, r4",
        "mov r12, #{groups}",         // groups until the next one
        "2:",
        "vmov s6, r12",
        // Weights are nibbles less 8: -8 times the sum of the inputs, which is stored after their
        // scale.
        "ldr r6, [lr, #{sums}]",
        "mvn r7, #0x00070007",
        "smuad r4, r6, r7",
        "mov r5, r4",
        step_q4_0!("0", "16", "2"),
        step_q4_0!("4", "20", "6"),
        step_q4_0!("8", "24", "10"),
        step_q4_0!("12", "28", "14"),
        "vldmia lr!, {{s3}}",
        scale!("r0", "18", "r4", "s0", "r12"),
        scale!("r1", "18", "r5", "s1", "r12"),
        "add r2, r2, #32",
        "subs r11, r11, #1",
        "beq 3f",
        "vmov r12, s6",
        "subs r12, r12, #1",
        "bne 2b",
        "mov r12, #{groups}",
        "add r2, r2, #{to_quants}",
        "add lr, lr, #{to_scales}",
        "b 2b",
        "3:",
        "ldr r4, [sp]",
        "vstmia r4, {{s0, s1}}",
        "pop {{r3, r4, r5, r6, r7, r8, r9, r10, r11, pc}}",
        quants = const QUANTS,
        sums = const SUMS,
        groups = const GROUPS,
        to_quants = const size_of::<InputBlock>() - INPUT_BLOCK,
        to_scales = const size_of::<InputBlock>() - GROUPS * size_of::<f32>(),
    )
}

const _: () = assert!(size_of::<BlockQ4_0>() == 18);

/// See [`Table::q4_0`](crate::generic::matmul::Table::q4_0).
pub(crate) fn q4_0(g: Gemm<'_, BlockQ4_0, InputBlock>) {
    gemv(g, dots_q4_0);
}
