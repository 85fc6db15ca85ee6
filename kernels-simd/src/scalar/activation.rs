//! Scalar activations.

use half::{bf16, f16};

use crate::activation::{Activation, Table};

pub(crate) static TABLE: Table = Table {
    f32: map::<f32>,
    bf16: map::<bf16>,
    f16: map::<f16>,
    swiglu_f32: swiglu::<f32>,
    swiglu_bf16: swiglu::<bf16>,
    swiglu_f16: swiglu::<f16>,
};

trait Storage: Copy {
    fn load(self) -> f32;
    fn store(x: f32) -> Self;
}

impl Storage for f32 {
    fn load(self) -> f32 {
        self
    }
    fn store(x: f32) -> Self {
        x
    }
}

impl Storage for bf16 {
    fn load(self) -> f32 {
        self.to_f32()
    }
    fn store(x: f32) -> Self {
        bf16::from_f32(x)
    }
}

impl Storage for f16 {
    fn load(self) -> f32 {
        self.to_f32()
    }
    fn store(x: f32) -> Self {
        f16::from_f32(x)
    }
}

fn silu(x: f32) -> f32 {
    x / (1.0 + libm::expf(-x))
}

fn apply(op: &Activation, x: f32) -> f32 {
    match *op {
        Activation::Xielu(c) if x > 0.0 => x * (c.alpha_p * x + c.beta),
        Activation::Xielu(c) => c.alpha_n * (libm::expm1f(x.min(c.eps)) - x) + c.beta * x,
        Activation::Xiprelu { alpha_p, alpha_n, beta } => {
            x * ((if x > 0.0 { alpha_p } else { alpha_n }) * x + beta)
        }
        Activation::Relu2 => x.max(0.0) * x.max(0.0),
        Activation::Silu => silu(x),
        Activation::Elu { alpha } => {
            if x > 0.0 {
                x
            } else {
                alpha * libm::expm1f(x)
            }
        }
        Activation::Xsilu { alpha } => silu(x) * (1.0 + 2.0 * alpha) - alpha * x,
    }
}

/// # Safety
/// As [`Table`] says of `src`, `dst` and `n`.
unsafe fn map<T: Storage>(op: &Activation, src: *const T, dst: *mut T, n: usize) {
    for i in 0..n {
        // SAFETY: `i < n`, the length the caller vouches for.
        unsafe { *dst.add(i) = T::store(apply(op, (*src.add(i)).load())) };
    }
}

/// # Safety
/// As [`Table`] says of the pointers and `n`.
unsafe fn swiglu<T: Storage>(gate: *const T, up: *const T, dst: *mut T, n: usize) {
    for i in 0..n {
        // SAFETY: `i < n`, the length the caller vouches for.
        unsafe { *dst.add(i) = T::store(silu((*gate.add(i)).load()) * (*up.add(i)).load()) };
    }
}
