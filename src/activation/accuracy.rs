//! How accurate the kernels are: a table the tests hold them to, from both sides. An error above
//! its bound fails, and so does a bound more than a quarter above the error that is found.

use core::fmt;

use crate::kernels::{ActivationKind, DType};

/// The largest error.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Bound {
    /// In ulp of the larger term: of `max(|f|, |beta*x|)` for xIELU and xIPReLU, of
    /// `max(|f|, |alpha*x|)` for xSiLU, of `f` for the others. Ulp of `f` alone would be
    /// unbounded for any floating-point kernel, because the first three cross zero by
    /// cancellation.
    Ulp(f64),
    /// How many of the 65,536 encodings are not rounded correctly, for any one choice of
    /// parameters; each of these is one encoding away. They are too near a tie for f32 to see.
    /// Parameters of few digits give more ties: a slope of 0.45 makes one of every 20th input.
    Misrounded(u32),
}

/// One line of the table. It holds for every instruction set: all give the same bits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Accuracy {
    /// The function; of SwiGLU, `up` is any normal number.
    pub function: ActivationKind,
    /// How values are stored: `F32`, `BF16` or `F16`.
    pub dtype: DType,
    /// Parameters it holds for: name, smallest, largest value. `beta` is 0.5, and xIELU in the
    /// ideal form unless there is an `eps`.
    pub parameters: &'static [(&'static str, f32, f32)],
    /// Inputs it holds for: smallest and largest.
    pub x: [f32; 2],
    /// The bound.
    pub bound: Bound,
}

type Parameters = &'static [(&'static str, f32, f32)];

const ANY: [f32; 2] = [f32::NEG_INFINITY, f32::INFINITY];
const MILD: Parameters = &[("alpha_p", 0.3, 1.1), ("alpha_n", 0.5, 1.1)];
const WIDE: Parameters = &[("alpha_p", 0.3, 200.0), ("alpha_n", 0.5, 50.0)];
/// The clamped form, of the reference implementation.
const CLAMPED: Parameters =
    &[("alpha_p", 0.3, 200.0), ("alpha_n", 0.5, 50.0), ("eps", -1e-6, -1e-6)];
/// Stored values, of bf16 checkpoints.
const TRAINED: Parameters = &[("raw alpha_p", -1.046_875, 166.0), ("raw alpha_n", -4.593_75, 49.5)];
/// Nearer to `beta` the slope at -inf vanishes, and with it the digits that f32 leaves.
const SHORT: Parameters = &[("alpha_p", 0.3, 200.0), ("alpha_n", 0.51, 50.0)];
const XIPRELU: Parameters = &[("alpha_p", 0.3, 200.0), ("alpha_n", 0.01, 50.0)];
const ELU: Parameters = &[("alpha", 0.1, 2.0)];
const XSILU: Parameters = &[("alpha", -0.5, 2.0)];

const fn f32_line(
    function: ActivationKind,
    parameters: Parameters,
    x: [f32; 2],
    ulp: f64,
) -> Accuracy {
    Accuracy { function, dtype: DType::F32, parameters, x, bound: Bound::Ulp(ulp) }
}

const fn half_line(
    function: ActivationKind,
    dtype: DType,
    parameters: Parameters,
    misrounded: u32,
) -> Accuracy {
    Accuracy { function, dtype, parameters, x: ANY, bound: Bound::Misrounded(misrounded) }
}

/// Every promise.
pub const TABLE: &[Accuracy] = &[
    f32_line(ActivationKind::Xielu, MILD, ANY, 1.15),
    f32_line(ActivationKind::Xielu, WIDE, ANY, 3.9),
    f32_line(ActivationKind::Xielu, WIDE, [-0.01, 0.01], 1.0),
    f32_line(ActivationKind::Xielu, CLAMPED, ANY, 3.9),
    f32_line(ActivationKind::Xiprelu, XIPRELU, ANY, 1.5),
    f32_line(ActivationKind::Relu2, &[], ANY, 0.5),
    f32_line(ActivationKind::Elu, ELU, ANY, 1.75),
    f32_line(ActivationKind::Silu, &[], ANY, 2.6),
    f32_line(ActivationKind::Xsilu, XSILU, ANY, 4.7),
    f32_line(ActivationKind::Swiglu, &[], ANY, 3.7),
    half_line(ActivationKind::Xielu, DType::BF16, TRAINED, 28),
    half_line(ActivationKind::Xielu, DType::BF16, SHORT, 687),
    half_line(ActivationKind::Xielu, DType::F16, TRAINED, 9),
    half_line(ActivationKind::Xielu, DType::F16, SHORT, 355),
    half_line(ActivationKind::Xiprelu, DType::BF16, TRAINED, 0),
    half_line(ActivationKind::Xiprelu, DType::F16, TRAINED, 11),
    half_line(ActivationKind::Relu2, DType::BF16, &[], 0),
    half_line(ActivationKind::Relu2, DType::F16, &[], 0),
    half_line(ActivationKind::Elu, DType::BF16, ELU, 0),
    half_line(ActivationKind::Elu, DType::F16, ELU, 6),
    half_line(ActivationKind::Silu, DType::BF16, &[], 0),
    half_line(ActivationKind::Silu, DType::F16, &[], 1),
    half_line(ActivationKind::Xsilu, DType::BF16, XSILU, 1),
    half_line(ActivationKind::Xsilu, DType::F16, XSILU, 27),
];

/// The bound of ideal xIELU in f32 for all inputs, in ulp of the larger term: that of the strictest
/// line of [`TABLE`] that holds for these effective alphas, and for `beta` = 0.5.
pub const fn xielu_ulp(alpha_p: f32, alpha_n: f32) -> Option<f64> {
    let mut lines = TABLE;
    let mut strictest = None;
    while let [line, rest @ ..] = lines {
        lines = rest;
        let (ActivationKind::Xielu, DType::F32, Bound::Ulp(ulp)) =
            (line.function, line.dtype, line.bound)
        else {
            continue;
        };
        let [(_, p_low, p_high), (_, n_low, n_high)] = line.parameters else { continue };
        let [low, high] = line.x;
        let holds = *p_low <= alpha_p
            && alpha_p <= *p_high
            && *n_low <= alpha_n
            && alpha_n <= *n_high
            && low == f32::NEG_INFINITY
            && high == f32::INFINITY;
        strictest = match strictest {
            Some(best) if !holds || best <= ulp => Some(best),
            None if !holds => None,
            _ => Some(ulp),
        };
    }
    strictest
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Bound::Ulp(ulp) => write!(f, "{ulp} ulp"),
            Bound::Misrounded(n) => write!(f, "{n} of 65536 misrounded"),
        }
    }
}

impl fmt::Display for Accuracy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:7} {:4} <= {}", self.function, self.dtype, self.bound)?;
        for (name, low, high) in self.parameters {
            write!(f, ", {name} {low}")?;
            if low != high {
                write!(f, " .. {high}")?;
            }
        }
        if self.x != ANY {
            let [low, high] = self.x;
            write!(f, ", x {low} .. {high}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_strictest_line_that_holds_is_the_bound() {
        assert_eq!(xielu_ulp(0.8, 0.8), Some(1.15));
        assert_eq!(xielu_ulp(1.293, 1.082), Some(3.9));
        assert_eq!(xielu_ulp(166.0, 41.25), Some(3.9));
        assert_eq!(xielu_ulp(0.1, 0.8), None);
        assert_eq!(xielu_ulp(0.8, f32::NAN), None);
    }
}
