//! The activation functions, each written once over [`Lanes`].
//!
//! `min` and `max` take a constant first, so that a NaN operand comes out.

use crate::activation::XieluCoefficients;
use crate::lanes::{Binary, Lanes, Unary};
use crate::math::{Exp, Reduced, exp, reduce};

/// Below it e^x is nothing beside 1, and 2^k is still a normal number.
const EXPM1_LOWEST: f32 = -87.0;
/// Below it x*e^x rounds to 0.
const SILU_LOWEST: f32 = -120.0;

impl Unary for XieluCoefficients {
    #[inline(always)]
    fn apply<L: Lanes>(self, l: L, x: L::F32) -> L::F32 {
        // -inf would be subtracted from inf; its substitute is 2^-24 of what it is added to.
        let beta_x = l.mul(l.splat(self.beta), l.max(l.splat(-f32::MAX), x));
        let positive = l.lt(l.splat(0.0), x);
        l.select(positive, self.positive(l, x, beta_x), self.negative(l, x, beta_x))
    }
}

impl XieluCoefficients {
    /// `x*(alpha_p*x) + beta*x` with the rounding error of `alpha_p*x` added back.
    #[inline(always)]
    fn positive<L: Lanes>(self, l: L, x: L::F32, beta_x: L::F32) -> L::F32 {
        let alpha = l.splat(self.alpha_p);
        // Keeps 0 * inf out when alpha_p has underflowed.
        let x = l.min(l.splat(f32::MAX), x);
        let product = l.mul(alpha, x);
        let error = l.fma(alpha, x, l.neg(product));
        // Where x*x or the product overflows, this may be -inf or NaN and must not matter.
        let rest = l.max(l.fma(x, error, beta_x), l.splat(-f32::MAX));
        l.fma(x, product, rest)
    }

    /// `alpha_n*g + beta*x`, `g = e^u - 1 - x`, `u = min(x, eps)`.
    ///
    /// With `e^u = s*(1 + r + tail)`, `g = (s - 1 - x) + s*r + s*tail`. The first two terms are
    /// summed to `high` and a remainder (two-sum), the third joins the remainder in `low`. Where
    /// `s = 1`, `high` is 0 (or `eps - x`) exactly and `g` is `tail`: nothing cancels.
    #[inline(always)]
    fn negative<L: Lanes>(self, l: L, x: L::F32, beta_x: L::F32) -> L::F32 {
        let u = l.max(l.splat(EXPM1_LOWEST), l.min(l.splat(self.eps), x));
        let Reduced { magic_k, r, tail, .. } = reduce(l, u);
        let s = l.exp2_of_magic(magic_k);
        let s_1 = l.sub(s, l.splat(1.0));
        let first = l.sub(s_1, x);
        let first_error = l.sub(s_1, l.add(first, x));
        let high = l.fma(s, r, first);
        let error = l.fma(s, r, l.add(l.sub(first, high), first_error));
        // No finite x takes the error below -1; at -inf it is NaN and must not matter.
        let error = l.max(error, l.splat(-2.0));
        let low = l.fma(s, tail, error);
        let alpha = l.splat(self.alpha_n);
        l.fma(alpha, high, l.fma(alpha, low, beta_x))
    }
}

/// `x * (alpha*x + beta)`, `alpha` by the sign of `x`.
#[derive(Clone, Copy)]
pub(crate) struct Xiprelu {
    pub alpha_p: f32,
    pub alpha_n: f32,
    pub beta: f32,
}

impl Unary for Xiprelu {
    #[inline(always)]
    fn apply<L: Lanes>(self, l: L, x: L::F32) -> L::F32 {
        let positive = l.lt(l.splat(0.0), x);
        let alpha = l.select(positive, l.splat(self.alpha_p), l.splat(self.alpha_n));
        // Keeps 0 * inf out when an alpha has underflowed.
        let finite = l.max(l.splat(-f32::MAX), l.min(l.splat(f32::MAX), x));
        l.mul(x, l.fma(alpha, finite, l.splat(self.beta)))
    }
}

/// `max(0, x)^2`.
#[derive(Clone, Copy)]
pub(crate) struct Relu2;

impl Unary for Relu2 {
    #[inline(always)]
    fn apply<L: Lanes>(self, l: L, x: L::F32) -> L::F32 {
        let x = l.max(l.splat(0.0), x);
        l.mul(x, x)
    }
}

/// `x` or `alpha * (e^x - 1)`.
#[derive(Clone, Copy)]
pub(crate) struct Elu {
    pub alpha: f32,
}

impl Unary for Elu {
    #[inline(always)]
    fn apply<L: Lanes>(self, l: L, x: L::F32) -> L::F32 {
        let u = l.max(l.splat(EXPM1_LOWEST), l.min(l.splat(0.0), x));
        let Reduced { magic_k, r, tail, .. } = reduce(l, u);
        let s = l.exp2_of_magic(magic_k);
        let expm1 = l.fma(s, l.add(r, tail), l.sub(s, l.splat(1.0)));
        l.select(l.lt(l.splat(0.0), x), x, l.mul(l.splat(self.alpha), expm1))
    }
}

/// `x * sigmoid(x)`.
#[derive(Clone, Copy)]
pub(crate) struct Silu;

impl Unary for Silu {
    /// With `e = e^-|x|`: `x/(1 + e)` or `x*e/(1 + e)`. The last factor of `e` comes last, so a
    /// subnormal result is rounded once.
    #[inline(always)]
    fn apply<L: Lanes>(self, l: L, x: L::F32) -> L::F32 {
        let one = l.splat(1.0);
        let u = l.max(l.splat(SILU_LOWEST), l.neg_abs(x));
        let Exp { mantissa, scale_a, scale_b } = exp(l, u);
        let e = l.mul(mantissa, scale_a);
        let denominator = l.fma(e, scale_b, one);
        let negative = l.lt(x, l.splat(0.0));
        let numerator = l.select(negative, l.mul(u, e), x);
        l.mul(l.div(numerator, denominator), l.select(negative, scale_b, one))
    }
}

/// `x * (sigmoid(x) * (1 + 2*alpha) - alpha)`, `alpha` not 0: then it is [`Silu`].
#[derive(Clone, Copy)]
pub(crate) struct Xsilu {
    pub alpha: f32,
}

impl Unary for Xsilu {
    #[inline(always)]
    fn apply<L: Lanes>(self, l: L, x: L::F32) -> L::F32 {
        let one = l.splat(1.0);
        let Exp { mantissa, scale_a, scale_b } = exp(l, l.max(l.splat(SILU_LOWEST), l.neg_abs(x)));
        let e = l.mul(l.mul(mantissa, scale_a), scale_b);
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
    fn apply<L: Lanes>(self, l: L, gate: L::F32, up: L::F32) -> L::F32 {
        l.mul(Silu.apply(l, gate), up)
    }
}
