//! The functions and their scalars.

use crate::DType;

/// A function of one value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum Function {
    /// `alpha_p*x^2 + beta*x` for `x > 0`, `alpha_n*(expm1(min(x, eps)) - x) + beta*x` otherwise.
    Xielu = 0,
    /// `alpha_p*x^2 + beta*x` for `x > 0`, `alpha_n*x^2 + beta*x` otherwise.
    Xiprelu = 1,
    /// `max(0, x)^2`; it has no scalars.
    Relu2 = 2,
}

/// The effective scalars of a layer, as the kernels read them. All are finite and `eps <= 0`.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(C)]
pub struct Coefficients {
    /// `softplus(raw_p)`.
    pub alpha_p: f32,
    /// `beta + softplus(raw_n)` for xIELU, `softplus(raw_n)` for xIPReLU.
    pub alpha_n: f32,
    /// Slope at 0.
    pub beta: f32,
    /// 0 for the ideal xIELU; the checkpoint's (-1e-6) to repeat the reference's clamp.
    pub eps: f32,
    /// `sigmoid(raw_p)`: the derivative of `alpha_p`. Only gradients need it.
    pub sigmoid_p: f64,
    /// `sigmoid(raw_n)`: the derivative of `alpha_n`. Only gradients need it.
    pub sigmoid_n: f64,
}

impl Coefficients {
    /// For inference: the ideal function, whose alphas' derivatives are 1, so that gradients are
    /// those of the effective alphas.
    pub const fn new(alpha_p: f32, alpha_n: f32, beta: f32) -> Self {
        Coefficients { alpha_p, alpha_n, beta, eps: 0.0, sigmoid_p: 1.0, sigmoid_n: 1.0 }
    }

    /// With the reference implementation's clamp.
    pub const fn with_eps(self, eps: f32) -> Self {
        Coefficients { eps, ..self }
    }

    /// With the derivatives of the alphas by the stored scalars.
    pub const fn with_sigmoids(self, sigmoid_p: f64, sigmoid_n: f64) -> Self {
        Coefficients { sigmoid_p, sigmoid_n, ..self }
    }
}

/// A function with its scalars.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Activation {
    pub(crate) function: Function,
    pub(crate) coefficients: Coefficients,
}

impl Activation {
    /// ReLU².
    pub const RELU2: Activation =
        Activation { function: Function::Relu2, coefficients: Coefficients::new(0.0, 0.0, 0.0) };

    /// xIELU.
    pub const fn xielu(coefficients: Coefficients) -> Self {
        Activation { function: Function::Xielu, coefficients }
    }

    /// xIPReLU.
    pub const fn xiprelu(coefficients: Coefficients) -> Self {
        Activation { function: Function::Xiprelu, coefficients }
    }

    /// The function.
    pub const fn function(&self) -> Function {
        self.function
    }

    /// Its scalars.
    pub const fn coefficients(&self) -> &Coefficients {
        &self.coefficients
    }
}

/// Where a kernel finds the scalars.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scalars {
    /// In the launch.
    Value(Coefficients),
    /// At a device address, as [`Raw::freeze`](crate::Raw::freeze) writes them.
    Device(u64),
}

/// The stored scalars of a layer on the device, as an optimiser holds them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RawScalars {
    /// Address of the stored `alpha_p`.
    pub alpha_p: u64,
    /// Address of the stored `alpha_n`.
    pub alpha_n: u64,
    /// How both are stored.
    pub dtype: DType,
    /// Slope at 0.
    pub beta: f32,
    /// 0, or the reference's clamp.
    pub eps: f32,
}
