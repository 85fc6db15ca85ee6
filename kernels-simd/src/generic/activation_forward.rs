//! The activations on slices: the table of kernels that every instruction set fills, and which
//! formula of [`crate::generic::activation`] is computed.

use half::{bf16, f16};

use crate::built::{self, SMALL};
use crate::generic::activation::{
    Elu, Ideal, NotBuilt, Relu2, Silu, Swiglu, Xielu, Xiprelu, Xsilu,
};
use crate::generic::elementwise::{binary, unary};
use crate::generic::parameters::Activation;
use crate::generic::simd::{Element, Simd};

/// `dst = f(src)`: both hold `n` elements and are equal or disjoint.
pub(crate) type Forward<T> = unsafe fn(&Activation, src: *const T, dst: *mut T, n: usize);
/// `dst = silu(gate) * up`: all hold `n` elements; `dst` may equal either source.
pub(crate) type Gated<T> = unsafe fn(gate: *const T, up: *const T, dst: *mut T, n: usize);

/// Kernels of one instruction set.
pub(crate) struct Table {
    pub f32: Forward<f32>,
    pub bf16: Forward<bf16>,
    pub f16: Forward<f16>,
    pub swiglu_f32: Gated<f32>,
    pub swiglu_bf16: Gated<bf16>,
    pub swiglu_f16: Gated<f16>,
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
        Activation::Xielu(c) if built::XIELU => run!(Xielu(c)),
        Activation::Xiprelu(c) if built::XIPRELU => run!(Xiprelu(c)),
        Activation::Relu2 if built::RELU2 => run!(Relu2),
        Activation::Elu { alpha } if built::ELU => run!(Elu { alpha }),
        Activation::Xsilu { alpha } if built::XSILU && alpha != 0.0 => run!(Xsilu { alpha }),
        Activation::Silu | Activation::Xsilu { .. } if built::SILU => run!(Silu),
        // What the build leaves out. No `_`: a new function is an error here until it has its line.
        Activation::Xielu(_)
        | Activation::Xiprelu(_)
        | Activation::Relu2
        | Activation::Elu { .. }
        | Activation::Xsilu { .. }
        | Activation::Silu => run!(NotBuilt),
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
