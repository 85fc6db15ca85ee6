//! Does this machine compute what it should? A check for a first boot: no allocation, little
//! stack, no files.

use crate::activation::{accuracy, reference};
use crate::kernels::{
    Activation, BlockQ4_0, BlockQ8_0, Coefficients, DType, F16, Input, InputBlock, Kernels, Matrix,
    Output, QK, Shape, built,
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

crate::kernels::messages!(SelftestError {
    SelftestError::Activation => ("the activation is not what it should be"),
    SelftestError::Quantization => ("inputs are not quantized as they should"),
    SelftestError::Product(dtype) => ("the {} product is not a product", dtype),
});

impl core::error::Error for SelftestError {}

/// Effective alphas, of a freshly initialised layer and about what trained models reach, and the
/// largest error relative to the power of two below the larger term.
const ALPHAS: [(f32, f32, f64); 2] = [with_bound(0.8, 0.8), with_bound(166.0, 41.25)];
const BETA: f32 = 0.5;
/// Half a unit in the last place of f32, relative to a power of two: the error of one rounding.
const ROUNDING: f64 = 1.0 / (1 << 24) as f64;
/// Values in the product: two groups.
const COLS: usize = 2 * QK;
/// Accepted error of a product, relative to the sum of its terms' magnitudes. Sums of a group are
/// exact integers; then f32 rounds where each group is added, twice for its scales, and up to four
/// times where the lanes of a vector are added. The values here are rounded once.
const RELATIVE: f64 = (COLS / QK + 2 + 4 + 1) as f64 * ROUNDING;
/// Accepted error of a quantized value below 1: half a step of 1/127 of the group's largest, and
/// what rounding the scale, its inverse and the products with them adds.
const QUANTUM: f32 = 0.5 / 127.0 + 8.0 * ROUNDING as f32;

/// The alphas with the bound of the accuracy table.
const fn with_bound(alpha_p: f32, alpha_n: f32) -> (f32, f32, f64) {
    match accuracy::xielu_ulp(alpha_p, alpha_n) {
        Some(ulp) => (alpha_p, alpha_n, ulp * 2.0 * ROUNDING),
        None => panic!("a line of the table holds for the alphas"),
    }
}

/// Compares the kernels with double precision: xIELU over the exponents, the encoding of inputs,
/// and the Q8_0 and Q4_0 products, as far as they are [`built`]. Under 2 KB of stack.
///
/// # Errors
/// The first thing that is wrong.
pub fn selftest(kernels: &Kernels) -> Result<(), SelftestError> {
    if built::XIELU {
        ALPHAS.iter().try_for_each(|alphas| activation(kernels, alphas))?;
    }
    products(kernels)
}

fn activation(
    kernels: &Kernels,
    &(alpha_p, alpha_n, bound): &(f32, f32, f64),
) -> Result<(), SelftestError> {
    // Both signs, exponents from -30 to 5, mantissas without a pattern.
    let mut noise = Noise(1);
    let x: [f32; 72] = core::array::from_fn(|i| {
        let exponent = (127 - 30 + i as u32 / 2) << 23;
        f32::from_bits(exponent | noise.bits() >> 9 | (i as u32) << 31)
    });
    let mut y = x;
    let coefficients = Coefficients { alpha_p, alpha_n, beta: BETA, eps: 0.0 };
    kernels.activate_in_place(&Activation::Xielu(coefficients), &mut y);
    let (alpha_p, alpha_n) = (f64::from(alpha_p), f64::from(alpha_n));
    let truth = reference::Xielu { alpha_p, alpha_n, beta: BETA.into(), eps: None };
    let good = x.iter().zip(y).all(|(&x, y)| {
        let f = truth.forward(x.into());
        let larger = f.abs().max(f64::from(BETA * x).abs());
        let power_of_two = f64::from_bits(larger.to_bits() & f64::INFINITY.to_bits());
        (f64::from(y) - f).abs() <= bound * power_of_two
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
    let near = x.iter().zip(values).all(|(x, v)| (x - v).abs() <= QUANTUM);
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
    let w = Matrix::new(dtype, Shape { rows: 1, cols: COLS }, row).map_err(|_| wrong)?;
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
    use std::vec::Vec;

    use xielu_testing_base::isas;

    use super::*;
    use crate::kernels::Isa;

    #[test]
    fn every_instruction_set_passes() {
        let mut names = Vec::new();
        for kernels in Isa::ALL.into_iter().filter_map(Kernels::for_isa) {
            assert_eq!(selftest(&kernels), Ok(()), "{}", kernels.isa());
            names.push(kernels.isa().name());
        }
        isas::assert_complete(&names);
    }

    /// The bounds are near enough to notice one step of an input and one ulp of a weight's scale in
    /// f16; the errors of an activation are measured in ulp.
    #[test]
    fn small_errors_are_found() {
        let kernels = Kernels::scalar();
        let mut noise = Noise(2);
        let x: [f32; COLS] = core::array::from_fn(|_| noise.next());
        let mut input = [InputBlock::ZERO];
        kernels.quantize_input(&x, COLS, &mut input).unwrap();
        let values = input[0].dequantize();
        let d = F16::from(0.015_625);
        let row =
            [(); COLS / QK].map(|()| BlockQ8_0 { d, qs: [0; QK].map(|_| noise.bits() as i8) });
        let bytes = bytemuck::bytes_of(&row);
        let check = |values: &[f32]| product(&kernels, DType::Q8_0, bytes, &input, values);
        assert_eq!(check(&values), Ok(()));
        let wrong = Err(SelftestError::Product(DType::Q8_0));
        for (group, block) in row.iter().enumerate() {
            let range = group * QK..(group + 1) * QK;
            let largest = values[range.clone()].iter().fold(0f32, |m, v| m.max(v.abs()));
            for (i, &q) in range.clone().zip(&block.qs) {
                let mut off = values;
                off[i] += largest / 127.0;
                assert!(q == 0 || check(&off) == wrong, "the quant of value {i}");
            }
            let mut off = values;
            off[range].iter_mut().for_each(|v| *v *= 1.0 + 1.0 / 1024.0);
            assert_eq!(check(&off), wrong, "the scale of group {group}");
        }
        let (p, n, bound) = ALPHAS[0];
        assert_eq!(activation(&kernels, &(p, n, bound)), Ok(()));
        let too_near = (p, n, 0.1 * 2.0 * ROUNDING);
        assert_eq!(activation(&kernels, &too_near), Err(SelftestError::Activation));
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
