//! Q8_0 for RISC-V without an FPU: four rows share the loads of the inputs, and what scales their sums
//! is not called but inlined.

use core::arch::asm;

use super::dot::dot_q8_0;
use crate::block::{BlockQ8_0, GROUPS, InputBlock, QK};
use crate::generic::matmul::Gemm;
use crate::generic::soft_float::add_scaled_inline;

/// Rows that are computed together.
const ROWS: usize = 4;

/// See [`Table::q8_0`](crate::generic::matmul::Table::q8_0).
pub(crate) fn q8_0(mut g: Gemm<'_, BlockQ8_0, InputBlock>) {
    for t in 0..g.out.tokens() {
        let x = g.x.get(t * g.x_stride..).and_then(|x| x.get(..g.x_stride)).unwrap_or_default();
        let Some(out) = g.out.token(t) else { return };
        let row = |r: usize| {
            let start = r * g.row_stride;
            g.w.get(start..start + g.row_blocks).unwrap_or_default()
        };
        let write = |out: &mut f32, sum| *out = if g.accumulate { *out + sum } else { sum };
        let (fours, rest) = out.as_chunks_mut::<ROWS>();
        let mut r = 0;
        for out in fours {
            let sums = dots([row(r), row(r + 1), row(r + 2), row(r + 3)], x);
            out.iter_mut().zip(sums).for_each(|(out, sum)| write(out, sum));
            r += ROWS;
        }
        for out in rest {
            write(out, dot_q8_0(row(r), x));
            r += 1;
        }
    }
}

/// `w[r] . x`: exact integer sums per block, scaled and added in f32 in the order of the blocks.
fn dots(rows: [&[BlockQ8_0]; ROWS], x: &[InputBlock]) -> [f32; ROWS] {
    let mut sums = [0.0; ROWS];
    for (i, x) in x.iter().enumerate() {
        let [a, b, c, d] = rows.map(|row| row.get(i * GROUPS..).unwrap_or_default());
        let mut products = [[0; ROWS]; GROUPS];
        let blocks = a.iter().zip(b).zip(c).zip(d).zip(x.qs.as_chunks().0);
        for (products, ((((a, b), c), d), x)) in products.iter_mut().zip(blocks) {
            *products = products_of([&a.qs, &b.qs, &c.qs, &d.qs], x);
        }
        for (r, (sum, row)) in sums.iter_mut().zip([a, b, c, d]).enumerate() {
            let mut total = *sum;
            for ((block, &scale), products) in row.iter().zip(&x.d).zip(&products) {
                total = add_scaled_inline(total, block.d, scale, products[r % ROWS]);
            }
            *sum = total;
        }
    }
    sums
}

/// The product of one row's quant and the input, at an offset.
macro_rules! row {
    ($at:literal, $row:literal, $sum:literal) => {
        concat!(
            "lb {w}, ",
            $at,
            "({",
            $row,
            "})\n",
            "mul {w}, {w}, {q}\n",
            "add {",
            $sum,
            "}, {",
            $sum,
            "}, {w}\n",
        )
    };
}

/// Those of all rows.
macro_rules! column {
    ($at:literal) => {
        concat!(
            "lb {q}, ",
            $at,
            "({x})\n",
            row!($at, "a", "sa"),
            row!($at, "b", "sb"),
            row!($at, "c", "sc"),
            row!($at, "d", "sd"),
        )
    };
}

/// Exact. In assembly, for the compiler reorders its parts until the registers no longer suffice.
#[inline(always)]
fn products_of([a, b, c, d]: [&[i8; QK]; ROWS], x: &[i8; QK]) -> [i32; ROWS] {
    let (mut sa, mut sb, mut sc, mut sd) = (0, 0, 0, 0);
    // SAFETY: this is compiled only for targets that have the instructions; they read the 32 bytes of
    // each of the five arrays.
    unsafe {
        asm!(
            "2:",
            column!("0"),
            column!("1"),
            column!("2"),
            column!("3"),
            column!("4"),
            column!("5"),
            column!("6"),
            column!("7"),
            "addi {x}, {x}, 8",
            "addi {a}, {a}, 8",
            "addi {b}, {b}, 8",
            "addi {c}, {c}, 8",
            "addi {d}, {d}, 8",
            "bne {x}, {end}, 2b",
            x = inout(reg) x.as_ptr() => _,
            end = in(reg) x.as_ptr().wrapping_add(QK),
            a = inout(reg) a.as_ptr() => _,
            b = inout(reg) b.as_ptr() => _,
            c = inout(reg) c.as_ptr() => _,
            d = inout(reg) d.as_ptr() => _,
            sa = inout(reg) sa,
            sb = inout(reg) sb,
            sc = inout(reg) sc,
            sd = inout(reg) sd,
            w = out(reg) _,
            q = out(reg) _,
            options(pure, readonly, nostack),
        );
    }
    [sa, sb, sc, sd]
}
