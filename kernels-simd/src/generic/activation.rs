//! The formulas of the activations, xIELU first, each written once over [`Simd`].
//!
//! `min` and `max` take a constant first, so that a NaN operand comes out.

use crate::generic::exp::{
    Negated, Reduced, exp_of_minus, magic_of, negated, reduce, reduce_where,
};
use crate::generic::parameters::Coefficients;
use crate::generic::simd::{Binary, MAGIC, Simd, Unary, all_finite};

/// Below it e^x is nothing beside 1, and 2^k is still a normal number.
const EXPM1_LOWEST: f32 = -87.0;
/// Up to it f32 holds every integer.
pub(crate) const EXACT_LIMIT: f32 = 16_777_216.0;
/// The sigmoid needs no second factor between this and its negative.
pub(crate) const SIGMOID_LIMIT: f32 = 87.0;
/// Below it x*e^x rounds to 0.
pub(crate) const SILU_LOWEST: f32 = -120.0;

/// xIELU in the form that every input and every parameter may have.
#[derive(Clone, Copy)]
pub(crate) struct Xielu(pub Coefficients);

impl Unary for Xielu {
    #[inline(always)]
    fn apply<L: Simd>(self, l: L, x: L::F32) -> L::F32 {
        let positive = l.lt(l.splat(0.0), x);
        if crate::built::SMALL {
            // One lane: the other branch need not be computed.
            return if l.all(positive) {
                self.positive(l, x)
            } else {
                self.negative_with_eps(l, x)
            };
        }
        l.select(positive, self.positive(l, x), self.negative_with_eps(l, x))
    }
}

impl Coefficients {
    /// Whether [`Ideal`] may compute xIELU of them.
    pub(crate) fn is_ideal(&self) -> bool {
        let ordinary = 0.0..1e15;
        self.eps == 0.0
            && [self.alpha_p, self.alpha_n, self.beta].iter().all(|v| ordinary.contains(v))
            // Below -69, alpha_n*2^-100 is nothing beside beta*x.
            && self.beta > 1e-6
    }
}

impl Xielu {
    /// -inf would be subtracted from inf; its substitute is 2^-24 of what it is added to.
    #[inline(always)]
    fn beta_x<L: Simd>(self, l: L, x: L::F32) -> L::F32 {
        l.mul(l.splat(self.0.beta), l.max(l.splat(-f32::MAX), x))
    }

    /// `x*(alpha_p*x) + beta*x` with the rounding error of `alpha_p*x` added back.
    #[inline(always)]
    fn positive<L: Simd>(self, l: L, x: L::F32) -> L::F32 {
        let alpha = l.splat(self.0.alpha_p);
        let beta_x = self.beta_x(l, x);
        // Keeps 0 * inf out when alpha_p has underflowed.
        let x = l.min(l.splat(f32::MAX), x);
        let product = l.mul(alpha, x);
        let error = l.fma(alpha, x, l.neg(product));
        // Where x*x or the product overflows, this may be -inf or NaN and must not matter.
        let rest = l.max(l.fma(x, error, beta_x), l.splat(-f32::MAX));
        l.fma(x, product, rest)
    }

    /// `x` above `eps` adds to `f(eps)` what a straight line would: the exponential is constant.
    #[inline(always)]
    fn negative_with_eps<L: Simd>(self, l: L, x: L::F32) -> L::F32 {
        let clamped = l.min(l.splat(self.0.eps), x);
        let above = l.max(l.sub(x, clamped), l.splat(0.0));
        let slope = l.splat(self.0.beta - self.0.alpha_n);
        l.fma(above, slope, self.negative(l, clamped))
    }

    /// `alpha_n*g + beta*x`, `g = e^x - 1 - x`, for `x <= 0`.
    #[inline(always)]
    fn negative<L: Simd>(self, l: L, x: L::F32) -> L::F32 {
        let [high, low] = expm1_minus_x(l, x);
        let alpha = l.splat(self.0.alpha_n);
        l.fma(alpha, high, l.fma(alpha, low, self.beta_x(l, x)))
    }
}

/// [`expm1_minus_x`] for `-EXACT_LIMIT <= x <= 0`.
///
/// With `e^x = s*(1 + r + tail)`, `g = s*(1 + r) - (1 + x) + s*tail`. Both brackets are exact
/// or, where `s = 1`, the same: then nothing is left of them and `g` is `tail`. The first
/// difference is `high` and the error of its rounding; `s*tail` joins that error in `low`.
#[inline(always)]
pub(crate) fn near_expm1_minus_x<L: Simd>(l: L, x: L::F32) -> [L::F32; 2] {
    difference(l, x, reduce(l, l.max(l.splat(EXPM1_LOWEST), x)))
}

/// [`near_expm1_minus_x`] of `x` as it was reduced.
#[inline(always)]
fn difference<L: Simd>(l: L, x: L::F32, reduced: Reduced<L>) -> [L::F32; 2] {
    let s = reduced.s;
    let r_1 = l.add(l.splat(1.0), reduced.r);
    let minus_x_1 = l.sub(l.splat(-1.0), x);
    let high = l.fma(s, r_1, minus_x_1);
    let error = l.fma(s, r_1, l.sub(minus_x_1, high));
    [high, reduced.add_tail(l, s, error)]
}

/// `g = e^x - 1 - x` for `x <= 0` as a sum, `[high, low]`.
#[inline(always)]
pub(crate) fn expm1_minus_x<L: Simd>(l: L, x: L::F32) -> [L::F32; 2] {
    let [high, low] = near_expm1_minus_x(l, x);
    // Out there f32 has no room for the 1, and at -inf low is NaN.
    let far = l.lt(x, l.splat(-EXACT_LIMIT));
    [l.select(far, l.neg(x), high), l.select(far, l.splat(-1.0), low)]
}

/// xIELU with `eps` 0 and parameters that are ordinary numbers: nothing overflows, and 1 has room
/// beside `x`, up to [`EXACT_LIMIT`].
#[derive(Clone, Copy)]
pub(crate) struct Ideal(pub Coefficients);

impl Unary for Ideal {
    #[inline(always)]
    fn apply<L: Simd>(self, l: L, x: L::F32) -> L::F32 {
        Xielu(self.0).apply(l, x)
    }

    #[inline(always)]
    fn fast<L: Simd>(self, l: L, x: L::F32) -> L::F32 {
        if L::MERGES { self.merged(l, x) } else { self.summed(l, x) }
    }

    #[inline(always)]
    fn usable<L: Simd, const U: usize>(self, l: L, xs: &[L::F32; U], _: &[L::F32; U]) -> bool {
        if !L::MERGES {
            return inside_exp_limits(l, xs);
        }
        // `merged` computes them too, so they cost nothing.
        let mut magics = *xs;
        for t in &mut magics {
            *t = magic_of(l, *t);
        }
        // Then every x is between -8.8e6 and 2.9e6.
        l.all_below_2_24(&magics)
    }
}

impl Ideal {
    /// One chain of operations for both signs: positive lanes get `s = alpha_p`, `1 + r = x`,
    /// `1 + x = 0`, `r = 0` and a last factor of `x`.
    #[inline(always)]
    fn merged<L: Simd>(self, l: L, x: L::F32) -> L::F32 {
        let Coefficients { alpha_p, alpha_n, beta, .. } = self.0;
        let zero = l.splat(0.0);
        // x <= 0.
        let negative = l.lt(x, l.splat(f32::from_bits(1)));
        let reduced = reduce_where(l, negative, x, l.splat(alpha_p));
        let s = reduced.s;
        let r_1 = l.select(negative, l.add(l.splat(1.0), reduced.r), x);
        let minus_x_1 = l.select(negative, l.sub(l.splat(-1.0), x), zero);
        let high = l.fma(s, r_1, minus_x_1);
        let error = l.fma(s, r_1, l.sub(minus_x_1, high));
        let low = reduced.add_tail(l, s, error);
        let factor = l.select(negative, l.splat(alpha_n), r_1);
        l.fma(factor, high, l.fma(factor, low, l.mul(l.splat(beta), x)))
    }

    /// The sum of both signs' values, one of which is 0.
    #[inline(always)]
    fn summed<L: Simd>(self, l: L, x: L::F32) -> L::F32 {
        let Coefficients { alpha_p, alpha_n, beta, .. } = self.0;
        let below = l.min(l.splat(0.0), x);
        let above = l.sub(x, below);
        let [high, low] = difference(l, below, reduce(l, below));
        let [alpha_p, alpha_n] = [l.splat(alpha_p), l.splat(alpha_n)];
        let product = l.mul(alpha_p, above);
        let product_error = l.fma(alpha_p, above, l.neg(product));
        let y = l.fma(above, product, l.fma(above, product_error, l.mul(l.splat(beta), x)));
        l.fma(alpha_n, high, l.fma(alpha_n, low, y))
    }
}

/// What a build leaves out: NaN.
#[derive(Clone, Copy)]
pub(crate) struct NotBuilt;

impl Unary for NotBuilt {
    #[inline(always)]
    fn apply<L: Simd>(self, l: L, _: L::F32) -> L::F32 {
        l.splat(f32::NAN)
    }
}

/// `x * (alpha*x + beta)`, `alpha` by the sign of `x`.
#[derive(Clone, Copy)]
pub(crate) struct Xiprelu(pub Coefficients);

impl Xiprelu {
    #[inline(always)]
    fn of<L: Simd>(self, l: L, x: L::F32, finite: L::F32) -> L::F32 {
        let positive = l.lt(l.splat(0.0), x);
        let alpha = l.select(positive, l.splat(self.0.alpha_p), l.splat(self.0.alpha_n));
        l.mul(x, l.fma(alpha, finite, l.splat(self.0.beta)))
    }
}

impl Unary for Xiprelu {
    #[inline(always)]
    fn apply<L: Simd>(self, l: L, x: L::F32) -> L::F32 {
        // Keeps 0 * inf out when an alpha has underflowed.
        self.of(l, x, l.max(l.splat(-f32::MAX), l.min(l.splat(f32::MAX), x)))
    }

    #[inline(always)]
    fn fast<L: Simd>(self, l: L, x: L::F32) -> L::F32 {
        self.of(l, x, x)
    }

    #[inline(always)]
    fn usable<L: Simd, const U: usize>(self, l: L, _: &[L::F32; U], ys: &[L::F32; U]) -> bool {
        all_finite(l, ys)
    }
}

/// `max(0, x)^2`.
#[derive(Clone, Copy)]
pub(crate) struct Relu2;

impl Unary for Relu2 {
    #[inline(always)]
    fn apply<L: Simd>(self, l: L, x: L::F32) -> L::F32 {
        let x = l.max(l.splat(0.0), x);
        l.mul(x, x)
    }

    #[inline(always)]
    fn fast<L: Simd>(self, l: L, x: L::F32) -> L::F32 {
        self.apply(l, x)
    }

    #[inline(always)]
    fn usable<L: Simd, const U: usize>(self, l: L, _: &[L::F32; U], ys: &[L::F32; U]) -> bool {
        all_finite(l, ys)
    }
}

/// `x` or `alpha * (e^x - 1)`.
#[derive(Clone, Copy)]
pub(crate) struct Elu {
    pub alpha: f32,
}

impl Unary for Elu {
    #[inline(always)]
    fn apply<L: Simd>(self, l: L, x: L::F32) -> L::F32 {
        let u = l.max(l.splat(EXPM1_LOWEST), l.min(l.splat(0.0), x));
        let reduced = reduce(l, u);
        let Reduced { s, r, .. } = reduced;
        let tail = reduced.add_tail(l, l.splat(1.0), l.splat(0.0));
        let expm1 = l.fma(s, l.add(r, tail), l.sub(s, l.splat(1.0)));
        l.select(l.lt(l.splat(0.0), x), x, l.mul(l.splat(self.alpha), expm1))
    }
}

/// `1 + power*mantissa`, `power*mantissa = e^-x`, for `-87 <= x`; above 87 it is 1 in any case.
#[derive(Clone, Copy)]
pub(crate) struct Denominator<L: Simd> {
    pub power: L::F32,
    pub mantissa: L::F32,
    pub value: L::F32,
}

#[inline(always)]
pub(crate) fn sigmoid_denominator<L: Simd>(l: L, x: L::F32) -> Denominator<L> {
    near_sigmoid_denominator(l, l.min(l.splat(SIGMOID_LIMIT), x))
}

/// [`sigmoid_denominator`] for x up to 87.
#[inline(always)]
fn near_sigmoid_denominator<L: Simd>(l: L, x: L::F32) -> Denominator<L> {
    let Negated { magic_k, v, .. } = negated(l, x);
    let (power, mantissa) = (l.exp2_of_magic(magic_k), exp_of_minus(l, v));
    Denominator { power, mantissa, value: l.fma(power, mantissa, l.splat(1.0)) }
}

/// Whether every lane is between -87 and 87; it may say no where one is beyond half of that.
#[inline(always)]
fn inside_exp_limits<L: Simd, const U: usize>(l: L, xs: &[L::F32; U]) -> bool {
    let mut squares = l.splat(0.0);
    let mut inside = true;
    for &x in xs {
        if L::COUNT == 1 {
            // A multiplication and addition may be a long computation there.
            inside &= l.all(l.lt(l.splat(-SIGMOID_LIMIT), l.neg_abs(x)));
        } else {
            squares = l.mul_add(x, x, squares);
        }
    }
    inside & l.all(l.lt(squares, l.splat(SIGMOID_LIMIT * SIGMOID_LIMIT)))
}

/// Whether every lane is above -87.
#[inline(always)]
pub(crate) fn above_sigmoid_limit<L: Simd, const U: usize>(l: L, xs: &[L::F32; U]) -> bool {
    let lowest = l.splat(-SIGMOID_LIMIT);
    let mut above = true;
    for &x in xs {
        above &= l.all(l.lt(lowest, x));
    }
    above
}

/// `e^x` as three factors. Two make the power of two, because `e^x` may be subnormal when they
/// are not; the last comes last, so a subnormal result is rounded once.
#[derive(Clone, Copy)]
pub(crate) struct FarExp<L: Simd> {
    pub mantissa: L::F32,
    pub powers: [L::F32; 2],
}

impl<L: Simd> FarExp<L> {
    /// `x * e^x`, `x` being what this was made of.
    #[inline(always)]
    pub fn times(self, l: L, x: L::F32) -> L::F32 {
        let [a, b] = self.powers;
        l.mul(l.mul(l.mul(x, self.mantissa), a), b)
    }

    /// `e^x`.
    #[inline(always)]
    pub fn value(self, l: L) -> L::F32 {
        let [a, b] = self.powers;
        l.mul(l.mul(self.mantissa, a), b)
    }
}

/// `e^x` for x in [-120, 0].
#[inline(always)]
pub(crate) fn far_exp<L: Simd>(l: L, x: L::F32) -> FarExp<L> {
    let Negated { k, v, .. } = negated(l, x);
    let magic = l.splat(MAGIC);
    let magic_b = l.fma(k, l.splat(-0.5), magic);
    let magic_a = l.sub(magic, l.add(k, l.sub(magic_b, magic)));
    let powers = [l.exp2_of_magic(magic_a), l.exp2_of_magic(magic_b)];
    FarExp { mantissa: exp_of_minus(l, l.neg(v)), powers }
}

/// `x * sigmoid(x)`.
#[derive(Clone, Copy)]
pub(crate) struct Silu;

impl Silu {
    /// `x * e^x`, for `x < -87`: beside 1, `e^x` is nothing.
    #[inline(always)]
    fn far<L: Simd>(self, l: L, x: L::F32) -> L::F32 {
        let x = l.max(l.splat(SILU_LOWEST), x);
        far_exp(l, x).times(l, x)
    }
}

impl Unary for Silu {
    #[inline(always)]
    fn apply<L: Simd>(self, l: L, x: L::F32) -> L::F32 {
        let lowest = l.splat(-SIGMOID_LIMIT);
        let near = l.max(lowest, x);
        let near = l.div(near, sigmoid_denominator(l, near).value);
        l.select(l.lt(x, lowest), self.far(l, x), near)
    }

    #[inline(always)]
    fn fast<L: Simd>(self, l: L, x: L::F32) -> L::F32 {
        l.div(x, near_sigmoid_denominator(l, x).value)
    }

    #[inline(always)]
    fn usable<L: Simd, const U: usize>(self, l: L, xs: &[L::F32; U], _: &[L::F32; U]) -> bool {
        inside_exp_limits(l, xs)
    }
}

/// `x * (sigmoid(x) * (1 + 2*alpha) - alpha)`, `alpha` not 0: then it is [`Silu`].
#[derive(Clone, Copy)]
pub(crate) struct Xsilu {
    pub alpha: f32,
}

impl Unary for Xsilu {
    #[inline(always)]
    fn apply<L: Simd>(self, l: L, x: L::F32) -> L::F32 {
        let one = l.splat(1.0);
        let Negated { magic_k, v, .. } =
            negated(l, l.min(l.splat(SIGMOID_LIMIT), l.neg(l.neg_abs(x))));
        let e = l.mul(l.exp2_of_magic(magic_k), exp_of_minus(l, v));
        let numerator = l.select(l.lt(x, l.splat(0.0)), e, one);
        let sigmoid = l.div(numerator, l.add(one, e));
        let spread = l.fma(l.splat(2.0), sigmoid, l.splat(-1.0));
        l.mul(x, l.fma(l.splat(self.alpha), spread, sigmoid))
    }
}

/// `silu(gate) * up`.
#[derive(Clone, Copy)]
pub(crate) struct Swiglu;

impl Binary for Swiglu {
    #[inline(always)]
    fn apply<L: Simd>(self, l: L, gate: L::F32, up: L::F32) -> L::F32 {
        l.mul(Silu.apply(l, gate), up)
    }

    #[inline(always)]
    fn fast<L: Simd>(self, l: L, gate: L::F32, up: L::F32) -> L::F32 {
        l.mul(Silu.fast(l, gate), up)
    }

    #[inline(always)]
    fn usable<L: Simd, const U: usize>(self, l: L, gates: &[L::F32; U], ys: &[L::F32; U]) -> bool {
        inside_exp_limits(l, gates) & all_finite(l, ys)
    }
}
