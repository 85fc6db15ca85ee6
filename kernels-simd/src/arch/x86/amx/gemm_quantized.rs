//! GEMM of quantized weights: both sides as bf16, accumulated in tiles of 16 tokens and 16 rows.
//!
//! A scale for every 32 columns would have vectors scale every product of two tiles, which takes
//! longer than the product. So weights and inputs are multiplied with their scales first and rounded
//! to bf16, at most 2^-9 of each value: a panel of 32 rows once for [`TOKENS`] tokens, inputs once
//! for [`ROWS_AT_ONCE`] rows. Sums are f32. Against products of the inputs before they were
//! quantized, errors are a sixth larger than with exact sums of bytes.

use core::arch::asm;
use core::arch::x86_64::*;
use core::mem::MaybeUninit;

use super::tiles::{LANES, STEP, TILE_ROWS, Tile, Tiles};
use super::token::{Amx, amx};
use crate::arch::x86::avx512::token::avx512;
use crate::block::{INPUT_BLOCK, InputBlock, QK};
use crate::generic::gemm_quantized::Source;
use crate::generic::matmul::Gemm;
use crate::generic::pack::Quants;
use crate::generic::panel::{Panel, ROWS};
use crate::generic::prefetch::prefetch;

/// From this many tokens on, tiles are faster than vectors.
pub(super) const FEWEST: usize = 32;
/// Tokens that a panel is dequantized for, and rows that inputs are: of both and their sums, 32 at
/// a time, 384 KiB stay in the second-level cache while all columns pass.
const TOKENS: usize = 256;
const ROWS_AT_ONCE: usize = 256;

/// The columns of a chunk of 32 tokens or 32 rows as bf16: for each 32 columns, two tiles. Tokens
/// are the left-hand side of a product, 32 columns in a tile's row. Rows of weights are the
/// right-hand side: a tile's row has two columns of each, side by side.
#[repr(C, align(64))]
struct Chunk([[Tile; 2]; INPUT_BLOCK / QK]);

impl Chunk {
    const ZERO: Self = Chunk([[[[0; LANES]; TILE_ROWS]; 2]; INPUT_BLOCK / QK]);
}

const _: () = assert!(ROWS == STEP);

/// Sums of 32 tokens and 32 rows: `[tokens' tile][rows' tile]`.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Sums([[[[f32; LANES]; TILE_ROWS]; 2]; 2]);

/// The sums of 32 tokens and all rows at once.
type RowsSums = [Sums; ROWS_AT_ONCE / ROWS];

impl Sums {
    const ZERO: Self = Sums([[[[0.0; LANES]; TILE_ROWS]; 2]; 2]);
}

/// Every row against every token; there is at least one column.
#[inline(always)]
pub(super) fn multiply<P: Quants, W>(
    tiles: &Tiles,
    mut g: Gemm<'_, W, InputBlock>,
    mut source: impl Source<W>,
) {
    let isa = tiles.isa();
    let (mut panel, mut weights) = (Panel::ZERO, Chunk::ZERO);
    // As much as the tokens at hand need is initialised, once.
    let mut memory = [const { MaybeUninit::<(Chunk, RowsSums)>::uninit() }; TOKENS / STEP];
    let (rows, tokens) = (g.out.rows(), g.out.tokens());
    let Some(memory) = memory.get_mut(..tokens.min(TOKENS).div_ceil(STEP)) else { return };
    let memory = zeroed(memory);
    for first_row in (0..rows).step_by(ROWS_AT_ONCE) {
        let rows = first_row..rows.min(first_row + ROWS_AT_ONCE);
        for first_token in (0..tokens).step_by(TOKENS) {
            let count = (tokens - first_token).min(TOKENS).div_ceil(STEP);
            let Some(memory) = memory.get_mut(..count) else { return };
            for chunk in 0..g.x_stride {
                for (i, (inputs, _)) in memory.iter_mut().enumerate() {
                    dequantize_inputs(isa, &g, first_token + i * STEP, chunk, inputs);
                }
                for (p, row) in rows.clone().step_by(ROWS).enumerate() {
                    source.fill(&g, row, chunk, &mut panel);
                    dequantize_panel::<P>(isa, &panel, &mut weights);
                    for (inputs, sums) in memory.iter_mut() {
                        let Some(sums) = sums.get_mut(p) else { return };
                        accumulate(tiles, inputs, &weights, sums, chunk == 0);
                    }
                }
            }
            for (i, (_, sums)) in memory.iter().enumerate() {
                for (p, row) in rows.clone().step_by(ROWS).enumerate() {
                    let Some(sums) = sums.get(p) else { return };
                    write(&mut g, first_token + i * STEP, row, sums);
                }
            }
        }
    }
}

/// Initialises memory with zeros.
#[inline(always)]
fn zeroed(memory: &mut [MaybeUninit<(Chunk, RowsSums)>]) -> &mut [(Chunk, RowsSums)] {
    for part in memory.iter_mut() {
        part.write((Chunk::ZERO, [Sums::ZERO; ROWS_AT_ONCE / ROWS]));
    }
    // SAFETY: every element was written just now, and `MaybeUninit<T>` has the layout of `T`.
    unsafe { &mut *(core::ptr::from_mut(memory) as *mut [(Chunk, RowsSums)]) }
}

/// The chunk of 32 tokens. Those that do not exist keep any values: their sums are not used.
#[inline(always)]
fn dequantize_inputs<W>(
    isa: Amx,
    g: &Gemm<'_, W, InputBlock>,
    first_token: usize,
    chunk: usize,
    out: &mut Chunk,
) {
    for t in 0..STEP.min(g.out.tokens() - first_token) {
        let block = (first_token + t) * g.x_stride + chunk;
        prefetch(g.x, block + 1, 1);
        let x = g.x.get(block).unwrap_or(&InputBlock::ZERO);
        for (tiles, (d, _, qs)) in out.0.iter_mut().zip(x.groups()) {
            let Some(row) = tiles.as_flattened_mut().get_mut(t) else { break };
            let [low, high] = qs.as_chunks::<LANES>().0 else { break };
            let (low, high) = (scaled(isa, low, d), scaled(isa, high, d));
            let values = bits(amx!(isa, _mm512_cvtne2ps_pbh(high, low)));
            isa.vectors().avx512().store_512(values, row);
        }
    }
}

/// `scale * quants`.
#[inline(always)]
fn scaled(isa: Amx, quants: &[i8; LANES], scale: f32) -> __m512 {
    amx!(isa, {
        let quants = _mm_loadu_si128(quants.as_ptr().cast());
        _mm512_mul_ps(_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(quants)), _mm512_set1_ps(scale))
    })
}

/// `scale * (quant - BIAS) - min` of every value of a panel.
#[inline(always)]
fn dequantize_panel<P: Quants>(isa: Amx, panel: &Panel, out: &mut Chunk) {
    let avx512 = isa.vectors().avx512();
    // 16 columns, for which there is one scale, at a time.
    for (i, quads) in panel.quants.as_chunks::<4>().0.iter().enumerate() {
        let s = if P::HALVES { i } else { i / 2 };
        let Some(tiles) = out.0.get_mut(i / 2) else { return };
        let (Some(scales), Some(mins)) = (panel.scales.get(s), panel.mins.get(s)) else { return };
        let halves = scales.as_chunks::<LANES>().0.iter().zip(mins.as_chunks::<LANES>().0);
        for (h, (tile, (scales, mins))) in tiles.iter_mut().zip(halves).enumerate() {
            let scale = avx512!(avx512, _mm512_castsi512_ps(avx512.load_512(scales)));
            let bias = avx512!(avx512, _mm512_set1_ps(f32::from(P::BIAS)));
            let mut offset = avx512!(avx512, _mm512_mul_ps(bias, scale));
            if P::has_mins(panel) {
                let min = avx512!(avx512, _mm512_castsi512_ps(avx512.load_512(mins)));
                offset = avx512!(avx512, _mm512_add_ps(offset, min));
            }
            let Some(rows) = tile.as_chunks_mut::<8>().0.get_mut(i % 2) else { return };
            for (rows, quad) in rows.as_chunks_mut::<2>().0.iter_mut().zip(quads) {
                let Some(quad) = quad.as_chunks::<LANES>().0.get(h) else { return };
                let pairs = dequantize_quad(isa, avx512.load_512(quad), scale, offset);
                let [first, second] = rows;
                avx512.store_512(pairs[0], first);
                avx512.store_512(pairs[1], second);
            }
        }
    }
}

/// `scale * byte - offset` of four columns of 16 rows, as bf16: the first two columns of each row
/// side by side, then the last two.
#[inline(always)]
fn dequantize_quad(isa: Amx, quad: __m512i, scale: __m512, offset: __m512) -> [__m512i; 2] {
    let interleave = isa.vectors().avx512().load_512(&INTERLEAVE);
    amx!(isa, {
        let byte = _mm512_set1_epi32(0xff);
        let a = _mm512_cvtepi32_ps(_mm512_and_si512(quad, byte));
        let b = _mm512_cvtepi32_ps(_mm512_and_si512(_mm512_srli_epi32::<8>(quad), byte));
        let c = _mm512_cvtepi32_ps(_mm512_and_si512(_mm512_srli_epi32::<16>(quad), byte));
        let d = _mm512_cvtepi32_ps(_mm512_srli_epi32::<24>(quad));
        let (a, b) = (_mm512_fmsub_ps(a, scale, offset), _mm512_fmsub_ps(b, scale, offset));
        let (c, d) = (_mm512_fmsub_ps(c, scale, offset), _mm512_fmsub_ps(d, scale, offset));
        let (first, second) = (_mm512_cvtne2ps_pbh(b, a), _mm512_cvtne2ps_pbh(d, c));
        [
            _mm512_permutexvar_epi16(interleave, bits(first)),
            _mm512_permutexvar_epi16(interleave, bits(second)),
        ]
    })
}

/// Element `i` of the lower half beside element `i` of the upper one.
const INTERLEAVE: [u16; 2 * LANES] = {
    let mut places = [0; 2 * LANES];
    let mut i = 0;
    while i < places.len() {
        places[i] = (i / 2 + i % 2 * LANES) as u16;
        i += 1;
    }
    places
};

/// The same bits as an integer vector.
#[inline(always)]
pub(super) fn bits(v: __m512bh) -> __m512i {
    // SAFETY: both are 64 bytes, any of which are valid.
    unsafe { (&raw const v).cast::<__m512i>().read() }
}

/// Adds sums to the output, or replaces it.
#[inline(always)]
fn write<W>(g: &mut Gemm<'_, W, InputBlock>, first_token: usize, row: usize, sums: &Sums) {
    for (i, [left, right]) in sums.0.iter().enumerate() {
        for (t, sums) in left.iter().zip(right).enumerate() {
            let Some(out) = g.out.token(first_token + i * TILE_ROWS + t) else { return };
            let (out, sums) = (out.get_mut(row..).unwrap_or_default(), [*sums.0, *sums.1]);
            for (out, sum) in out.iter_mut().zip(sums.as_flattened()) {
                *out = if g.accumulate { *out + *sum } else { *sum };
            }
        }
    }
}

/// Adds the products of 32 tokens and 32 rows to their sums, or replaces them.
#[inline(always)]
fn accumulate(_: &Tiles, inputs: &Chunk, weights: &Chunk, sums: &mut Sums, replace: bool) {
    const ROW: usize = size_of::<[u32; LANES]>();
    // SAFETY: the `Tiles` are the proof that AMX can be used and that every tile has its full
    // shape. A round reads two tiles, 2 KiB, of either side, and there are as many rounds as both
    // have of these. The sums are four tiles, one after the other.
    unsafe {
        asm!(
            "test {replace:e}, {replace:e}",
            "jnz 3f",
            "tileloadd tmm0, [{sums} + {row}]",
            "tileloadd tmm1, [{sums} + {row} + 1024]",
            "tileloadd tmm2, [{sums} + {row} + 2048]",
            "tileloadd tmm3, [{sums} + {row} + 3072]",
            "jmp 2f",
            "3:",
            "tilezero tmm0",
            "tilezero tmm1",
            "tilezero tmm2",
            "tilezero tmm3",
            "2:",
            "tileloadd tmm4, [{x} + {row}]",
            "tileloadd tmm6, [{w} + {row}]",
            "tileloadd tmm7, [{w} + {row} + 1024]",
            "tdpbf16ps tmm0, tmm4, tmm6",
            "tileloadd tmm5, [{x} + {row} + 1024]",
            "tdpbf16ps tmm1, tmm4, tmm7",
            "tdpbf16ps tmm2, tmm5, tmm6",
            "tdpbf16ps tmm3, tmm5, tmm7",
            "add {x}, 2048",
            "add {w}, 2048",
            "dec {rounds}",
            "jnz 2b",
            "tilestored [{sums} + {row}], tmm0",
            "tilestored [{sums} + {row} + 1024], tmm1",
            "tilestored [{sums} + {row} + 2048], tmm2",
            "tilestored [{sums} + {row} + 3072], tmm3",
            replace = in(reg) u32::from(replace),
            sums = in(reg) sums,
            row = in(reg) ROW,
            x = inout(reg) inputs => _,
            w = inout(reg) weights => _,
            rounds = inout(reg) weights.0.len() => _,
            out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
            out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
            options(nostack),
        );
    }
}
