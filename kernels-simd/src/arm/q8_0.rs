//! Rows of Q8_0 where the DSP extension and an FPU meet: whole rows in assembly, for inline
//! assembly has no registers of this FPU, and what the compiler puts between blocks costs as much
//! as half their products.

use core::arch::naked_asm;

use crate::block::BlockQ8_0;
use crate::input::{GROUPS, INPUT_BLOCK, InputBlock};

/// Rows that are computed together.
const ROWS: usize = 3;

/// The products of 4 weights of each row (r0, r1, r2) and the inputs (r3), at an offset, added to
/// r4, r5 and r6; in the first step `smuad`, whose sums begin there.
macro_rules! step {
    ($at:literal, $weight:literal) => {
        step!(
            $at,
            $weight,
            "smlad r4, r10, r7, r4\n",
            "smlad r5, r10, r7, r5\n",
            "smlad r6, r10, r7, r6\n"
        )
    };
    ($at:literal, $weight:literal, $a:literal, $b:literal, $c:literal) => {
        concat!(
            "ldr r8, [r3, #",
            $at,
            "]\n",
            "ldr r9, [r0, #",
            $weight,
            "]\n",
            "sxtb16 r7, r8\n",
            "sxtb16 r8, r8, ror #8\n",
            "sxtb16 r10, r9\n",
            "sxtb16 r9, r9, ror #8\n",
            $a,
            "smlad r4, r9, r8, r4\n",
            "ldr r9, [r1, #",
            $weight,
            "]\n",
            "sxtb16 r10, r9\n",
            "sxtb16 r9, r9, ror #8\n",
            $b,
            "smlad r5, r9, r8, r5\n",
            "ldr r9, [r2, #",
            $weight,
            "]\n",
            "sxtb16 r10, r9\n",
            "sxtb16 r9, r9, ror #8\n",
            $c,
            "smlad r6, r9, r8, r6\n",
        )
    };
}

/// Adds `scale * input scale (s3) * sum` to a row's result; its pointer moves to the next block.
macro_rules! scale {
    ($row:literal, $sum:literal, $result:literal) => {
        concat!(
            "ldrh r9, [",
            $row,
            "], #34\n",
            "vmov s4, r9\n",
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

/// Who runs it: functions of assembly alone see neither the target's features nor its FPU.
#[cfg(not(xielu_armv8m))]
macro_rules! cpu {
    () => {
        ".fpu fpv4-sp-d16"
    };
}
/// As above, for the least CPU that has both.
#[cfg(xielu_armv8m)]
macro_rules! cpu {
    () => {
        ".cpu cortex-m33\n.fpu fpv5-sp-d16"
    };
}

/// `w . x` of each of three rows: `groups` (at least one) blocks, and as many groups of inputs.
///
/// # Safety
/// The rows hold `groups` blocks, `x` as many groups of 32 inputs.
#[unsafe(naked)]
pub(super) unsafe extern "C" fn dots(
    w: &[*const BlockQ8_0; ROWS],
    x: *const InputBlock,
    groups: usize,
    out: &mut [f32; ROWS],
) {
    naked_asm!(
        cpu!(),
        "push {{r3, r4, r5, r6, r7, r8, r9, r10, r11, lr}}",
        "mov r12, r2",
        "mov r11, r1",                // the scales of an input block
        "add r3, r1, #{quants}",      // its quants
        "ldm r0, {{r0, r1, r2}}",
        "mov r4, #0",
        "vmov s0, r4",
        "vmov s1, r4",
        "vmov s2, r4",
        "mov lr, #{groups}",          // groups until the next one
        "2:",
        step!("0", "2", "smuad r4, r10, r7\n", "smuad r5, r10, r7\n", "smuad r6, r10, r7\n"),
        step!("4", "6"),
        step!("8", "10"),
        step!("12", "14"),
        step!("16", "18"),
        step!("20", "22"),
        step!("24", "26"),
        step!("28", "30"),
        "vldmia r11!, {{s3}}",
        scale!("r0", "r4", "s0"),
        scale!("r1", "r5", "s1"),
        scale!("r2", "r6", "s2"),
        "add r3, r3, #32",
        "subs r12, r12, #1",
        "beq 3f",
        "subs lr, lr, #1",
        "bne 2b",
        "mov lr, #{groups}",
        "add r3, r3, #{to_quants}",
        "add r11, r11, #{to_scales}",
        "b 2b",
        "3:",
        "ldr r4, [sp]",
        "vstmia r4, {{s0, s1, s2}}",
        "pop {{r3, r4, r5, r6, r7, r8, r9, r10, r11, pc}}",
        quants = const QUANTS,
        groups = const GROUPS,
        to_quants = const size_of::<InputBlock>() - INPUT_BLOCK,
        to_scales = const size_of::<InputBlock>() - GROUPS * size_of::<f32>(),
    )
}

/// Where the quants of an input block begin; its scales come first.
const QUANTS: usize = core::mem::offset_of!(InputBlock, qs);
const _: () = assert!(core::mem::offset_of!(InputBlock, d) == 0);
const _: () = assert!(size_of::<BlockQ8_0>() == 34 && core::mem::offset_of!(BlockQ8_0, qs) == 2);
