//! Activations on slices of any storage type.

use half::{bf16, f16};

use crate::kernels::{Activation, AlphaSums, Kernels, LearnedActivation, LengthError};

mod sealed {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for half::bf16 {}
    impl Sealed for half::f16 {}
}

/// A storage type of activations: `f32`, `bf16` or `f16`. The 16-bit types are storage only:
/// everything is computed in f32 and rounded once (to nearest, ties to even).
pub trait Element: Copy + Send + Sync + sealed::Sealed {
    /// See [`Elementwise::forward`].
    #[doc(hidden)]
    fn activate(
        kernels: &Kernels,
        f: &Activation,
        src: &[Self],
        dst: &mut [Self],
    ) -> Result<(), LengthError>;
    /// See [`Elementwise::forward_in_place`].
    #[doc(hidden)]
    fn activate_in_place(kernels: &Kernels, f: &Activation, x: &mut [Self]);
    /// See [`Swiglu::forward`](super::Swiglu::forward).
    #[doc(hidden)]
    fn swiglu(
        kernels: &Kernels,
        gate: &[Self],
        up: &[Self],
        dst: &mut [Self],
    ) -> Result<(), LengthError>;
    /// See [`Swiglu::forward_in_place`](super::Swiglu::forward_in_place).
    #[doc(hidden)]
    fn swiglu_in_place(
        kernels: &Kernels,
        gate: &[Self],
        up: &mut [Self],
    ) -> Result<(), LengthError>;
    /// See [`RawXielu::backward`](super::RawXielu::backward).
    #[doc(hidden)]
    fn backward(
        kernels: &Kernels,
        f: &LearnedActivation,
        x_dy: [&[Self]; 2],
        dx: &mut [Self],
        sums: &mut [AlphaSums],
    ) -> Result<(), LengthError>;
    /// See [`Relu2::backward`](super::Relu2::backward).
    #[doc(hidden)]
    fn relu2_backward(
        kernels: &Kernels,
        x_dy: [&[Self]; 2],
        dx: &mut [Self],
    ) -> Result<(), LengthError>;
    /// See [`Swiglu::backward`](super::Swiglu::backward).
    #[doc(hidden)]
    fn swiglu_backward(
        kernels: &Kernels,
        from: [&[Self]; 3],
        to: [&mut [Self]; 2],
    ) -> Result<(), LengthError>;
}

macro_rules! element {
    ($t:ty, $activate:ident, $in_place:ident, $swiglu:ident, $swiglu_in_place:ident,
     $backward:ident, $relu2_backward:ident, $swiglu_backward:ident) => {
        impl Element for $t {
            fn activate(
                kernels: &Kernels,
                f: &Activation,
                src: &[Self],
                dst: &mut [Self],
            ) -> Result<(), LengthError> {
                kernels.$activate(f, src, dst)
            }
            fn activate_in_place(kernels: &Kernels, f: &Activation, x: &mut [Self]) {
                kernels.$in_place(f, x);
            }
            fn swiglu(
                kernels: &Kernels,
                gate: &[Self],
                up: &[Self],
                dst: &mut [Self],
            ) -> Result<(), LengthError> {
                kernels.$swiglu(gate, up, dst)
            }
            fn swiglu_in_place(
                kernels: &Kernels,
                gate: &[Self],
                up: &mut [Self],
            ) -> Result<(), LengthError> {
                kernels.$swiglu_in_place(gate, up)
            }
            fn backward(
                kernels: &Kernels,
                f: &LearnedActivation,
                [x, dy]: [&[Self]; 2],
                dx: &mut [Self],
                sums: &mut [AlphaSums],
            ) -> Result<(), LengthError> {
                kernels.$backward(f, x, dy, dx, sums)
            }
            fn relu2_backward(
                kernels: &Kernels,
                [x, dy]: [&[Self]; 2],
                dx: &mut [Self],
            ) -> Result<(), LengthError> {
                kernels.$relu2_backward(x, dy, dx)
            }
            fn swiglu_backward(
                kernels: &Kernels,
                from: [&[Self]; 3],
                to: [&mut [Self]; 2],
            ) -> Result<(), LengthError> {
                kernels.$swiglu_backward(from, to)
            }
        }
    };
}

element!(
    f32,
    activate_f32,
    activate_f32_in_place,
    swiglu_f32,
    swiglu_f32_in_place,
    backward_f32,
    relu2_backward_f32,
    swiglu_backward_f32
);
element!(
    bf16,
    activate_bf16,
    activate_bf16_in_place,
    swiglu_bf16,
    swiglu_bf16_in_place,
    backward_bf16,
    relu2_backward_bf16,
    swiglu_backward_bf16
);
element!(
    f16,
    activate_f16,
    activate_f16_in_place,
    swiglu_f16,
    swiglu_f16_in_place,
    backward_f16,
    relu2_backward_f16,
    swiglu_backward_f16
);

/// A function of one value with its parameters: everything that converts into [`Activation`].
///
/// Every instruction set gives the same bits. NaN in gives NaN out, always the quiet NaN
/// `0x7fc00000` (`0x7fc0` in bf16, `0x7e00` in f16).
pub trait Elementwise: Copy + Into<Activation> {
    /// `f(x)`; the same bits as the slice forms.
    fn apply(self, x: f32) -> f32 {
        let f: Activation = self.into();
        Activation::apply(f, x)
    }

    /// `dst[i] = f(src[i])`.
    ///
    /// # Errors
    /// If the lengths differ; nothing is written.
    fn forward<T: Element>(
        self,
        kernels: &Kernels,
        src: &[T],
        dst: &mut [T],
    ) -> Result<(), LengthError> {
        T::activate(kernels, &self.into(), src, dst)
    }

    /// `x[i] = f(x[i])`.
    fn forward_in_place<T: Element>(self, kernels: &Kernels, x: &mut [T]) {
        T::activate_in_place(kernels, &self.into(), x);
    }
}

impl<A: Copy + Into<Activation>> Elementwise for A {}
