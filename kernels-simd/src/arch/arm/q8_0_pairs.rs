//! Q8_0 with the DSP extension and an FPU: two rows and two blocks at a time.
//!
//! Four bytes become two pairs of halves, of the even and of the odd ones. The inputs are taken
//! apart once for all rows; weights, which are read once, are loaded eight at a time. Such loads
//! must begin at a word, where the 34 bytes of a block begin only every second time. So blocks go
//! in pairs that begin at a word:
//!
//! ```text
//! word    0         1        ...  7         8         9        ...  16
//! bytes   s s 0 1   2 3 4 5  ...  26 - 29   30 31 s s 0 1 2 3  ...  28 - 31
//! ```
//!
//! The first block's inputs begin with the third: 2 to 5, 6 to 9 ..., 30 31 0 1. What is left of a
//! row before and after its pairs is multiplied a block at a time, and so are all blocks of a matrix
//! at an odd address. Whole rows are in assembly, for inline assembly has no registers of this FPU.

use core::arch::naked_asm;
use core::mem::{MaybeUninit, offset_of};

use super::cpu;
use super::rows::QUANTS;
use crate::block::{BlockQ8_0, GROUPS, InputBlock, QK};
use crate::generic::matmul::Gemm;

/// Blocks of a row whose inputs are taken apart together: even, so that the next ones begin at the
/// same part of a word.
const SEGMENT: usize = 32;
/// Rows whose output is kept aside while their sums take its place.
const ROWS: usize = 64;
/// Eight weights at `$at` from a row's pointer and their inputs (r6 to r9), added to `$sum`: in a
/// block's first step it begins there (`$begin`), in its fourth `$last` completes the last word.
macro_rules! eight {
    ($row:literal, $at:literal, $sum:literal, $begin:literal, $last:literal) => {
        concat!(
            "ldrd r10, r11, [",
            $row,
            ", #",
            $at,
            "\n",
            $last,
            "sxtb16 r12, r10\n",
            "sxtb16 r10, r10, ror #8\n",
            $begin,
            "smlad ",
            $sum,
            ", r10, r7, ",
            $sum,
            "\n",
            "sxtb16 r12, r11\n",
            "sxtb16 r11, r11, ror #8\n",
            "smlad ",
            $sum,
            ", r12, r8, ",
            $sum,
            "\n",
            "smlad ",
            $sum,
            ", r11, r9, ",
            $sum,
            "\n",
        )
    };
}

/// Eight weights of both rows. `$at` includes the bracket's end: the first load moves the pointer.
macro_rules! step {
    ($at:literal) => {
        concat!(
            "ldm r2!, {{r6, r7, r8, r9}}\n",
            eight!("r0", $at, "r4", "smlad r4, r12, r6, r4\n", ""),
            eight!("r1", $at, "r5", "smlad r5, r12, r6, r5\n", ""),
        )
    };
    (first $at:literal) => {
        concat!(
            "ldm r2!, {{r6, r7, r8, r9}}\n",
            eight!("r0", $at, "r4", "smuad r4, r12, r6\n", ""),
            eight!("r1", $at, "r5", "smuad r5, r12, r6\n", ""),
        )
    };
    // Scales: that of the first block in the lower half of one register, that of the second in
    // the upper half of the other.
    (scales $at:literal) => {
        concat!(
            "ldm r2!, {{r6, r7, r8, r9}}\n",
            eight!(
                "r0",
                $at,
                "r4",
                "smlad r4, r12, r6, r4\n",
                "ldr r12, [r0, #-4]\nvmov s6, s7, r12, r11\npkhbt r11, r11, r12\n"
            ),
            eight!(
                "r1",
                $at,
                "r5",
                "smlad r5, r12, r6, r5\n",
                "ldr r12, [r1, #-4]\nvmov s8, s9, r12, r11\npkhbt r11, r11, r12\n"
            ),
        )
    };
}

/// Four weights of a row at its pointer, which moves, and their inputs (r6, r7), added to `$sum`.
macro_rules! four {
    ($row:literal, $sum:literal) => {
        concat!(
            "ldr r10, [",
            $row,
            "], #4\n",
            "sxtb16 r11, r10\n",
            "sxtb16 r10, r10, ror #8\n",
            "smlad ",
            $sum,
            ", r11, r6, ",
            $sum,
            "\n",
            "smlad ",
            $sum,
            ", r10, r7, ",
            $sum,
            "\n",
        )
    };
}

/// How many of r2 blocks from r0 on come before the first pair.
macro_rules! heads {
    ($heads:literal) => {
        concat!(
            "ubfx ",
            $heads,
            ", r0, #1, #1\n",
            "tst r0, #1\n",
            "it ne\n",
            "movne ",
            $heads,
            ", r2\n"
        )
    };
}

/// Adds the products of rows from `w` on, `step` bytes apart, to sums that are `sums_step` bytes apart
/// and end at `sums_end`; all rows begin at the same part of a word. Row pointers (r0, r1) are 64 bytes
/// before a pair of blocks, so that its first load moves them.
///
/// # Safety
/// The pointers are of as many rows, blocks (at least one), inputs and sums.
#[unsafe(naked)]
unsafe extern "C" fn multiply_pairs(
    w: *const BlockQ8_0,
    x: &MaybeUninit<Inputs>,
    blocks: usize,
    step: usize,
    sums: *mut f32,
    sums_step: usize,
    sums_end: *mut f32,
) {
    naked_asm!(
        cpu!(),
        "push {{r4, r5, r6, r7, r8, r9, r10, r11, lr}}",
        heads!("r4"),
        "subs r5, r2, r4",
        "lsrs r6, r5, #1", // pairs
        "and r7, r5, #1", // blocks after them
        "mov r2, r4",
        "subs r0, #64",
        // In front of the other arguments, which begin at 60: pairs, blocks after them; row, inputs,
        // blocks before pairs, step.
        "push {{r0, r1, r2, r3, r6, r7}}",
        "2:", // two rows
        "ldrd r4, r6, [sp, #60]",
        "ldrd r3, r5, [sp, #8]",
        "ldr r7, [sp, #68]",
        "subs r7, r7, r4",
        "beq 1f",
        "cmp r7, r6",
        "bne 4f",
        "movs r5, #0",             // the last one alone, twice
        "movs r6, #0",
        "str r6, [sp, #64]",
        "str r4, [sp, #68]",
        "4:",
        "ldrd r0, r2, [sp]",
        "mov lr, r2",             // scales of the inputs
        "adds r2, #{quants}",  // their quants
        "adds r1, r0, r5",
        "adds r5, r1, r5",
        "str r5, [sp]",
        "vldr s0, [r4]",
        "adds r6, r4, r6",
        "vldr s1, [r6]",
        "cbz r3, 3f",
        "mov r9, #0",
        "b 7f",
        "3:",
        "ldr r3, [sp, #16]",
        "cmp r3, #0",
        "beq 6f",
        "5:", // two blocks
        "vldmia lr!, {{s3, s4}}",
        step!(first "68]!"),
        step!("8]"),
        step!("16]"),
        step!(scales "24]"),
        "vmov s10, s11, r4, r5",
        step!(first "32]"),
        step!("40]"),
        step!("48]"),
        step!("56]"),
        "vmov s12, s13, r4, r5",
        "vcvtb.f32.f16 s6, s6",
        "vcvtb.f32.f16 s8, s8",
        "vcvtt.f32.f16 s7, s7",
        "vcvtt.f32.f16 s9, s9",
        "vcvt.f32.s32 s10, s10",
        "vcvt.f32.s32 s11, s11",
        "vcvt.f32.s32 s12, s12",
        "vcvt.f32.s32 s13, s13",
        "vmul.f32 s6, s6, s3",
        "vmul.f32 s8, s8, s3",
        "vmul.f32 s7, s7, s4",
        "vmul.f32 s9, s9, s4",
        "vmla.f32 s0, s6, s10",
        "vmla.f32 s1, s8, s11",
        "vmla.f32 s0, s7, s12",
        "vmla.f32 s1, s9, s13",
        "subs r3, r3, #1",
        "bne 5b",
        "6:",
        "ldr r3, [sp, #20]",
        "cmp r3, #0",
        "beq 9f",
        "mov r9, #1",
        "7:", // one block
        "adds r0, #64",
        "adds r1, #64",
        "vldmia lr!, {{s3}}",
        "ldrh r10, [r0], #2",
        "ldrh r11, [r1], #2",
        "vmov s6, s7, r10, r11",
        "movs r4, #0",
        "movs r5, #0",
        "mov r8, #8",
        "8:",
        "ldm r2!, {{r6, r7}}",
        four!("r0", "r4"),
        four!("r1", "r5"),
        "subs r8, r8, #1",
        "bne 8b",
        "subs r0, #64",
        "subs r1, #64",
        "vmov s8, s9, r4, r5",
        "vcvtb.f32.f16 s6, s6",
        "vcvtb.f32.f16 s7, s7",
        "vcvt.f32.s32 s8, s8",
        "vcvt.f32.s32 s9, s9",
        "vmul.f32 s6, s6, s3",
        "vmul.f32 s7, s7, s3",
        "vmla.f32 s0, s6, s8",
        "vmla.f32 s1, s7, s9",
        "subs r3, r3, #1",
        "bne 7b",
        "cmp r9, #0",
        "beq 3b",
        "9:",
        "ldrd r4, r5, [sp, #60]",
        "vstr s0, [r4]",
        "add r4, r4, r5",
        "vstr s1, [r4]",
        "add r4, r4, r5",
        "str r4, [sp, #60]",
        "b 2b",
        "1:",
        "add sp, sp, #24",
        "pop {{r4, r5, r6, r7, r8, r9, r10, r11, pc}}",
        quants = const offset_of!(Inputs, quants),
    )
}

/// The inputs of a segment, as [`multiply_pairs`] reads them.
#[repr(C)]
struct Inputs {
    scales: [MaybeUninit<f32>; SEGMENT],
    /// Pairs of halves of every group: the even ones of four, then the odd ones.
    quants: [[MaybeUninit<u32>; QK / 2]; SEGMENT],
}

/// Takes so many groups of `x` apart, at least one; `x` begins with one of them. Pairs are where those
/// of `w` are.
///
/// # Safety
/// `x` has so many groups; they are no more than [`SEGMENT`].
#[unsafe(naked)]
unsafe extern "C" fn take_apart(
    w: *const BlockQ8_0,
    inputs: &mut MaybeUninit<Inputs>,
    groups: usize,
    x: *const InputBlock,
) {
    macro_rules! word {
        ($load:literal, $from:literal) => {
            concat!(
                $load,
                "sxtb16 r8, ",
                $from,
                ", ror #8\n",
                "sxtb16 r7, ",
                $from,
                "\n",
                "strd r7, r8, [r4], #8\n"
            )
        };
    }
    naked_asm!(
        cpu!(),
        "push {{r3, r4, r5, r6, r7, r8, r9, r10, r11, lr}}",
        heads!("r4"),
        "sub r11, r2, r4",
        "and r11, r11, #1",       // groups after the pairs
        // Where a group begins, and what is between that and the next group's.
        "lsls r4, r0, #1",
        "and r4, r4, #2",
        "eor r10, r4, #2",
        "mvns r4, r0",
        "mov r0, r3",
        "and r3, r4, r10",
        "add r4, r1, #{out}",
        "2:", // an input block
        "add r6, r0, #{quants}",
        "mov r12, #{groups}",
        "3:", // one of its groups
        "cmp r2, r11",
        "it eq",
        "moveq r3, #0",
        "ldr r5, [r0], #4",
        "str r5, [r1], #4",
        "ldr r7, [r6]",
        "ldr r9, [r6, #28]",
        "adds r5, r6, r3",
        "cmp r3, #0",
        "itt ne",
        "lsrne r9, r9, #16",
        "orrne r9, r9, r7, lsl #16",
        "mov lr, #7",
        "4:",
        word!("ldr r7, [r5], #4\n", "r7"),
        "subs lr, lr, #1",
        "bne 4b",
        word!("", "r9"),
        "adds r6, #32",
        "eor r3, r3, r10",
        "subs r2, r2, #1",
        "beq 5f",
        "subs r12, r12, #1",
        "bne 3b",
        "add r0, r0, #{to_next}",
        "b 2b",
        "5:",
        "pop {{r3, r4, r5, r6, r7, r8, r9, r10, r11, pc}}",
        out = const offset_of!(Inputs, quants),
        quants = const QUANTS,
        groups = const GROUPS,
        to_next = const size_of::<InputBlock>() - GROUPS * size_of::<f32>(),
    )
}

/// See [`Table::q8_0`](crate::generic::matmul::Table::q8_0).
///
/// The same numbers as the plain kernels': exact integer sums per block, scaled and added in f32 in
/// the order of the blocks.
pub(crate) fn q8_0(mut g: Gemm<'_, BlockQ8_0, InputBlock>) {
    let blocks = g.row_blocks.min(g.x_stride * GROUPS);
    let rows = g.out.rows();
    let last = rows.saturating_sub(1);
    let fits =
        g.w.len() >= last * g.row_stride + g.row_blocks && g.x.len() >= g.out.tokens() * g.x_stride;
    // Rows of an odd number of blocks begin at different parts of a word in turn.
    let classes = 1 + g.row_stride % 2;
    let chunk = if g.accumulate { ROWS } else { rows };
    let mut inputs = MaybeUninit::uninit();
    let mut before = [0.0; ROWS];
    for t in 0..g.out.tokens() {
        // Always: `Matrix` and `Kernels::product` checked the lengths.
        let (true, Some(out)) = (fits, g.out.token(t)) else { return };
        let x = g.x.as_ptr().wrapping_add(t * g.x_stride);
        let mut w = g.w.as_ptr();
        for out in out.chunks_mut(chunk.max(1)) {
            if g.accumulate {
                before.iter_mut().zip(&*out).for_each(|(before, out)| *before = *out);
            }
            out.fill(0.0);
            for class in 0..classes.min(out.len()) {
                for start in (0..blocks).step_by(SEGMENT) {
                    let groups = SEGMENT.min(blocks - start);
                    let row = w.wrapping_add(class * g.row_stride + start);
                    let sums = out.as_mut_ptr().wrapping_add(class);
                    let end = sums.wrapping_add((out.len() - class).div_ceil(classes) * classes);
                    // SAFETY: `fits` says that every row up to `last` has its blocks and every token
                    // its inputs, `groups` is not above either, and `out` has a sum for every row.
                    // build.rs enables this module only for targets with its instructions.
                    unsafe {
                        take_apart(row, &mut inputs, groups, x.wrapping_add(start / GROUPS));
                        let bytes = classes * g.row_stride * size_of::<BlockQ8_0>();
                        multiply_pairs(row, &inputs, groups, bytes, sums, 4 * classes, end);
                    }
                }
            }
            if g.accumulate {
                out.iter_mut().zip(&before).for_each(|(out, before)| *out += before);
            }
            w = w.wrapping_add(ROWS * g.row_stride);
        }
    }
}

const _: () = assert!(size_of::<BlockQ8_0>() == 34 && offset_of!(Inputs, scales) == 0);
