//! Does this machine compute what it should? A check for a first boot: no allocation, little
//! stack, no files.

use core::fmt;

use crate::activation::reference;
use crate::kernels::{
    Activation, BlockQ4_0, BlockQ8_0, DType, F16, Input, InputBlock, Kernels, Matrix, Output, QK,
    XieluCoefficients, built,
};

/// What [`selftest`] found wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SelftestError {
    /// The activation is further from double precision than its bound.
    Activation,
    /// Inputs are not quantized as they should be.
    Quantization,
    /// A product is further from double precision than its bound.
    Product(DType),
}

impl fmt::Display for SelftestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SelftestError::Activation => f.write_str("the activation is not what it should be"),
            SelftestError::Quantization => f.write_str("inputs are not quantized as they should"),
            SelftestError::Product(dtype) => write!(f, "the {dtype} product is not a product"),
        }
    }
}

impl core::error::Error for SelftestError {}

/// Effective alphas: of a freshly initialised layer, and about what trained models reach.
const ALPHAS: [(f32, f32); 2] = [(0.8, 0.8), (166.0, 41.25)];
const BETA: f32 = 0.5;
/// Accepted error of the activation in ulp of the larger term.
const ULP: f64 = 4.0;
/// Values in the product: two blocks.
const COLS: usize = 2 * QK;
/// Accepted error of a product, relative to the sum of its terms' magnitudes.
const RELATIVE: f64 = 1e-6;

/// Compares the kernels with double precision: xIELU over the exponents, the encoding of inputs,
/// and the Q8_0 and Q4_0 products, as far as they are [`built`]. Under 2 KB of stack.
///
/// # Errors
/// The first thing that is wrong.
pub fn selftest(kernels: &Kernels) -> Result<(), SelftestError> {
    if built::XIELU {
        ALPHAS.iter().try_for_each(|&(p, n)| activation(kernels, p, n))?;
    }
    products(kernels)
}

fn activation(kernels: &Kernels, alpha_p: f32, alpha_n: f32) -> Result<(), SelftestError> {
    // Both signs, exponents from -30 to 5, mantissas without a pattern.
    let mut noise = Noise(1);
    let x: [f32; 72] = core::array::from_fn(|i| {
        let exponent = (127 - 30 + i as u32 / 2) << 23;
        f32::from_bits(exponent | noise.bits() >> 9 | (i as u32) << 31)
    });
    let mut y = x;
    let coefficients = XieluCoefficients { alpha_p, alpha_n, beta: BETA, eps: 0.0 };
    kernels.activate_f32_in_place(&Activation::Xielu(coefficients), &mut y);
    let (alpha_p, alpha_n) = (f64::from(alpha_p), f64::from(alpha_n));
    let truth = reference::Xielu { alpha_p, alpha_n, beta: BETA.into(), eps: None };
    let good = x.iter().zip(y).all(|(&x, y)| {
        let f = truth.forward(x.into());
        let larger = (f.abs() as f32).max((BETA * x).abs());
        let ulp = f64::from(f32::from_bits(larger.to_bits() + 1)) - f64::from(larger);
        (f64::from(y) - f).abs() <= ULP * ulp
    });
    if good { Ok(()) } else { Err(SelftestError::Activation) }
}

fn products(kernels: &Kernels) -> Result<(), SelftestError> {
    let mut noise = Noise(2);
    let x: [f32; COLS] = core::array::from_fn(|_| noise.next());
    let mut input = [InputBlock::ZERO];
    let quantized = kernels.quantize_input(&x, COLS, &mut input);
    let [block] = &input;
    let values = block.dequantize();
    // The largest magnitude of a group is 127 steps, and rounding errs by half a step.
    let near = x.iter().zip(values).all(|(x, v)| (x - v).abs() <= 1.001 * 0.5 / 127.0);
    if quantized.is_err() || !near {
        return Err(SelftestError::Quantization);
    }
    let d = F16::from(0.015_625);
    let q8_0 = [(); COLS / QK].map(|()| BlockQ8_0 { d, qs: [0; QK].map(|_| noise.bits() as i8) });
    let q4_0 =
        [(); COLS / QK].map(|()| BlockQ4_0 { d, qs: [0; QK / 2].map(|_| noise.bits() as u8) });
    product(kernels, DType::Q8_0, bytemuck::bytes_of(&q8_0), &input, &values)?;
    product(kernels, DType::Q4_0, bytemuck::bytes_of(&q4_0), &input, &values)
}

/// One row of `dtype` against `input`, whose values are `values`.
fn product(
    kernels: &Kernels,
    dtype: DType,
    row: &[u8],
    input: &[InputBlock],
    values: &[f32],
) -> Result<(), SelftestError> {
    if !dtype.is_built() {
        return Ok(());
    }
    let wrong = SelftestError::Product(dtype);
    let w = Matrix::new(dtype, 1, COLS, row).map_err(|_| wrong)?;
    let mut weights = [0.0; COLS];
    if !w.row(0).is_some_and(|row| row.dequantize(&mut weights)) {
        return Err(wrong);
    }
    let (mut truth, mut magnitude) = (0.0, 0.0);
    for (&w, &x) in weights.iter().zip(values) {
        let term = f64::from(w) * f64::from(x);
        truth += term;
        magnitude += term.abs();
    }
    let mut out = [f32::NAN];
    let output = Output::new(&mut out, 1).ok_or(wrong)?;
    kernels.matmul(&w, Input::Quantized(input), output).map_err(|_| wrong)?;
    let [out] = out;
    if (f64::from(out) - truth).abs() <= RELATIVE * magnitude { Ok(()) } else { Err(wrong) }
}

/// Numbers without a pattern: a linear congruential generator (Knuth's constants).
struct Noise(u32);

impl Noise {
    /// 32 bits, the upper ones the best; rotated so that the lower ones are those.
    fn bits(&mut self) -> u32 {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        self.0.rotate_left(12)
    }

    /// Between -1 and 1.
    fn next(&mut self) -> f32 {
        self.bits() as i32 as f32 / 2_147_483_648.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::Isa;

    #[test]
    fn every_instruction_set_passes() {
        for isa in Isa::ALL {
            if let Some(kernels) = Kernels::for_isa(isa) {
                assert_eq!(selftest(&kernels), Ok(()), "{isa}");
            }
        }
    }

    #[test]
    fn a_wrong_row_is_found() {
        let kernels = Kernels::scalar();
        let input = [InputBlock::ZERO];
        let row = [0x2cu8; 2 * size_of::<BlockQ8_0>()];
        let zeros = [0.0; COLS];
        let ones = [1.0; COLS];
        assert_eq!(product(&kernels, DType::Q8_0, &row, &input, &zeros), Ok(()));
        let wrong = Err(SelftestError::Product(DType::Q8_0));
        assert_eq!(product(&kernels, DType::Q8_0, &row, &input, &ones), wrong);
        assert_eq!(product(&kernels, DType::Q8_0, &row[1..], &input, &zeros), wrong);
    }
}
