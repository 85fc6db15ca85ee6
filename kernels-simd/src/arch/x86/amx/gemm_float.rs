//! Products of bf16 weights with many tokens: tiles of 16 rows and 16 tokens.
//!
//! The hardware multiplies bf16 with bf16, so an input becomes the sum of two: what bf16 keeps of
//! it, and of the rest. Together they have 16 bits of an f32's 24: `|x - (high + low)| <= 2^-17
//! |x|`. Weights are exact and used in place, as the left-hand side of a tile product. Inputs are
//! the right-hand side: two columns of each token side by side.

use core::arch::asm;
use core::arch::x86_64::*;
use core::mem::MaybeUninit;

use super::gemm_quantized::bits;
use super::tiles::{COLS, LANES, STEP, TILE_ROWS, Tile, Tiles};
use super::token::{Amx, amx};
use crate::arch::x86::avx512::token::{Avx512, avx512};
use crate::block::BF16;
use crate::generic::matmul::Gemm;

/// From this many tokens on, tiles are used.
pub(super) const TOKENS: usize = 16;
/// Tokens split at a time, and their columns: 64 KiB of them.
const BATCH: usize = 64;
const DEPTH: usize = 256;

/// 32 columns of 32 tokens: of the high parts two tiles, then of the low ones.
#[repr(C, align(64))]
struct Inputs([[Tile; 2]; 2]);

/// `[tokens' tile][rows' tile][row][token]`, as f32.
#[repr(C, align(64))]
struct Sums([[Tile; 2]; 2]);

const ZERO: [[Tile; 2]; 2] = [[[[0; LANES]; TILE_ROWS]; 2]; 2];

/// Every row against every token.
#[inline(always)]
pub(super) fn drive(tiles: &Tiles, mut g: Gemm<'_, BF16, f32>) {
    let isa = tiles.isa();
    let mut memory = [const { [const { MaybeUninit::uninit() }; DEPTH / COLS] }; BATCH / STEP];
    let (tokens, cols) = (g.out.tokens(), g.x_stride);
    for first_token in (0..tokens).step_by(BATCH) {
        // At least once: without columns, sums are zero.
        for first_col in (0..cols.max(1)).step_by(DEPTH) {
            let depth = (cols - first_col).min(DEPTH).div_ceil(COLS);
            let count = (tokens - first_token).min(BATCH).div_ceil(STEP);
            for (i, inputs) in memory.iter_mut().enumerate().take(count) {
                for (k, inputs) in inputs.iter_mut().enumerate().take(depth) {
                    let inputs = inputs.write(Inputs(ZERO));
                    split(isa, &g, first_token + i * STEP, first_col + k * COLS, inputs);
                }
            }
            for first_row in (0..g.out.rows()).step_by(STEP) {
                for (i, inputs) in memory.iter().enumerate().take(count) {
                    let inputs = inputs.get(..depth).unwrap_or_default();
                    // SAFETY: the first `depth` of the first `count` were written above.
                    let inputs = unsafe { &*(core::ptr::from_ref(inputs) as *const [Inputs]) };
                    let mut sums = Sums(ZERO);
                    add_products(tiles, &g, first_row, first_col, inputs, &mut sums);
                    let replace = first_col == 0 && !g.accumulate;
                    write(isa, &mut g, first_row, first_token + i * STEP, &sums, replace);
                }
            }
        }
    }
}

/// Splits 32 columns of 32 tokens to bf16; those that do not exist are zero.
#[inline(always)]
fn split(
    isa: Amx,
    g: &Gemm<'_, BF16, f32>,
    first_token: usize,
    first_col: usize,
    inputs: &mut Inputs,
) {
    let cols = (g.x_stride - first_col).min(COLS);
    for tile in 0..2 {
        let mut parts = [[amx!(isa, _mm512_setzero_si512()); TILE_ROWS]; 2];
        let [high, low] = &mut parts;
        for (t, (high, low)) in high.iter_mut().zip(low).enumerate() {
            let first = (first_token + tile * TILE_ROWS + t) * g.x_stride + first_col;
            let x = g.x.get(first..first + cols).unwrap_or_default();
            [*high, *low] = halves(isa, x);
        }
        for (rows, part) in parts.iter_mut().zip(&mut inputs.0) {
            transpose(isa.vectors().avx512(), rows);
            let Some(out) = part.get_mut(tile) else { break };
            for (out, row) in out.iter_mut().zip(rows) {
                isa.vectors().avx512().store_512(*row, out);
            }
        }
    }
}

/// Up to 32 values rounded to bf16, and the rounding errors as bf16, which are zero for infinities
/// and NaNs; missing values are zero.
#[inline(always)]
fn halves(_: Amx, x: &[f32]) -> [__m512i; 2] {
    const NOT_FINITE: i32 = 0x99;
    let mask = (1u64 << x.len().min(COLS)) - 1;
    let (low_mask, high_mask) = (mask as u16, (mask >> LANES) as u16);
    let p = x.as_ptr();
    // SAFETY: the `Amx` is the proof of AVX-512 F, DQ and BF16. The masks have a bit for each value
    // of `x`, so the loads read these and nothing else.
    unsafe {
        let a = _mm512_maskz_loadu_ps(low_mask, p);
        let b = _mm512_maskz_loadu_ps(high_mask, p.wrapping_add(LANES));
        let high = bits(_mm512_cvtne2ps_pbh(b, a));
        let [high_a, high_b] = [_mm512_castsi512_si256(high), _mm512_extracti64x4_epi64::<1>(high)];
        let high_a = _mm512_castsi512_ps(_mm512_slli_epi32::<16>(_mm512_cvtepu16_epi32(high_a)));
        let high_b = _mm512_castsi512_ps(_mm512_slli_epi32::<16>(_mm512_cvtepu16_epi32(high_b)));
        let finite_a = !_mm512_fpclass_ps_mask::<NOT_FINITE>(high_a);
        let finite_b = !_mm512_fpclass_ps_mask::<NOT_FINITE>(high_b);
        let low_a = _mm512_maskz_sub_ps(finite_a, a, high_a);
        let low_b = _mm512_maskz_sub_ps(finite_b, b, high_b);
        [high, bits(_mm512_cvtne2ps_pbh(low_b, low_a))]
    }
}

/// Which lanes two rows `distance` apart exchange: of both together, those that either keeps.
const fn exchange(distance: usize) -> [Lane; 2] {
    let mut lanes = [[0; LANES]; 2];
    let mut i = 0;
    while i < LANES {
        let upper = i & distance != 0;
        lanes[0][i] = if upper { LANES + i - distance } else { i } as i32;
        lanes[1][i] = if upper { LANES + i } else { i + distance } as i32;
        i += 1;
    }
    lanes
}

type Lane = [i32; LANES];

/// Rows become columns.
#[inline(always)]
fn transpose(isa: Avx512, rows: &mut [__m512i; TILE_ROWS]) {
    exchange_rows::<1>(isa, rows);
    exchange_rows::<2>(isa, rows);
    exchange_rows::<4>(isa, rows);
    exchange_rows::<8>(isa, rows);
}

/// Rows `DISTANCE` apart exchange lanes.
#[inline(always)]
fn exchange_rows<const DISTANCE: usize>(isa: Avx512, rows: &mut [__m512i; TILE_ROWS]) {
    let [first, second] = const { exchange(DISTANCE) };
    let (first, second) = (isa.load_512(&first), isa.load_512(&second));
    for rows in rows.chunks_exact_mut(2 * DISTANCE) {
        let Some((upper, lower)) = rows.split_at_mut_checked(DISTANCE) else { break };
        for (upper, lower) in upper.iter_mut().zip(lower) {
            let (a, b) = (*upper, *lower);
            *upper = avx512!(isa, _mm512_permutex2var_epi32(a, first, b));
            *lower = avx512!(isa, _mm512_permutex2var_epi32(a, second, b));
        }
    }
}

/// The products of 32 rows, from `first_row` and `first_col` on, and `inputs`.
#[inline(always)]
fn add_products(
    tiles: &Tiles,
    g: &Gemm<'_, BF16, f32>,
    first_row: usize,
    first_col: usize,
    inputs: &[Inputs],
    sums: &mut Sums,
) {
    let rows = (g.out.rows() - first_row).min(STEP);
    let cols = (g.row_blocks - first_col).min(DEPTH);
    let first = first_row * g.row_stride + first_col;
    let whole = if rows == STEP { cols / COLS } else { 0 };
    let (direct, rest) = inputs.split_at_checked(whole).unwrap_or_default();
    let end = first + (STEP - 1) * g.row_stride + direct.len() * COLS;
    if let (Some(w), false) = (g.w.get(first..end), direct.is_empty()) {
        multiply(tiles, w, g.row_stride, direct, sums);
    }
    // Rows or columns that are not whole tiles are padded with zeros.
    for (i, inputs) in rest.iter().enumerate() {
        let mut padded = [[BF16::default(); COLS]; STEP];
        let col = (whole + i) * COLS;
        for (r, slots) in padded.iter_mut().enumerate().take(rows) {
            let first = first + r * g.row_stride;
            let w = g.w.get(first + col..first + cols.min(col + COLS)).unwrap_or_default();
            slots.iter_mut().zip(w).for_each(|(slot, w)| *slot = *w);
        }
        multiply(tiles, padded.as_flattened(), COLS, core::slice::from_ref(inputs), sums);
    }
}

/// The products of 32 rows, `stride` apart in `w`, and `inputs`, of which there is at least one.
/// `w` ends with the last row's columns.
#[inline(always)]
fn multiply(_: &Tiles, w: &[BF16], stride: usize, inputs: &[Inputs], sums: &mut Sums) {
    const ROW: usize = size_of::<[u32; LANES]>();
    let second = TILE_ROWS * stride;
    let columns = inputs.len() * COLS;
    if inputs.is_empty() || w.len() < ((STEP - 1) * stride).saturating_add(columns) {
        return;
    }
    // SAFETY: the `Tiles` are the proof that AMX can be used and that every tile has its full shape.
    // A round reads 64 bytes, that is 32 columns, of each of 32 rows, and one of `inputs`; there are
    // `inputs.len()` rounds, at least one, for which `w` is long enough (both checked above). Before
    // and after them four tiles are all of `sums`.
    unsafe {
        asm!(
            "tileloadd tmm0, [{sums} + {row}]",
            "tileloadd tmm1, [{sums} + {row} + 1024]",
            "tileloadd tmm2, [{sums} + {row} + 2048]",
            "tileloadd tmm3, [{sums} + {row} + 3072]",
            "2:",
            "tileloadd tmm4, [{w0} + {stride}]",
            "tileloadd tmm5, [{w1} + {stride}]",
            "tileloadd tmm6, [{x} + {row}]",
            "tdpbf16ps tmm0, tmm4, tmm6",
            "tdpbf16ps tmm1, tmm5, tmm6",
            "tileloadd tmm7, [{x} + {row} + 1024]",
            "tdpbf16ps tmm2, tmm4, tmm7",
            "tdpbf16ps tmm3, tmm5, tmm7",
            "tileloadd tmm6, [{x} + {row} + 2048]",
            "tdpbf16ps tmm0, tmm4, tmm6",
            "tdpbf16ps tmm1, tmm5, tmm6",
            "tileloadd tmm7, [{x} + {row} + 3072]",
            "tdpbf16ps tmm2, tmm4, tmm7",
            "tdpbf16ps tmm3, tmm5, tmm7",
            "add {w0}, 64",
            "add {w1}, 64",
            "add {x}, 4096",
            "dec {rounds}",
            "jnz 2b",
            "tilestored [{sums} + {row}], tmm0",
            "tilestored [{sums} + {row} + 1024], tmm1",
            "tilestored [{sums} + {row} + 2048], tmm2",
            "tilestored [{sums} + {row} + 3072], tmm3",
            sums = in(reg) sums,
            row = in(reg) ROW,
            stride = in(reg) stride * size_of::<BF16>(),
            w0 = inout(reg) w.as_ptr() => _,
            w1 = inout(reg) w.as_ptr().wrapping_add(second) => _,
            x = inout(reg) inputs.as_ptr() => _,
            rounds = inout(reg) inputs.len() => _,
            out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
            out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
            options(nostack),
        );
    }
}

/// Adds sums to the output, or replaces it.
#[inline(always)]
fn write(
    isa: Amx,
    g: &mut Gemm<'_, BF16, f32>,
    first_row: usize,
    first_token: usize,
    sums: &Sums,
    replace: bool,
) {
    for (i, sums) in sums.0.iter().enumerate() {
        for (j, sums) in sums.iter().enumerate() {
            let mut rows = [amx!(isa, _mm512_setzero_si512()); TILE_ROWS];
            for (row, sums) in rows.iter_mut().zip(sums) {
                *row = isa.vectors().avx512().load_512(sums);
            }
            transpose(isa.vectors().avx512(), &mut rows);
            for (t, rows) in rows.into_iter().enumerate() {
                let Some(out) = g.out.token(first_token + i * TILE_ROWS + t) else { break };
                let out = out.get_mut(first_row + j * TILE_ROWS..).unwrap_or_default();
                add_to(isa, rows, out, replace);
            }
        }
    }
}

/// Up to 16 sums to the first places of `out`.
#[inline(always)]
fn add_to(_: Amx, sums: __m512i, out: &mut [f32], replace: bool) {
    let mask = ((1u32 << out.len().min(LANES)) - 1) as u16;
    let p = out.as_mut_ptr();
    // SAFETY: the `Amx` is the proof of AVX-512. The mask has a bit for each of the first 16 values
    // of `out`, so the load and the store touch these and nothing else.
    unsafe {
        let sums = _mm512_castsi512_ps(sums);
        let before = _mm512_maskz_loadu_ps(if replace { 0 } else { mask }, p);
        _mm512_mask_storeu_ps(p, mask, _mm512_add_ps(before, sums));
    }
}
