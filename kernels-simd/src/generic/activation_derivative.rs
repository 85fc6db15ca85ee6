//! The derivatives of the activations, each written once over [`Simd`];
//! [`activation`](crate::generic::activation) has the functions.
//!
//! `min` and `max` take a constant first, so that a NaN operand comes out.

use crate::generic::activation::{
    Denominator, EXACT_LIMIT, SIGMOID_LIMIT, SILU_LOWEST, Xielu, Xiprelu, expm1_minus_x, far_exp,
    near_expm1_minus_x, sigmoid_denominator,
};
use crate::generic::parameters::Coefficients;
use crate::generic::simd::{Binary, Simd, all_finite};

/// The derivatives of a function with learned alphas.
#[derive(Clone, Copy)]
pub(crate) struct Slopes<L: Simd> {
    /// By the input.
    pub dx: L::F32,
    /// By the effective `alpha_p`.
    pub alpha_p: L::F32,
    /// By the effective `alpha_n`.
    pub alpha_n: L::F32,
}

/// A function of one value with learned alphas.
pub(crate) trait Differentiable: Copy {
    /// The derivatives at every input.
    fn slopes<L: Simd>(self, l: L, x: L::F32) -> Slopes<L>;

    /// The same bits by fewer operations where [`Differentiable::usable`] says so.
    #[inline(always)]
    fn fast<L: Simd>(self, l: L, x: L::F32) -> Slopes<L> {
        self.slopes(l, x)
    }

    /// Whether [`Differentiable::fast`] fits all of `xs`.
    #[inline(always)]
    fn usable<L: Simd, const U: usize>(self, _: L, _xs: &[L::F32; U]) -> bool {
        true
    }
}

/// `2*alpha_p*x + beta` or `alpha_n*(e^x - 1) + beta`. Where x is above `eps` the exponential is
/// a constant, and its derivative 0.
impl Differentiable for Xielu {
    #[inline(always)]
    fn slopes<L: Simd>(self, l: L, x: L::F32) -> Slopes<L> {
        let zero = l.splat(0.0);
        let minus_1 = l.splat(-1.0);
        let eps = l.splat(self.0.eps);
        let clamped = l.min(eps, x);
        let [high, low] = expm1_minus_x(l, clamped);
        let positive = l.lt(zero, x);
        let expm1 = l.add(l.add(high, clamped), low);
        let expm1 = l.select(l.lt(x, l.splat(-EXACT_LIMIT)), minus_1, expm1);
        let expm1 = l.select(l.lt(eps, x), minus_1, expm1);
        let twice = l.select(positive, l.splat(2.0 * self.0.alpha_p), l.splat(self.0.alpha_n));
        let above_eps = l.max(l.sub(x, clamped), zero);
        Slopes {
            dx: l.fma(twice, l.select(positive, x, expm1), l.splat(self.0.beta)),
            alpha_p: l.select(positive, l.mul(x, x), zero),
            alpha_n: l.select(positive, zero, l.add(high, l.sub(low, above_eps))),
        }
    }
}

/// xIELU where [`Coefficients::is_ideal`].
#[derive(Clone, Copy)]
pub(crate) struct IdealSlopes(pub Coefficients);

impl Differentiable for IdealSlopes {
    #[inline(always)]
    fn slopes<L: Simd>(self, l: L, x: L::F32) -> Slopes<L> {
        Xielu(self.0).slopes(l, x)
    }

    /// Sums of both signs' values, one of which is 0.
    #[inline(always)]
    fn fast<L: Simd>(self, l: L, x: L::F32) -> Slopes<L> {
        let Coefficients { alpha_p, alpha_n, beta, .. } = self.0;
        let below = l.min(l.splat(0.0), x);
        let above = l.sub(x, below);
        let [high, low] = near_expm1_minus_x(l, below);
        let expm1 = l.add(l.add(high, below), low);
        let negative = l.fma(l.splat(alpha_n), expm1, l.splat(beta));
        Slopes {
            dx: l.fma(l.splat(2.0 * alpha_p), above, negative),
            alpha_p: l.mul(above, above),
            alpha_n: l.add(high, low),
        }
    }

    #[inline(always)]
    fn usable<L: Simd, const U: usize>(self, l: L, xs: &[L::F32; U]) -> bool {
        let mut squares = l.splat(0.0);
        for &x in xs {
            squares = l.fma(x, x, squares);
        }
        l.all(l.lt(squares, l.splat(EXACT_LIMIT * EXACT_LIMIT)))
    }
}

/// `2*alpha*x + beta`, `alpha` by the sign of `x`.
impl Differentiable for Xiprelu {
    #[inline(always)]
    fn slopes<L: Simd>(self, l: L, x: L::F32) -> Slopes<L> {
        let zero = l.splat(0.0);
        let positive = l.lt(zero, x);
        let square = l.mul(x, x);
        let twice =
            l.select(positive, l.splat(2.0 * self.0.alpha_p), l.splat(2.0 * self.0.alpha_n));
        Slopes {
            dx: l.fma(twice, x, l.splat(self.0.beta)),
            alpha_p: l.select(positive, square, zero),
            alpha_n: l.select(positive, zero, square),
        }
    }
}

/// `dy * 2*max(0, x)` of `x` and `dy`.
#[derive(Clone, Copy)]
pub(crate) struct Relu2Gradient;

impl Binary for Relu2Gradient {
    #[inline(always)]
    fn apply<L: Simd>(self, l: L, x: L::F32, dy: L::F32) -> L::F32 {
        let zero = l.splat(0.0);
        // The addition makes 0 of -0, which devices' max would not have let through.
        let slope = l.fma(l.splat(2.0), l.max(zero, x), zero);
        l.mul(dy, slope)
    }

    #[inline(always)]
    fn fast<L: Simd>(self, l: L, x: L::F32, dy: L::F32) -> L::F32 {
        self.apply(l, x, dy)
    }

    #[inline(always)]
    fn usable<L: Simd, const U: usize>(self, l: L, _: &[L::F32; U], ys: &[L::F32; U]) -> bool {
        all_finite(l, ys)
    }
}

/// SiLU and its derivative.
#[derive(Clone, Copy)]
pub(crate) struct SiluSlope<L: Simd> {
    /// `x*s`, `s = sigmoid(x)`.
    pub value: L::F32,
    /// `s + x*s*(1 - s)`.
    pub slope: L::F32,
}

/// For `-87 <= x`.
#[inline(always)]
fn near_silu_slope<L: Simd>(l: L, x: L::F32) -> SiluSlope<L> {
    let one = l.splat(1.0);
    let Denominator { power, mantissa, value } = sigmoid_denominator(l, x);
    let s = l.div(one, value);
    // 1 - s, without cancellation.
    let above = l.mul(l.mul(power, mantissa), s);
    let rest = l.select(l.lt(x, l.splat(0.0)), l.sub(one, s), above);
    // An infinity must not be multiplied with a rest of 0.
    let finite = l.min(l.splat(SIGMOID_LIMIT), x);
    SiluSlope { value: l.div(x, value), slope: l.fma(l.mul(finite, s), rest, s) }
}

/// For every x.
#[inline(always)]
fn silu_slope<L: Simd>(l: L, x: L::F32) -> SiluSlope<L> {
    let lowest = l.splat(-SIGMOID_LIMIT);
    let is_far = l.lt(x, lowest);
    let near = near_silu_slope(l, l.max(lowest, x));
    // Beside 1, e^x is nothing.
    let x = l.max(l.splat(SILU_LOWEST), x);
    let e = far_exp(l, x);
    let s = e.value(l);
    SiluSlope {
        value: l.select(is_far, e.times(l, x), near.value),
        slope: l.select(is_far, l.fma(x, s, s), near.slope),
    }
}

/// `[d_gate, d_up]` of `silu(gate) * up`; `FAST` where every gate is above -87.
#[inline(always)]
pub(crate) fn swiglu_gradients<L: Simd, const FAST: bool>(
    l: L,
    [gate, up, dy]: [L::F32; 3],
) -> [L::F32; 2] {
    let SiluSlope { value, slope } =
        if FAST { near_silu_slope(l, gate) } else { silu_slope(l, gate) };
    [l.mul(l.mul(dy, up), slope), l.mul(dy, value)]
}
