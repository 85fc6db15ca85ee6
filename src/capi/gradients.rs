//! Gradients of the activations with learned alphas, over arrays.

use half::{bf16, f16};

use super::activation::{kind, xielu_raw};
use super::backend::backend;
use super::pointer::{In, Out, read, separate};
use super::status::{Status, call};
use crate::activation::{Differentiable as _, Form, Xiprelu};
use crate::kernels::{ActivationKind, Element};

/// What one layer's stored alphas gather over all elements, added up in a fixed order.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct xielu_alpha_gradients {
    /// By the stored alpha_p: sigmoid(raw alpha_p) times the sum of `dy[i] * x[i]^2` over x > 0.
    pub draw_p: f64,
    /// By the stored alpha_n: sigmoid(raw alpha_n) times the sum of `dy[i] * (e^x[i] - 1 - x[i])`
    /// over x <= 0; of `dy[i] * x[i]^2` for xIPReLU.
    pub draw_n: f64,
}

/// What is differentiated, and on which threads.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct xielu_backward_options {
    /// The stored scalars. With eps = 0 xIELU is the ideal function; otherwise its derivative is
    /// autograd's, beta - alpha_n for eps < x <= 0. xIPReLU has no eps.
    pub raw: xielu_raw,
    /// XIELU_ACTIVATION_XIELU or XIELU_ACTIVATION_XIPRELU.
    pub kind: u32,
    /// Not 0: on the threads of the process's pool. The library must be built with them (feature
    /// rayon).
    pub parallel: u32,
}

/// The body of the functions that differentiate.
///
/// # Safety
/// The module's contract.
unsafe fn backward<T: Element>(
    options: *const xielu_backward_options,
    [x, dy]: [*const T; 2],
    dx: *mut T,
    n: usize,
    alphas: *mut xielu_alpha_gradients,
) -> Status {
    call(|| {
        // SAFETY: the module's contract.
        let options = unsafe { read(options) }?;
        let raw = options.raw.checked()?;
        let backend = backend(options.parallel)?;
        let kind = kind(options.kind).filter(|kind| kind.has_alphas()).ok_or(Status::Option)?;
        let (x, dy) = (In::new(x, n)?, In::new(dy, n)?);
        let (dx, alphas) = (Out::new(dx, n)?, Out::new(alphas, 1)?);
        separate(&[dx.region(), alphas.region()], &[x.region(), dy.region()])?;
        // SAFETY: the module's contract, and what is written is separate from what is read.
        let (x, dy, dx) = unsafe { (x.get(), dy.get(), dx.get()) };
        let sums = match kind {
            ActivationKind::Xiprelu => Xiprelu::freeze(&raw).backward(&backend, x, dy, dx)?,
            _ => raw.freeze(Form::Clamped).backward(&backend, x, dy, dx)?,
        };
        let sums = xielu_alpha_gradients { draw_p: sums.draw_p, draw_n: sums.draw_n };
        // SAFETY: the module's contract; separate from the arrays.
        unsafe { alphas.write(sums) };
        Ok(())
    })
}

/// `dx[i] = dy[i] * f'(x[i])` for n values, and the gradients by the stored alphas. The same bits
/// for any number of threads, on every instruction set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xielu_backward_f32(
    options: *const xielu_backward_options,
    x: *const f32,
    dy: *const f32,
    dx: *mut f32,
    n: usize,
    alphas: *mut xielu_alpha_gradients,
) -> Status {
    // SAFETY: the module's contract.
    unsafe { backward(options, [x, dy], dx, n, alphas) }
}

/// As xielu_backward_f32, for n bfloat16 values: computed in f32, rounded once.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xielu_backward_bf16(
    options: *const xielu_backward_options,
    x: *const u16,
    dy: *const u16,
    dx: *mut u16,
    n: usize,
    alphas: *mut xielu_alpha_gradients,
) -> Status {
    // SAFETY: the module's contract; bf16 is a transparent u16.
    unsafe { backward::<bf16>(options, [x.cast(), dy.cast()], dx.cast(), n, alphas) }
}

/// As xielu_backward_f32, for n IEEE half values: computed in f32, rounded once.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xielu_backward_f16(
    options: *const xielu_backward_options,
    x: *const u16,
    dy: *const u16,
    dx: *mut u16,
    n: usize,
    alphas: *mut xielu_alpha_gradients,
) -> Status {
    // SAFETY: the module's contract; f16 is a transparent u16.
    unsafe { backward::<f16>(options, [x.cast(), dy.cast()], dx.cast(), n, alphas) }
}
