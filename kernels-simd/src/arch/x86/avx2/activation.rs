//! AVX2 activations: eight lanes.

use half::{bf16, f16};

use super::token::{Avx2, compile};
use crate::generic::activation_forward::{Table, activate, swiglu};
use crate::generic::parameters::Activation;
use crate::generic::simd::Element;

pub(crate) static TABLE: Table = Table {
    f32: run::<f32>,
    bf16: run::<bf16>,
    f16: run::<f16>,
    swiglu_f32: run_swiglu::<f32>,
    swiglu_bf16: run_swiglu::<bf16>,
    swiglu_f16: run_swiglu::<f16>,
};

compile! {
    /// # Safety
    /// As [`Table`] says of `src`, `dst` and `n`.
    unsafe fn run<T: Element>(f: &Activation, src: *const T, dst: *mut T, n: usize) {
        // SAFETY: the caller's promise is the same.
        unsafe { activate(Avx2::new(), f, src, dst, n) };
    }

    /// # Safety
    /// As [`Table`] says of the pointers and `n`.
    unsafe fn run_swiglu<T: Element>(gate: *const T, up: *const T, dst: *mut T, n: usize) {
        // SAFETY: the caller's promise is the same.
        unsafe { swiglu(Avx2::new(), gate, up, dst, n) };
    }
}
