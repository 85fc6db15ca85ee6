//! Exponentials, written once for every instruction set: one range reduction, one polynomial,
//! one order of operations.

use crate::generic::simd::{MAGIC, Simd};

const LOG2_E: f32 = core::f32::consts::LOG2_E;
const LN2: f32 = core::f32::consts::LN_2;
/// ln 2 - `LN2`.
const LN2_LO: f32 = -1.904_654_3e-9;

/// `e^r - 1 - r = r^2/2 + r^3*q(r)`, `q(r) = Q[0] + Q[1]*r + ...`
///
/// Domain [-0.6933, 0.0001], relative error of the sum < 2^-28.4 (minimax, rounded to f32 one
/// coefficient after another).
const Q: [f32; 5] = [0.166_666_58, 0.041_664_965, 0.008_322_1, 0.001_356_099_3, 0.000_153_795_36];

/// `e^x = s * (1 + r + tail)` with `s = 2^k` and `x = k*ln2 + r`, for x in [-87, 0].
///
/// `k` is rounded up, so that `r` is in [-ln2, 0]. It is exact but for `k` times the error of
/// ln 2 as an f32, which `s` keeps below 2^-30: `x` and `k*LN2` are multiples of 2^-24 wherever
/// `k` is not 0. So is `1 + r` exact there.
#[derive(Clone, Copy)]
pub(crate) struct Reduced<L: Simd> {
    pub s: L::F32,
    pub r: L::F32,
    /// `r^2`.
    pub square: L::F32,
    /// See [`Q`].
    pub q: L::F32,
}

impl<L: Simd> Reduced<L> {
    /// Evaluates the polynomial.
    #[inline(always)]
    pub fn of(l: L, s: L::F32, r: L::F32) -> Self {
        Reduced { s, r, square: l.mul(r, r), q: q(l, r) }
    }

    /// `scale*tail + rest`, with `tail = e^r - 1 - r = r^2/2 + r^3*q`: the first term is exact but
    /// for the rounding of the square, and dominates.
    #[inline(always)]
    pub fn add_tail(self, l: L, scale: L::F32, rest: L::F32) -> L::F32 {
        let square = l.mul(scale, self.square);
        l.fma(l.mul(square, self.r), self.q, l.fma(square, l.splat(0.5), rest))
    }
}

/// `MAGIC + k` of [`Reduced`].
#[inline(always)]
pub(crate) fn magic_of<L: Simd>(l: L, x: L::F32) -> L::F32 {
    l.fma(l.add(x, l.splat(0.5 * LN2)), l.splat(LOG2_E), l.splat(MAGIC))
}

/// Reduces `x` and evaluates the polynomial.
#[inline(always)]
pub(crate) fn reduce<L: Simd>(l: L, x: L::F32) -> Reduced<L> {
    let magic_k = magic_of(l, x);
    let r = l.fma(l.sub(magic_k, l.splat(MAGIC)), l.splat(-LN2), x);
    Reduced::of(l, l.exp2_of_magic(magic_k), r)
}

/// As [`reduce`], for any x from -2^24 to 0 where the mask holds, whose `s` need not be that small
/// ([`Simd::select_exp2`]). Elsewhere `s` is `other` and `r` is 0, whatever x is.
#[inline(always)]
pub(crate) fn reduce_where<L: Simd>(l: L, mask: L::Mask, x: L::F32, other: L::F32) -> Reduced<L> {
    let k = l.sub(magic_of(l, x), l.splat(MAGIC));
    let r = l.select(mask, l.fma(k, l.splat(-LN2), x), l.splat(0.0));
    Reduced::of(l, l.select_exp2(mask, k, other), r)
}

#[inline(always)]
fn q<L: Simd>(l: L, r: L::F32) -> L::F32 {
    let [c0, c1, c2, c3, c4] = Q;
    let q = l.fma(l.splat(c4), r, l.splat(c3));
    let q = l.fma(q, r, l.splat(c2));
    let q = l.fma(q, r, l.splat(c1));
    l.fma(q, r, l.splat(c0))
}

/// `e^-v = 1 - v + P[0]*v^2 + P[1]*v^3 + ...`
///
/// Domain [-0.34665, 0.34665], relative error < 2^-28.2 (minimax, as [`Q`]).
const P: [f32; 5] = [0.499_999_94, -0.166_665_21, 0.041_668_26, -0.008_368_665, 0.001_382_116_9];

/// `e^-x = 2^k * e^-v` with `v = x + k*ln2` in [-0.3466, 0.3466].
#[derive(Clone, Copy)]
pub(crate) struct Negated<L: Simd> {
    /// `MAGIC + k`.
    pub magic_k: L::F32,
    /// `k` as a float.
    pub k: L::F32,
    /// The remainder.
    pub v: L::F32,
}

/// Reduces x in [-120, 120].
#[inline(always)]
pub(crate) fn negated<L: Simd>(l: L, x: L::F32) -> Negated<L> {
    let magic_k = l.fma(x, l.splat(-LOG2_E), l.splat(MAGIC));
    let k = l.sub(magic_k, l.splat(MAGIC));
    let v = l.fma(k, l.splat(LN2), x);
    Negated { magic_k, k, v: l.fma(k, l.splat(LN2_LO), v) }
}

/// `e^-v` for v in [-0.3466, 0.3466].
#[inline(always)]
pub(crate) fn exp_of_minus<L: Simd>(l: L, v: L::F32) -> L::F32 {
    let [c2, c3, c4, c5, c6] = P;
    let p = l.fma(l.splat(c6), v, l.splat(c5));
    let p = l.fma(p, v, l.splat(c4));
    let p = l.fma(p, v, l.splat(c3));
    let p = l.fma(p, v, l.splat(c2));
    let p = l.fma(p, v, l.splat(-1.0));
    l.fma(p, v, l.splat(1.0))
}

/// `e^x` for x <= 0, within 2^-22 of itself; 0 below -87, NaN for NaN.
#[inline(always)]
pub(crate) fn exp_of_negative<L: Simd>(l: L, x: L::F32) -> L::F32 {
    // NaN is no smaller than -88, and kept.
    let x = l.neg(l.max(l.splat(-88.0), x));
    let Negated { magic_k, v, .. } = negated(l, x);
    let power = l.select(l.lt(x, l.splat(87.0)), l.exp2_of_magic(magic_k), l.splat(0.0));
    l.mul(exp_of_minus(l, v), power)
}
