//! The activations on slices: the table of kernels that every instruction set fills, and which
//! formula of [`crate::generic::activation`] is computed.

use half::{bf16, f16};

use crate::built::{self, SMALL};
use crate::generic::activation::{Elu, Ideal, NotBuilt, Relu2, Silu, Swiglu, Xiprelu, Xsilu};
use crate::generic::elementwise::{binary, unary};
use crate::generic::parameters::Activation;
use crate::generic::simd::{Element, Simd};

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

/// `TABLE`, the kernels of the instruction set whose token is `$token`. `$compile` compiles them
/// with its features, where the target does not have them in any case.
macro_rules! table {
    ($token:expr) => {
        $crate::generic::activation_forward::table!($token, $crate::generic::simd::as_it_is);
    };
    ($token:expr, $($compile:tt)+) => {
        use half::{bf16, f16};
        use $crate::generic::activation_forward as kernels;
        use $crate::generic::simd::Element;

        pub(crate) const TABLE: kernels::Table = kernels::Table {
            f32: activate::<f32>,
            bf16: activate::<bf16>,
            f16: activate::<f16>,
            swiglu_f32: swiglu::<f32>,
            swiglu_bf16: swiglu::<bf16>,
            swiglu_f16: swiglu::<f16>,
        };

        $($compile)+! {
            /// # Safety
            /// As the table says; the machine runs this instruction set.
            unsafe fn activate<T: Element>(
                f: &$crate::generic::parameters::Activation,
                src: *const T,
                dst: *mut T,
                n: usize,
            ) {
                // SAFETY: `# Safety` of this function requires the same.
                unsafe { kernels::activate($token, f, src, dst, n) };
            }

            /// # Safety
            /// As the table says; the machine runs this instruction set.
            unsafe fn swiglu<T: Element>(gate: *const T, up: *const T, dst: *mut T, n: usize) {
                // SAFETY: `# Safety` of this function requires the same.
                unsafe { kernels::swiglu($token, gate, up, dst, n) };
            }
        }
    };
}
pub(crate) use table;

/// `dst[i] = f(src[i])`.
///
/// # Safety
/// As [`unary`].
#[inline(always)]
pub(crate) unsafe fn activate<L: Simd, T: Element>(
    lanes: L,
    f: &Activation,
    src: *const T,
    dst: *mut T,
    n: usize,
) {
    /// One loop for one function.
    macro_rules! run {
        ($f:expr) => {
            // SAFETY: `# Safety` of this function requires the same.
            unsafe { unary(lanes, $f, src, dst, n) }
        };
    }
    match *f {
        Activation::Xielu(c) if !SMALL && c.is_ideal() => run!(Ideal(c)),
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
/// As [`binary`].
#[inline(always)]
pub(crate) unsafe fn swiglu<L: Simd, T: Element>(
    lanes: L,
    gate: *const T,
    up: *const T,
    dst: *mut T,
    n: usize,
) {
    // SAFETY: `# Safety` of this function requires the same.
    unsafe { binary(lanes, Swiglu, gate, up, dst, n) }
}
