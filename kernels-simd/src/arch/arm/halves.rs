//! Products of halves, which the KV cache holds: widened by the FPU, four at a time.
//!
//! In assembly, for the compiler knows neither the conversion nor, in inline assembly, the registers
//! (see [`super::fpu`]). `vmla` rounds the product and then the sum, so the numbers are the plain
//! kernels'.

use core::arch::naked_asm;

use super::cpu;
use super::fpu::widen;
use crate::block::F16;
use crate::generic::accumulate::add_product;

/// Halves of a step: what [`dot_float`](crate::arch::scalar::dot::dot_float) sums apart.
const STEP: usize = 8;

/// Four halves at r0, which moves past them, as f32 in s12 to s15; r12 and `$t` are overwritten.
#[cfg(not(xielu_mve))]
macro_rules! widen_four {
    ($t:literal) => {
        concat!(
            "ldr r12, [r0], #4\n",
            "ldr ",
            $t,
            ", [r0], #4\n",
            "vmov s13, s14, r12, ",
            $t,
            "\n",
            "vcvtb.f32.f16 s12, s13\n",
            "vcvtt.f32.f16 s13, s13\n",
            "vcvtt.f32.f16 s15, s14\n",
            "vcvtb.f32.f16 s14, s14\n",
        )
    };
}
/// As above, by Helium: the conversion alone, which is exact.
#[cfg(xielu_mve)]
macro_rules! widen_four {
    ($t:literal) => {
        "vldrh.u32 q3, [r0], #8\nvcvtb.f32.f16 q3, q3\n"
    };
}

/// Eight sums apart over so many steps (at least one), then added in their order.
///
/// # Safety
/// `w` and `x` hold `8 * steps` values; with Helium, `w` is at an even address.
#[unsafe(naked)]
unsafe extern "C" fn dot_steps(w: *const F16, x: *const f32, steps: usize) -> f32 {
    naked_asm!(
        cpu!(),
        "mov r12, #0",
        "vmov s0, s1, r12, r12",
        "vmov s2, s3, r12, r12",
        "vmov s4, s5, r12, r12",
        "vmov s6, s7, r12, r12",
        "2:",
        widen_four!("r3"),
        "vldmia r1!, {{s8, s9, s10, s11}}",
        "vmla.f32 s0, s8, s12",
        "vmla.f32 s1, s9, s13",
        "vmla.f32 s2, s10, s14",
        "vmla.f32 s3, s11, s15",
        widen_four!("r3"),
        "vldmia r1!, {{s8, s9, s10, s11}}",
        "vmla.f32 s4, s8, s12",
        "vmla.f32 s5, s9, s13",
        "vmla.f32 s6, s10, s14",
        "vmla.f32 s7, s11, s15",
        "subs r2, r2, #1",
        "bne 2b",
        "vadd.f32 s0, s0, s1",
        "vadd.f32 s0, s0, s2",
        "vadd.f32 s0, s0, s3",
        "vadd.f32 s0, s0, s4",
        "vadd.f32 s0, s0, s5",
        "vadd.f32 s0, s0, s6",
        "vadd.f32 s0, s0, s7",
        "bx lr",
    )
}

/// Adds so many rows (at least one), each times its weight, to eight columns.
///
/// # Safety
/// `weights` holds `rows` values, and so many rows of eight halves begin at `first`, each
/// `to_next` bytes behind the end of the one before; with Helium, `first` is an even address and
/// `to_next` an even number.
#[unsafe(naked)]
unsafe extern "C" fn add_eight_columns(
    first: *const F16,
    weights: *const f32,
    rows: usize,
    to_next: usize,
    out: &mut [f32; STEP],
) {
    naked_asm!(
        cpu!(),
        "push {{r4, lr}}",
        "ldr r12, [sp, #8]",
        "vldmia r12, {{s0, s1, s2, s3, s4, s5, s6, s7}}",
        "2:",
        "vldmia r1!, {{s8}}",
        widen_four!("r4"),
        "vmla.f32 s0, s8, s12",
        "vmla.f32 s1, s8, s13",
        "vmla.f32 s2, s8, s14",
        "vmla.f32 s3, s8, s15",
        widen_four!("r4"),
        "vmla.f32 s4, s8, s12",
        "vmla.f32 s5, s8, s13",
        "vmla.f32 s6, s8, s14",
        "vmla.f32 s7, s8, s15",
        "add r0, r0, r3",
        "subs r2, r2, #1",
        "bne 2b",
        "ldr r12, [sp, #8]",
        "vstmia r12, {{s0, s1, s2, s3, s4, s5, s6, s7}}",
        "pop {{r4, pc}}",
    )
}

/// Whether the kernels read halves from this address.
fn is_aligned(halves: &[F16]) -> bool {
    !cfg!(xielu_mve) || halves.as_ptr().addr().is_multiple_of(2)
}

/// See [`Table::f16`](crate::generic::matmul::Table::f16): one row and one token.
#[inline(always)]
pub(crate) fn dot(w: &[F16], x: &[f32]) -> f32 {
    let steps = if is_aligned(w) { (w.len() / STEP).min(x.len() / STEP) } else { 0 };
    let mut sum = 0.0;
    if steps > 0 {
        // SAFETY: both slices hold so many steps, and `is_aligned`; build.rs sets `xielu_vfma`, with
        // which this is compiled, and `xielu_mve` for targets that have the instructions.
        sum = unsafe { dot_steps(w.as_ptr(), x.as_ptr(), steps) };
    }
    let rest = w.iter().zip(x).skip(steps * STEP);
    sum + rest.map(|(&w, &x)| get(w) * x).sum::<f32>()
}

/// See [`Table::row_sum_f16`](crate::generic::matmul::Table::row_sum_f16): one set of weights.
#[inline(always)]
pub(crate) fn weighted_row_sum(rows: &[F16], weights: &[f32], out: &mut [f32]) {
    let columns = out.len();
    let count = weights.len().min(rows.len().checked_div(columns).unwrap_or(0));
    let mut done = 0;
    if count > 0 && is_aligned(rows) {
        for out in out.as_chunks_mut::<STEP>().0 {
            let to_next = (columns - STEP) * size_of::<F16>();
            // SAFETY: `rows` holds `count` rows of `columns` values, of which eight are left from
            // `done` on, and `weights` as many values; as in `dot`.
            unsafe {
                let first = rows.as_ptr().add(done);
                add_eight_columns(first, weights.as_ptr(), count, to_next, out);
            }
            done += STEP;
        }
    }
    for (r, &weight) in weights.iter().enumerate().take(count) {
        let row = rows.get(r * columns..).unwrap_or_default();
        for (out, &w) in out.iter_mut().zip(row).skip(done) {
            *out = add_product(*out, weight, get(w));
        }
    }
}

fn get(half: F16) -> f32 {
    widen(u16::from_le_bytes(half.0).into())
}
