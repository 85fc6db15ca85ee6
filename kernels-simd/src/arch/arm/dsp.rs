//! Dot products with the DSP extension where there is no FPU: two 16-bit products and their sum in
//! one instruction.
//!
//! Four bytes become two pairs of halves, of the even and of the odd ones, and a few rows share
//! those of the input. A block of all of them is one piece of assembly: left to itself the compiler
//! reorders its parts until the registers no longer suffice. (Overflow of a sum would set a flag
//! that nothing reads, and cannot happen: a block's sum is below 2^20.)

use core::arch::asm;

use super::rows::gemv;
use crate::block::{BlockQ4_0, BlockQ8_0, F16, GROUPS, InputBlock, QK};
use crate::generic::accumulate::add_scaled;
use crate::generic::matmul::Gemm;

/// Rows of Q8_0 that are computed together.
const Q8_0_ROWS: usize = 3;
/// Rows of Q4_0 that are computed together: nibbles take more registers.
const Q4_0_ROWS: usize = 2;

/// A format of 32 values a block, in rows of which some are computed together.
trait Group<const R: usize>: Copy {
    fn scale(&self) -> F16;
    /// `w . x` of each row.
    fn dots(w: [&Self; R], x: &[i8; QK], sums: [i16; 2]) -> [i32; R];
}

/// The products of 4 weights of each row, at an offset. (The assembler could repeat them, but then
/// the compiler would not know how long they are.)
macro_rules! step_q8_0 {
    ($at:literal) => {
        concat!(
            "ldr {odd}, [{x}, #",
            $at,
            "]\n",
            "ldr {w}, [{a}, #",
            $at,
            "]\n",
            "sxtb16 {even}, {odd}\n",
            "sxtb16 {odd}, {odd}, ror #8\n",
            "sxtb16 {t}, {w}\n",
            "sxtb16 {w}, {w}, ror #8\n",
            "smlad {sa}, {t}, {even}, {sa}\n",
            "smlad {sa}, {w}, {odd}, {sa}\n",
            "ldr {w}, [{b}, #",
            $at,
            "]\n",
            "sxtb16 {t}, {w}\n",
            "sxtb16 {w}, {w}, ror #8\n",
            "smlad {sb}, {t}, {even}, {sb}\n",
            "smlad {sb}, {w}, {odd}, {sb}\n",
            "ldr {w}, [{c}, #",
            $at,
            "]\n",
            "sxtb16 {t}, {w}\n",
            "sxtb16 {w}, {w}, ror #8\n",
            "smlad {sc}, {t}, {even}, {sc}\n",
            "smlad {sc}, {w}, {odd}, {sc}\n",
        )
    };
}

impl Group<Q8_0_ROWS> for BlockQ8_0 {
    #[inline(always)]
    fn scale(&self) -> F16 {
        self.d
    }

    #[inline(always)]
    fn dots([a, b, c]: [&Self; 3], x: &[i8; QK], _: [i16; 2]) -> [i32; 3] {
        let (mut sa, mut sb, mut sc) = (0, 0, 0);
        // SAFETY: this is compiled only with `xielu_dsp`, which build.rs sets for targets that have
        // the instructions; they read the 32 bytes of each of the four arrays.
        unsafe {
            asm!(
                step_q8_0!("0"),
                step_q8_0!("4"),
                step_q8_0!("8"),
                step_q8_0!("12"),
                step_q8_0!("16"),
                step_q8_0!("20"),
                step_q8_0!("24"),
                step_q8_0!("28"),
                x = in(reg) x.as_ptr(),
                a = in(reg) a.qs.as_ptr(),
                b = in(reg) b.qs.as_ptr(),
                c = in(reg) c.qs.as_ptr(),
                sa = inout(reg) sa,
                sb = inout(reg) sb,
                sc = inout(reg) sc,
                even = out(reg) _,
                odd = out(reg) _,
                w = out(reg) _,
                t = out(reg) _,
                options(pure, readonly, nostack),
            );
        }
        [sa, sb, sc]
    }
}

/// The products of 8 weights of each row, at the offsets of their inputs.
macro_rules! step_q4_0 {
    ($at:literal, $high:literal) => {
        concat!(
            "ldr {lo}, [{x}, #",
            $at,
            "]\n",
            "ldr {ho}, [{x}, #",
            $high,
            "]\n",
            "sxtb16 {le}, {lo}\n",
            "sxtb16 {lo}, {lo}, ror #8\n",
            "sxtb16 {he}, {ho}\n",
            "sxtb16 {ho}, {ho}, ror #8\n",
            "ldr {w}, [{a}, #",
            $at,
            "]\n",
            "and {t}, {mask}, {w}\n",
            "smlad {sa}, {t}, {le}, {sa}\n",
            "and {t}, {mask}, {w}, lsr #8\n",
            "smlad {sa}, {t}, {lo}, {sa}\n",
            "and {t}, {mask}, {w}, lsr #4\n",
            "smlad {sa}, {t}, {he}, {sa}\n",
            "and {t}, {mask}, {w}, lsr #12\n",
            "smlad {sa}, {t}, {ho}, {sa}\n",
            "ldr {w}, [{b}, #",
            $at,
            "]\n",
            "and {t}, {mask}, {w}\n",
            "smlad {sb}, {t}, {le}, {sb}\n",
            "and {t}, {mask}, {w}, lsr #8\n",
            "smlad {sb}, {t}, {lo}, {sb}\n",
            "and {t}, {mask}, {w}, lsr #4\n",
            "smlad {sb}, {t}, {he}, {sb}\n",
            "and {t}, {mask}, {w}, lsr #12\n",
            "smlad {sb}, {t}, {ho}, {sb}\n",
        )
    };
}

impl Group<Q4_0_ROWS> for BlockQ4_0 {
    #[inline(always)]
    fn scale(&self) -> F16 {
        self.d
    }

    /// Nibbles are halves as soon as the others are masked out.
    #[inline(always)]
    fn dots([a, b]: [&Self; 2], x: &[i8; QK], [s0, s1]: [i16; 2]) -> [i32; 2] {
        let offset = -8 * (i32::from(s0) + i32::from(s1));
        let (mut sa, mut sb) = (offset, offset);
        // SAFETY: this is compiled only with `xielu_dsp`, which build.rs sets for targets that have
        // the instructions; they read the 32 bytes of `x` and the 16 of both blocks.
        unsafe {
            asm!(
                step_q4_0!("0", "16"),
                step_q4_0!("4", "20"),
                step_q4_0!("8", "24"),
                step_q4_0!("12", "28"),
                x = in(reg) x.as_ptr(),
                a = in(reg) a.qs.as_ptr(),
                b = in(reg) b.qs.as_ptr(),
                mask = in(reg) 0x000f_000f,
                sa = inout(reg) sa,
                sb = inout(reg) sb,
                le = out(reg) _,
                lo = out(reg) _,
                he = out(reg) _,
                ho = out(reg) _,
                w = out(reg) _,
                t = out(reg) _,
                options(pure, readonly, nostack),
            );
        }
        [sa, sb]
    }
}

/// [`Dots`](super::rows::Dots) of `R` rows.
unsafe extern "C" fn dots<B: Group<R>, const R: usize>(
    w: &[*const B; R],
    x: *const InputBlock,
    groups: usize,
    out: &mut [f32; R],
) {
    for i in 0..groups {
        // SAFETY: `Dots` requires that `x` has so many groups.
        let x = unsafe { &*x.add(i / GROUPS) };
        let Some(quants) = x.qs.as_chunks().0.get(i % GROUPS) else { return };
        // SAFETY: `Dots` requires that every row has so many blocks.
        let blocks = w.map(|w| unsafe { &*w.add(i) });
        let sums = B::dots(blocks, quants, x.half_sums(i));
        for ((out, block), sum) in out.iter_mut().zip(blocks).zip(sums) {
            *out = add_scaled(*out, block.scale(), x.d[i % GROUPS], sum);
        }
    }
}

/// See [`Table::q8_0`](crate::generic::matmul::Table::q8_0).
pub(crate) fn q8_0(g: Gemm<'_, BlockQ8_0, InputBlock>) {
    gemv(g, dots::<_, Q8_0_ROWS>);
}

/// See [`Table::q4_0`](crate::generic::matmul::Table::q4_0).
pub(crate) fn q4_0(g: Gemm<'_, BlockQ4_0, InputBlock>) {
    gemv(g, dots::<_, Q4_0_ROWS>);
}
