//! The activation functions as data, and the table of kernels that compute them.

use half::{bf16, f16};

use crate::built;
use crate::formulas::{Elu, Ideal, NotBuilt, Relu2, Silu, Swiglu, Xiprelu, Xsilu};
use crate::lanes::{Element, Lanes};
use crate::map::{map, map2};
use crate::scalar::activation::Scalar;

/// Effective (after softplus) coefficients of xIELU, as the kernels use them.
///
/// `x > 0`: `alpha_p*x^2 + beta*x`; `x <= 0`: `alpha_n*(expm1(min(x, eps)) - x) + beta*x`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct XieluCoefficients {
    /// `softplus(raw_p)`.
    pub alpha_p: f32,
    /// `beta + softplus(raw_n)`.
    pub alpha_n: f32,
    /// Slope at 0.
    pub beta: f32,
    /// 0 for the ideal function; the checkpoint's (-1e-6) to repeat the reference's clamp.
    pub eps: f32,
}

/// An elementwise activation with its frozen parameters. One that the build leaves out
/// ([`crate::built`]) is NaN everywhere.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Activation {
    /// xIELU, arXiv 2411.13010.
    Xielu(XieluCoefficients),
    /// xIPReLU: `alpha_p*x^2 + beta*x` for `x > 0`, `alpha_n*x^2 + beta*x` otherwise.
    Xiprelu {
        /// Quadratic coefficient for `x > 0`.
        alpha_p: f32,
        /// Quadratic coefficient for `x <= 0`.
        alpha_n: f32,
        /// Slope at 0.
        beta: f32,
    },
    /// `max(0, x)^2`.
    Relu2,
    /// `x * sigmoid(x)`.
    Silu,
    /// `x` for `x > 0`, `alpha * (e^x - 1)` otherwise.
    Elu {
        /// Scale of the negative side.
        alpha: f32,
    },
    /// `x * (sigmoid(x) * (1 + 2*alpha) - alpha)`.
    Xsilu {
        /// How far the gate reaches beyond 0 and 1.
        alpha: f32,
    },
}

impl Activation {
    /// `f(x)`, the same bits as the slice kernels of every instruction set. A NaN result is the
    /// quiet NaN `0x7fc00000`.
    pub fn apply(self, x: f32) -> f32 {
        let mut y = x;
        let p = &raw mut y;
        // SAFETY: source and destination are the same one element.
        unsafe { activate(Scalar, &self, p, p, 1) };
        y
    }
}

/// Kernels of one instruction set. `src` and `dst` hold `n` elements and are equal or disjoint.
pub(crate) struct Table {
    pub f32: unsafe fn(&Activation, src: *const f32, dst: *mut f32, n: usize),
    pub bf16: unsafe fn(&Activation, src: *const bf16, dst: *mut bf16, n: usize),
    pub f16: unsafe fn(&Activation, src: *const f16, dst: *mut f16, n: usize),
    /// `dst = silu(gate) * up`; `dst` may equal either source.
    pub swiglu_f32: unsafe fn(gate: *const f32, up: *const f32, dst: *mut f32, n: usize),
    /// As `swiglu_f32`.
    pub swiglu_bf16: unsafe fn(gate: *const bf16, up: *const bf16, dst: *mut bf16, n: usize),
    /// As `swiglu_f32`.
    pub swiglu_f16: unsafe fn(gate: *const f16, up: *const f16, dst: *mut f16, n: usize),
}

/// `dst[i] = f(src[i])`.
///
/// # Safety
/// As [`map`].
#[inline(always)]
pub(crate) unsafe fn activate<L: Lanes, T: Element>(
    lanes: L,
    f: &Activation,
    src: *const T,
    dst: *mut T,
    n: usize,
) {
    /// One loop for one function.
    macro_rules! run {
        ($f:expr) => {
            // SAFETY: the caller's promise is the same.
            unsafe { map(lanes, $f, src, dst, n) }
        };
    }
    match *f {
        Activation::Xielu(c) if !crate::SMALL && c.is_ideal() => run!(Ideal(c)),
        Activation::Xielu(c) if built::XIELU => run!(c),
        Activation::Xiprelu { alpha_p, alpha_n, beta } if built::XIPRELU => {
            run!(Xiprelu { alpha_p, alpha_n, beta })
        }
        Activation::Relu2 if built::RELU2 => run!(Relu2),
        Activation::Elu { alpha } if built::ELU => run!(Elu { alpha }),
        Activation::Xsilu { alpha } if built::XSILU && alpha != 0.0 => run!(Xsilu { alpha }),
        Activation::Silu | Activation::Xsilu { .. } if built::SILU => run!(Silu),
        _ => run!(NotBuilt),
    }
}

/// `dst[i] = silu(gate[i]) * up[i]`.
///
/// # Safety
/// As [`map2`].
#[inline(always)]
pub(crate) unsafe fn swiglu<L: Lanes, T: Element>(
    lanes: L,
    gate: *const T,
    up: *const T,
    dst: *mut T,
    n: usize,
) {
    // SAFETY: the caller's promise is the same.
    unsafe { map2(lanes, Swiglu, gate, up, dst, n) }
}
