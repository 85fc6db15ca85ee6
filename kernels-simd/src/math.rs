//! The exponential, written once for every instruction set: one range reduction, one polynomial,
//! one order of operations.

use crate::lanes::Lanes;

const LOG2_E: f32 = core::f32::consts::LOG2_E;
/// ln 2 to 15 bits: its products with `k` are exact.
const LN2_HI: f32 = 0.693_145_75;
/// ln 2 - `LN2_HI`, to 24 bits.
const LN2_LO: f32 = 1.428_606_8e-6;
/// 1.5 * 2^23: adding it rounds to an integer and leaves that integer in the low bits.
pub(crate) const MAGIC: f32 = 12_582_912.0;
/// Added before rounding, so that `k = 0` reaches down to x = -0.65, where e^x - 1 - x no longer
/// cancels. Of the values tried this one gives xIELU the smallest worst error.
const BIAS: f32 = 0.4375;

/// `q(r) = (e^r - 1 - r) / r^2 = 1/2 + Q[0]*r + Q[1]*r^2 + ...`
///
/// Domain [-0.6499, 0.0434], range [0.41, 0.51], |q - exact| / exact < 2^-28.3 (minimax, rounded
/// to f32 one coefficient after another).
const Q: [f32; 5] = [0.166_666_67, 0.041_666_184, 0.008_327_512, 0.001_365_797_8, 0.000_159_861_9];

/// `x = k*ln2 + r` with `r` in [-0.6499, 0.0434], for x in [-120, 0.04].
#[derive(Clone, Copy)]
pub(crate) struct Reduced<L: Lanes> {
    /// `k` as a float.
    pub k: L::F32,
    /// `MAGIC + k`.
    pub magic_k: L::F32,
    /// The remainder.
    pub r: L::F32,
    /// `e^r - 1 - r`, to full relative accuracy.
    pub tail: L::F32,
}

/// Reduces `x` and evaluates the polynomial.
#[inline(always)]
pub(crate) fn reduce<L: Lanes>(l: L, x: L::F32) -> Reduced<L> {
    let magic_k = l.add(l.fma(x, l.splat(LOG2_E), l.splat(BIAS)), l.splat(MAGIC));
    let k = l.sub(magic_k, l.splat(MAGIC));
    let r = l.fma(k, l.splat(-LN2_HI), x);
    let r = l.fma(k, l.splat(-LN2_LO), r);
    Reduced { k, magic_k, r, tail: tail(l, r) }
}

/// `e^r - 1 - r = r^2/2 + r^3 * (Q[0] + ...)`: the first term is exact but for the rounding of
/// the square, and dominates.
#[inline(always)]
fn tail<L: Lanes>(l: L, r: L::F32) -> L::F32 {
    let square = l.mul(r, r);
    let [c0, c1, c2, c3, c4] = Q.map(|c| l.splat(c));
    let q = l.fma(c4, r, c3);
    let q = l.fma(q, r, c2);
    let q = l.fma(q, r, c1);
    let q = l.fma(q, r, c0);
    l.fma(l.mul(square, r), q, l.mul(square, l.splat(0.5)))
}

/// `e^x = mantissa * scale_a * scale_b`: two factors, because `e^x` may be subnormal when they
/// are not.
#[derive(Clone, Copy)]
pub(crate) struct Exp<L: Lanes> {
    /// `e^r`, about 0.52 .. 1.05.
    pub mantissa: L::F32,
    /// `2^(k - k/2)`.
    pub scale_a: L::F32,
    /// `2^(k/2)`.
    pub scale_b: L::F32,
}

/// `e^x` for x in [-120, 0].
#[inline(always)]
pub(crate) fn exp<L: Lanes>(l: L, x: L::F32) -> Exp<L> {
    let Reduced { k, r, tail, .. } = reduce(l, x);
    let magic = l.splat(MAGIC);
    let magic_b = l.fma(k, l.splat(0.5), magic);
    let magic_a = l.add(l.sub(k, l.sub(magic_b, magic)), magic);
    Exp {
        mantissa: l.add(l.add(r, tail), l.splat(1.0)),
        scale_a: l.exp2_of_magic(magic_a),
        scale_b: l.exp2_of_magic(magic_b),
    }
}
