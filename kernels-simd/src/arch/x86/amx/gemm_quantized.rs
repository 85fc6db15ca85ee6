//! Panel products with AMX: tiles of 16 tokens and 16 rows.
//!
//! 32 columns of 16 rows of a panel, eight quads of 64 bytes, are loaded in place as the right-hand
//! side of a tile product. A scale is for 32 columns, so every product of tiles is stored, and
//! vectors scale it and add it to the accumulators. They are slower than the tiles; to overlap both,
//! vectors work on what the tiles stored a step earlier. Sums are those of AVX-512 VNNI in the same
//! order: the same bits.

use core::arch::asm;
use core::arch::x86_64::*;
use core::marker::PhantomData;
use core::mem::{MaybeUninit, offset_of};

use super::tiles::{self, Shape, TILE_ROWS, Tiles};
use super::token::{amx, compile};
use crate::arch::x86::avx512::token::{Avx512, avx512};
use crate::arch::x86::avx512_vnni::token::Avx512Vnni;
use crate::block::{GROUPS, HALVES, InputBlock};
use crate::generic::gemm_quantized::{Inputs, PanelKernel, add_scaled, subtract_mins};
use crate::generic::pack::Quants;
use crate::generic::panel::{Panel, Quad, ROWS, Sums, load, store};
use crate::generic::simd::{Simd as _, Vectors as _};

/// Tokens of a tile; products of fewer use vectors.
pub(super) const TOKENS: usize = TILE_ROWS;
/// Scales of a step. Two steps' products and the panel fit the nearest cache.
const SCALES: usize = 4;
/// Tokens whose accumulators the vector registers hold.
const AT_ONCE: usize = 8;

/// `[scale][token][row]`, as tiles store it.
#[repr(C, align(64))]
struct Products([[[i32; ROWS]; TOKENS]; SCALES]);

type Buffer = MaybeUninit<Products>;

/// The columns of four scales: a panel's rows and 16 tokens' inputs.
#[derive(Clone, Copy)]
struct Step<'a> {
    panel: &'a Panel,
    /// Token `t` has `x[t * stride]`.
    x: &'a [InputBlock],
    stride: usize,
    /// The first scale.
    scale: usize,
}

impl<'a> Step<'a> {
    /// The first step of the tokens from `token` on; `None` if there are no 16.
    #[inline(always)]
    fn first(inputs: Inputs<'a>, panel: &'a Panel, token: usize, chunk: usize) -> Option<Self> {
        let (first, stride) = (token * inputs.stride + chunk, inputs.stride);
        let x = inputs.x.get(first..=first + (TOKENS - 1) * stride)?;
        Some(Step { panel, x, stride, scale: 0 })
    }

    /// The step after this one, if the panel has more scales.
    #[inline(always)]
    fn next<P: Quants>(self) -> Option<Self> {
        let scale = self.scale + SCALES;
        let scales = if P::HALVES { HALVES } else { GROUPS };
        if scale < scales { Some(Step { scale, ..self }) } else { None }
    }

    /// Some of its tokens.
    #[inline(always)]
    fn inputs(&self, first: usize) -> [&'a InputBlock; AT_ONCE] {
        let mut x = [const { &InputBlock::ZERO }; AT_ONCE];
        for (t, x) in x.iter_mut().enumerate() {
            *x = self.x.get((first + t) * self.stride).unwrap_or(&InputBlock::ZERO);
        }
        x
    }
}

/// The shapes for products of `P`: inputs, two halves of a panel's rows, and their products.
pub(super) struct Shapes<P>(PhantomData<P>);

impl<P: Quants> tiles::Shapes for Shapes<P> {
    const SHAPES: [Shape; 8] = {
        let x = Shape { rows: TOKENS, bytes: 4 * quads::<P>() };
        let w = Shape { rows: quads::<P>(), ..Shape::FULL };
        let [products, unused] = [Shape::FULL; 2];
        [x, w, w, products, products, unused, unused, unused]
    };
}

/// Quads of a scale's columns.
const fn quads<P: Quants>() -> usize {
    if P::HALVES { 4 } else { 8 }
}

impl<P: Quants> PanelKernel<P> for &Tiles<Shapes<P>> {
    /// Signed bytes: there is no bias to subtract from every sum then.
    #[inline(always)]
    fn arrange(self, panel: &mut Panel) {
        if P::BIAS == 0 {
            return;
        }
        let isa = self.isa();
        for quads in panel.quants.as_flattened_mut().as_chunks_mut::<16>().0 {
            let biased = isa.vectors().avx512().load_512(quads);
            let signed = amx!(isa, _mm512_sub_epi8(biased, _mm512_set1_epi8(P::BIAS as i8)));
            isa.vectors().avx512().store_512(signed, quads);
        }
    }

    #[inline(always)]
    fn add_panel(
        self,
        inputs: Inputs<'_>,
        panel: &Panel,
        first_token: usize,
        chunk: usize,
        sums: &mut [Sums],
    ) {
        let end = first_token + sums.len();
        let (whole, rest) = sums.as_chunks_mut::<TOKENS>();
        // SAFETY: `self` holds an `Amx`, so the machine runs the features of the function.
        unsafe { add_tiles::<P>(self, inputs, panel, first_token, chunk, whole) };
        if rest.is_empty() {
            return;
        }
        // The last tile is a full one too: it repeats tokens whose sums are left as they are.
        let mut last = [[[0.0; ROWS]; TOKENS]];
        let [slots] = &mut last;
        let fresh = slots.iter_mut().rev().zip(rest.iter().rev());
        fresh.for_each(|(slot, sums)| *slot = *sums);
        // SAFETY: as above.
        unsafe {
            add_tiles::<P>(self, inputs, panel, end.saturating_sub(TOKENS), chunk, &mut last)
        };
        let fresh = last.as_flattened().iter().rev().zip(rest.iter_mut().rev());
        fresh.for_each(|(slot, sums)| *sums = *slot);
    }
}

compile! {
/// [`PanelKernel::add_panel`] for whole tiles of tokens.
fn add_tiles<P: Quants>(
    tiles: &Tiles<Shapes<P>>,
    inputs: Inputs<'_>,
    panel: &Panel,
    first_token: usize,
    chunk: usize,
    sums: &mut [[Sums; TOKENS]],
) {
    let mut buffers = [const { Buffer::uninit() }; 2];
    let [mut ahead, mut behind] = buffers.each_mut();
    let count = sums.len();
    let mut following = Step::first(inputs, panel, first_token, chunk);
    if let Some(first) = following {
        for s in 0..SCALES {
            multiply(tiles, first, s, ahead);
        }
    }
    for (i, sums) in sums.iter_mut().enumerate() {
        let Some(mut current) = following else { return };
        following = match i + 1 {
            i if i < count => Step::first(inputs, panel, first_token + i * TOKENS, chunk),
            _ => None,
        };
        loop {
            (ahead, behind) = (behind, ahead);
            let next = current.next::<P>();
            // SAFETY: `behind` was filled with the products of `current`, one step ago.
            let products = unsafe { behind.assume_init_ref() };
            overlap(tiles, next.or(following), ahead, current, products, sums);
            let Some(next) = next else { break };
            current = next;
        }
    }
}
}

/// Tiles multiply `next` into `ahead`, while vectors add `products`, those of `current`, to `sums`.
#[inline(always)]
fn overlap<P: Quants>(
    tiles: &Tiles<Shapes<P>>,
    next: Option<Step<'_>>,
    ahead: &mut Buffer,
    current: Step<'_>,
    products: &Products,
    sums: &mut [Sums; TOKENS],
) {
    let vectors = tiles.isa().vectors();
    let l = vectors.simd();
    for part in 0..TOKENS / AT_ONCE {
        let x = current.inputs(part * AT_ONCE);
        let Some(sums) = sums.as_chunks_mut::<AT_ONCE>().0.get_mut(part) else { return };
        let mut totals = [[l.splat(0.0); 2]; AT_ONCE];
        for (totals, sums) in totals.iter_mut().zip(sums.iter()) {
            *totals = [load(l, sums, 0), load(l, sums, 16)];
        }
        for s in 0..SCALES {
            if let (Some(next), true) = (next, s.is_multiple_of(2)) {
                multiply(tiles, next, part * 2 + s / 2, ahead);
            }
            let q = &products.0[s].as_chunks::<AT_ONCE>().0[part % (TOKENS / AT_ONCE)];
            let scale = (current.scale + s) % HALVES;
            let g = if P::HALVES { scale / 2 } else { scale };
            let panel = current.panel;
            add_scaled(
                vectors,
                integers(vectors.avx512(), q),
                &panel.scales[scale],
                0,
                x,
                g,
                &mut totals,
            );
            if P::has_mins(panel) {
                let mins = &panel.mins;
                subtract_mins::<Avx512Vnni, P, 2, 8>(vectors, mins, 0, x, scale, &mut totals);
            }
        }
        for ([a, b], sums) in totals.into_iter().zip(sums) {
            store(l, a, sums, 0);
            store(l, b, sums, 16);
        }
    }
}

/// Stored products as vectors.
#[inline(always)]
fn integers(isa: Avx512, q: &[[i32; ROWS]; AT_ONCE]) -> [[__m512i; 2]; AT_ONCE] {
    let mut out = [[avx512!(isa, _mm512_setzero_si512()); 2]; AT_ONCE];
    for (out, q) in out.iter_mut().zip(q) {
        for (out, q) in out.iter_mut().zip(q.as_chunks::<16>().0) {
            *out = isa.load_512(q);
        }
    }
    out
}

/// The products of scale `s` of a step: 16 tokens and twice 16 rows.
#[inline(always)]
fn multiply<P: Quants>(_: &Tiles<Shapes<P>>, step: Step<'_>, s: usize, out: &mut Buffer) {
    const QUAD: usize = size_of::<Quad>();
    let first = (step.scale + s % SCALES) * quads::<P>();
    let Some(w) = step.panel.quants.get(first..first + quads::<P>()) else { return };
    // SAFETY: the buffer has `SCALES` of these, more than `s % SCALES`.
    let out = unsafe { out.as_mut_ptr().cast::<[[i32; ROWS]; TOKENS]>().add(s % SCALES) };
    // SAFETY: the `Tiles` are the proof that AMX can be used and that the tiles have `Shapes<P>`.
    // The first tile reads `4 * quads` bytes, that is the columns of `w`, of the quants of 16
    // blocks `stride` apart, which `Step::first` checked. The next two read both halves of the
    // `quads` quads of `w`, checked above; the last two write both halves of `out`.
    unsafe {
        asm!(
            "tileloadd tmm0, [{x} + {x_stride}]",
            "tileloadd tmm1, [{w} + {quad}]",
            "tilezero tmm3",
            "tdpbssd tmm3, tmm0, tmm1",
            "tileloadd tmm2, [{w} + {quad} + 64]",
            "tilezero tmm4",
            "tdpbssd tmm4, tmm0, tmm2",
            "tilestored [{out} + {quad}], tmm3",
            "tilestored [{out} + {quad} + 64], tmm4",
            x = in(reg) step.x.as_ptr().byte_add(offset_of!(InputBlock, qs) + 4 * first),
            x_stride = in(reg) step.stride * size_of::<InputBlock>(),
            w = in(reg) w.as_ptr(),
            quad = in(reg) QUAD,
            out = in(reg) out,
            out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _, out("tmm4") _,
            options(nostack, preserves_flags),
        );
    }
}

// A token's 32 sums take the bytes of a quad: one stride serves both.
const _: () = assert!(size_of::<[i32; ROWS]>() == size_of::<Quad>());
