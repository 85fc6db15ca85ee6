//! The panel kernel with AVX-512 VNNI: two vectors of sixteen rows.

use core::arch::x86_64::*;

use super::Avx512Vnni;
use crate::input::{GROUPS, InputBlock};
use crate::pack::Pack;
use crate::panel::{Panel, PanelIsa, ROWS, Sums};

/// Vectors across a panel.
const VECTORS: usize = ROWS / 16;

/// Calls an intrinsic of the features that [`Avx512Vnni`] stands for.
macro_rules! vnni {
    ($call:expr) => {
        // SAFETY: an `Avx512Vnni` exists only where the machine runs the intrinsic's features.
        unsafe { $call }
    };
}

impl PanelIsa for Avx512Vnni {
    const TILE: usize = 6;

    #[inline(always)]
    fn tile<P: Pack>(self, panel: &Panel, x: &[&InputBlock], sums: &mut [Sums]) {
        // Each size is a kernel of its own, its sums in registers.
        match (x, sums) {
            (&[a, b, c, d, e, f], [s0, s1, s2, s3, s4, s5]) => {
                tile::<P, 6>(self, panel, [a, b, c, d, e, f], [s0, s1, s2, s3, s4, s5]);
            }
            (x, sums) => {
                for (x, sums) in x.iter().zip(sums) {
                    tile::<P, 1>(self, panel, [x], [sums]);
                }
            }
        }
    }
}

#[inline(always)]
fn tile<P: Pack, const T: usize>(
    _proof: Avx512Vnni,
    panel: &Panel,
    x: [&InputBlock; T],
    mut sums: [&mut Sums; T],
) {
    let mut totals = [[vnni!(_mm512_setzero_ps()); VECTORS]; T];
    for (total, sums) in totals.iter_mut().zip(&sums) {
        for (v, total) in total.iter_mut().enumerate() {
            // SAFETY: 16 of the 32 values lie from `16 * v` on.
            *total = unsafe { _mm512_loadu_ps(sums.as_ptr().add(16 * v)) };
        }
    }
    for g in 0..GROUPS {
        if P::HALVES {
            add_half::<P, T, 4>(panel, x, 8 * g, 2 * g, [P::BIAS, 0], g, &mut totals);
            add_half::<P, T, 4>(panel, x, 8 * g + 4, 2 * g + 1, [0, P::BIAS], g, &mut totals);
        } else {
            add_half::<P, T, 8>(panel, x, 8 * g, g, [P::BIAS; 2], g, &mut totals);
        }
    }
    for (total, sums) in totals.iter().zip(&mut sums) {
        for (v, total) in total.iter().enumerate() {
            // SAFETY: 16 of the 32 values lie from `16 * v` on.
            unsafe { _mm512_storeu_ps(sums.as_mut_ptr().add(16 * v), *total) };
        }
    }
}

/// `4 * QUADS` columns from `4 * quad` on, which lie in group `g` and share scale `scale`.
#[inline(always)]
fn add_half<P: Pack, const T: usize, const QUADS: usize>(
    panel: &Panel,
    x: [&InputBlock; T],
    quad: usize,
    scale: usize,
    bias: [i16; 2],
    g: usize,
    totals: &mut [[__m512; VECTORS]; T],
) {
    let bias = i32::from(-bias[0]) & 0xffff | i32::from(-bias[1]) << 16;
    let mut q = [[vnni!(_mm512_setzero_si512()); VECTORS]; T];
    for (q, x) in q.iter_mut().zip(x) {
        let sums = x.sums.as_chunks::<2>().0[g % GROUPS];
        let sums = i32::from(sums[0]) & 0xffff | i32::from(sums[1]) << 16;
        let offset = vnni!(_mm512_dpwssd_epi32(
            _mm512_setzero_si512(),
            _mm512_set1_epi32(bias),
            _mm512_set1_epi32(sums)
        ));
        *q = [offset; VECTORS];
    }
    for k in quad..quad + QUADS {
        let mut w = [vnni!(_mm512_setzero_si512()); VECTORS];
        for (v, w) in w.iter_mut().enumerate() {
            // SAFETY: `k` is below 64, and 16 of the 32 quads lie from `16 * v` on.
            *w =
                unsafe { _mm512_load_si512(panel.quants.as_ptr().add(k).cast::<__m512i>().add(v)) };
        }
        for (q, x) in q.iter_mut().zip(x) {
            let x = x.qs.as_chunks::<4>().0[k % 64].map(i8::cast_unsigned);
            let x = vnni!(_mm512_set1_epi32(i32::from_le_bytes(x)));
            for (q, w) in q.iter_mut().zip(w) {
                *q = vnni!(_mm512_dpbusd_epi32(*q, w, x));
            }
        }
    }
    let scales = &panel.scales[scale % panel.scales.len()];
    for (v, scales) in scales.as_chunks::<16>().0.iter().enumerate() {
        // SAFETY: the array holds the 64 bytes that are read.
        let scales = unsafe { _mm512_loadu_ps(scales.as_ptr()) };
        for ((q, x), total) in q.iter().zip(x).zip(totals.iter_mut()) {
            total[v] = vnni!({
                let scale = _mm512_mul_ps(scales, _mm512_set1_ps(x.d[g % GROUPS]));
                _mm512_fmadd_ps(_mm512_cvtepi32_ps(q[v]), scale, total[v])
            });
        }
    }
}
