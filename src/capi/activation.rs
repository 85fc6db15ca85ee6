//! Parameters and activations over arrays.

use half::{bf16, f16};

use super::Status;
use super::pointer::{In, Out, read, separate};
use super::status::call;
use crate::RawXielu;
use crate::activation::{Form, Xiprelu};
use crate::kernels::{Activation, ActivationKind, Coefficients, Element, Kernels};

/// alpha_p*x^2 + beta*x for x > 0, alpha_n*(e^min(x, eps) - 1 - x) + beta*x otherwise.
pub const XIELU_ACTIVATION_XIELU: u32 = 1;
/// alpha_p*x^2 + beta*x for x > 0, alpha_n*x^2 + beta*x otherwise.
pub const XIELU_ACTIVATION_XIPRELU: u32 = 2;
/// max(0, x)^2. Takes no parameters.
pub const XIELU_ACTIVATION_RELU2: u32 = 3;
/// x * sigmoid(x). Takes no parameters.
pub const XIELU_ACTIVATION_SILU: u32 = 4;
/// silu(gate) * up, the activation of gated models: what a config names, and xielu_swiglu_f32
/// computes.
pub const XIELU_ACTIVATION_SWIGLU: u32 = 5;

/// The functions by their numbers in C.
const KINDS: [(u32, ActivationKind); 5] = [
    (XIELU_ACTIVATION_XIELU, ActivationKind::Xielu),
    (XIELU_ACTIVATION_XIPRELU, ActivationKind::Xiprelu),
    (XIELU_ACTIVATION_RELU2, ActivationKind::Relu2),
    (XIELU_ACTIVATION_SILU, ActivationKind::Silu),
    (XIELU_ACTIVATION_SWIGLU, ActivationKind::Swiglu),
];

/// The function of this number.
pub(super) fn kind(number: u32) -> Option<ActivationKind> {
    KINDS.into_iter().find(|(n, _)| *n == number).map(|(_, kind)| kind)
}

/// The number of this function; 0 if C has none.
pub(super) fn number(kind: ActivationKind) -> u32 {
    KINDS.into_iter().find(|(_, k)| *k == kind).map_or(0, |(number, _)| number)
}

/// The scalars of one layer as trained and stored: before softplus.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct xielu_raw {
    /// Before softplus.
    pub alpha_p: f32,
    /// Before softplus and before beta is added.
    pub alpha_n: f32,
    /// Slope at 0; 0.5 in every released model.
    pub beta: f32,
    /// The reference's clamp; -1e-6 in every released model.
    pub eps: f32,
}

/// A function with its effective parameters, from xielu_freeze or its siblings. A kind without
/// parameters needs its kind only.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct xielu_activation {
    /// One of XIELU_ACTIVATION_XIELU, _XIPRELU, _RELU2 and _SILU.
    pub kind: u32,
    /// softplus(raw alpha_p).
    pub alpha_p: f32,
    /// xIELU: beta + softplus(raw alpha_n); xIPReLU: softplus(raw alpha_n).
    pub alpha_n: f32,
    /// Slope at 0.
    pub beta: f32,
    /// xIELU: clamp of the exponent, 0 in the ideal function.
    pub eps: f32,
}

impl From<RawXielu> for xielu_raw {
    fn from(RawXielu { alpha_p, alpha_n, beta, eps }: RawXielu) -> Self {
        xielu_raw { alpha_p, alpha_n, beta, eps }
    }
}

impl xielu_raw {
    pub(super) fn checked(self) -> Result<RawXielu, Status> {
        let xielu_raw { alpha_p, alpha_n, beta, eps } = self;
        Ok(RawXielu { alpha_p, alpha_n, beta, eps }.checked()?)
    }
}

impl xielu_activation {
    pub(super) fn checked(self) -> Result<Activation, Status> {
        let xielu_activation { kind: number, alpha_p, alpha_n, beta, eps } = self;
        let finite = |coefficients: Coefficients| {
            let Coefficients { alpha_p, alpha_n, beta, eps } = coefficients;
            match [alpha_p, alpha_n, beta, eps].iter().all(|v| v.is_finite()) {
                true => Ok(coefficients),
                false => Err(Status::Parameter),
            }
        };
        match kind(number) {
            Some(ActivationKind::Xielu) => {
                finite(Coefficients { alpha_p, alpha_n, beta, eps }).map(Activation::Xielu)
            }
            Some(ActivationKind::Xiprelu) => {
                finite(Coefficients { alpha_p, alpha_n, beta, eps: 0.0 }).map(Activation::Xiprelu)
            }
            Some(ActivationKind::Relu2) => Ok(Activation::Relu2),
            Some(ActivationKind::Silu) => Ok(Activation::Silu),
            _ => Err(Status::Option),
        }
    }
}

/// Writes the scalars that training starts from: effective alpha_p = alpha_n = 0.8, beta = 0.5.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xielu_raw_init(raw: *mut xielu_raw) -> Status {
    call(|| {
        let out = Out::new(raw, 1)?;
        // SAFETY: the module's contract.
        unsafe { out.write(RawXielu::PAPER_INIT.into()) };
        Ok(())
    })
}

/// The body of the functions that freeze.
///
/// # Safety
/// The module's contract.
unsafe fn freeze(
    raw: *const xielu_raw,
    out: *mut xielu_activation,
    freeze: impl FnOnce(RawXielu) -> xielu_activation,
) -> Status {
    call(|| {
        let out = Out::new(out, 1)?;
        // SAFETY: the module's contract.
        let frozen = freeze(unsafe { read(raw) }?.checked()?);
        // Finite scalars may have a sum that is not.
        frozen.checked()?;
        // SAFETY: the module's contract; nothing is borrowed.
        unsafe { out.write(frozen) };
        Ok(())
    })
}

fn frozen(kind: u32, coefficients: Coefficients) -> xielu_activation {
    let Coefficients { alpha_p, alpha_n, beta, eps } = coefficients;
    xielu_activation { kind, alpha_p, alpha_n, beta, eps }
}

fn frozen_xielu(raw: RawXielu, form: Form) -> xielu_activation {
    frozen(XIELU_ACTIVATION_XIELU, raw.freeze(form).coefficients())
}

/// The ideal function of stored scalars: alpha_p = softplus(raw alpha_p),
/// alpha_n = beta + softplus(raw alpha_n), no clamp.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xielu_freeze(
    raw: *const xielu_raw,
    activation: *mut xielu_activation,
) -> Status {
    // SAFETY: the module's contract.
    unsafe { freeze(raw, activation, |raw| frozen_xielu(raw, Form::Ideal)) }
}

/// As xielu_freeze, with the clamp of Hugging Face's form.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xielu_freeze_with_eps(
    raw: *const xielu_raw,
    activation: *mut xielu_activation,
) -> Status {
    // SAFETY: the module's contract.
    unsafe { freeze(raw, activation, |raw| frozen_xielu(raw, Form::Clamped)) }
}

/// The xIPReLU of stored scalars: alpha_p = softplus(raw alpha_p), alpha_n = softplus(raw alpha_n).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xielu_freeze_xiprelu(
    raw: *const xielu_raw,
    activation: *mut xielu_activation,
) -> Status {
    let frozen = |raw| frozen(XIELU_ACTIVATION_XIPRELU, Xiprelu::freeze(&raw).coefficients());
    // SAFETY: the module's contract.
    unsafe { freeze(raw, activation, frozen) }
}

/// The body of the functions that activate.
///
/// # Safety
/// The module's contract.
unsafe fn activate<T: Element>(
    activation: *const xielu_activation,
    x: *const T,
    y: *mut T,
    n: usize,
) -> Status {
    call(|| {
        // SAFETY: the module's contract.
        let f = unsafe { read(activation) }?.checked()?;
        let (src, dst) = (In::new(x, n)?, Out::new(y, n)?);
        let kernels = Kernels::detect();
        if x == y.cast_const() {
            // SAFETY: the module's contract; the array is borrowed once.
            kernels.activate_in_place(&f, unsafe { dst.get() });
            return Ok(());
        }
        separate(&[dst.region()], &[src.region()])?;
        // SAFETY: the module's contract, and the two are separate.
        let (src, dst) = unsafe { (src.get(), dst.get()) };
        kernels.activate(&f, src, dst).map_err(|e| crate::Error::from(e).into())
    })
}

/// `y[i] = f(x[i])` for n values. y may be x: then in place. Every instruction set gives the same
/// bits.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xielu_activate_f32(
    activation: *const xielu_activation,
    x: *const f32,
    y: *mut f32,
    n: usize,
) -> Status {
    // SAFETY: the module's contract.
    unsafe { activate(activation, x, y, n) }
}

/// As xielu_activate_f32, for n bfloat16 values: computed in f32, rounded once.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xielu_activate_bf16(
    activation: *const xielu_activation,
    x: *const u16,
    y: *mut u16,
    n: usize,
) -> Status {
    // SAFETY: the module's contract; bf16 is a transparent u16.
    unsafe { activate(activation, x.cast::<bf16>(), y.cast(), n) }
}

/// As xielu_activate_f32, for n IEEE half values: computed in f32, rounded once.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xielu_activate_f16(
    activation: *const xielu_activation,
    x: *const u16,
    y: *mut u16,
    n: usize,
) -> Status {
    // SAFETY: the module's contract; f16 is a transparent u16.
    unsafe { activate(activation, x.cast::<f16>(), y.cast(), n) }
}

/// The body of the gated functions.
///
/// # Safety
/// The module's contract.
unsafe fn swiglu<T: Element>(gate: *const T, up: *const T, y: *mut T, n: usize) -> Status {
    call(|| {
        let (g, u, dst) = (In::new(gate, n)?, In::new(up, n)?, Out::new(y, n)?);
        let kernels = Kernels::detect();
        separate(&[dst.region()], &[g.region()])?;
        let done = if up == y.cast_const() {
            // SAFETY: the module's contract; the two are separate.
            let (g, dst) = unsafe { (g.get(), dst.get()) };
            kernels.swiglu_in_place(g, dst)
        } else {
            separate(&[dst.region()], &[u.region()])?;
            // SAFETY: the module's contract; what is written is separate from what is read.
            let (g, u, dst) = unsafe { (g.get(), u.get(), dst.get()) };
            kernels.swiglu([g, u], dst)
        };
        done.map_err(|e| crate::Error::from(e).into())
    })
}

/// `y[i] = silu(gate[i]) * up[i]` for n values. y may be up: then in place.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xielu_swiglu_f32(
    gate: *const f32,
    up: *const f32,
    y: *mut f32,
    n: usize,
) -> Status {
    // SAFETY: the module's contract.
    unsafe { swiglu(gate, up, y, n) }
}

/// As xielu_swiglu_f32, for n bfloat16 values.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xielu_swiglu_bf16(
    gate: *const u16,
    up: *const u16,
    y: *mut u16,
    n: usize,
) -> Status {
    // SAFETY: the module's contract; bf16 is a transparent u16.
    unsafe { swiglu(gate.cast::<bf16>(), up.cast(), y.cast(), n) }
}

/// As xielu_swiglu_f32, for n IEEE half values.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xielu_swiglu_f16(
    gate: *const u16,
    up: *const u16,
    y: *mut u16,
    n: usize,
) -> Status {
    // SAFETY: the module's contract; f16 is a transparent u16.
    unsafe { swiglu(gate.cast::<f16>(), up.cast(), y.cast(), n) }
}
