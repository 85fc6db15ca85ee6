//! Activations on slices of any storage type.

use half::{bf16, f16};

use crate::kernels::{Activation, Kernels, LengthError};

mod sealed {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for half::bf16 {}
    impl Sealed for half::f16 {}
}

/// A storage type of activations: `f32`, `bf16` or `f16`. The 16-bit types are storage only:
/// everything is computed in f32 and rounded once (to nearest, ties to even).
pub trait Element: Copy + sealed::Sealed {
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
}

macro_rules! element {
    ($t:ty, $activate:ident, $in_place:ident, $swiglu:ident, $swiglu_in_place:ident) => {
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
        }
    };
}

element!(f32, activate_f32, activate_f32_in_place, swiglu_f32, swiglu_f32_in_place);
element!(bf16, activate_bf16, activate_bf16_in_place, swiglu_bf16, swiglu_bf16_in_place);
element!(f16, activate_f16, activate_f16_in_place, swiglu_f16, swiglu_f16_in_place);

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
