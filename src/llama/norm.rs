//! RMSNorm: `y[i] = x[i] * w[i] / sqrt(mean(x^2) + eps)`, computed in f32
//! (Zhang and Sennrich, arXiv 1910.07467).

use crate::Error;
use crate::NonFinite;
use crate::compute::rows::rows_mut;
use crate::kernels::{LengthError, Matrix};
use crate::numeric::finite::is_finite;

/// A norm and its weights, `[1, width]` of any float type.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RmsNorm<'w> {
    weight: Matrix<'w>,
    eps: f32,
}

impl<'w> RmsNorm<'w> {
    pub(crate) const EMPTY: RmsNorm<'static> = RmsNorm { weight: Matrix::EMPTY, eps: 0.0 };

    pub(crate) const fn new(weight: Matrix<'w>, eps: f32) -> Self {
        RmsNorm { weight, eps }
    }

    /// Whether it has no weights.
    pub(crate) const fn is_empty(&self) -> bool {
        self.weight.cols() == 0
    }

    /// The weights in f32, and what is added to the mean square.
    #[cfg(feature = "cuda")]
    pub(crate) fn values(&self) -> Result<(alloc::vec::Vec<f32>, f32), Error> {
        let mut out = alloc::vec![0.0; self.weight.cols()];
        match self.weight.row(0) {
            Some(row) if row.dequantize(&mut out) => Ok((out, self.eps)),
            _ => Err(Error::OutOfRange("norm weight")),
        }
    }

    /// Normalises each vector of `x` on its own, in place. The sum of its squares shows whether
    /// all of its values are finite; if it is not, [`Error::NonFinite`] blames `source`.
    pub(crate) fn apply(&self, x: &mut [f32], source: NonFinite) -> Result<(), Error> {
        let width = self.weight.cols();
        if width == 0 || !x.len().is_multiple_of(width) {
            return Err(LengthError { expected: width, found: x.len() }.into());
        }
        let weight = self.weight.row(0).ok_or(Error::OutOfRange("norm weight"))?;
        for x in rows_mut(x, width) {
            let sum = sum_of_squares(x);
            if !is_finite(sum) {
                return Err(Error::NonFinite(source));
            }
            let scale = 1.0 / libm::sqrtf(sum / width as f32 + self.eps);
            x.iter_mut().for_each(|v| *v *= scale);
            if !weight.multiply_into(x) {
                return Err(Error::OutOfRange("norm weight"));
            }
        }
        Ok(())
    }
}

/// In eight partial sums: more accurate than one, and free to be vectorised.
fn sum_of_squares(x: &[f32]) -> f32 {
    let (chunks, rest) = x.as_chunks::<8>();
    let mut sums = [0.0f32; 8];
    for chunk in chunks {
        for (sum, v) in sums.iter_mut().zip(chunk) {
            *sum += v * v;
        }
    }
    sums.iter().sum::<f32>() + rest.iter().map(|v| v * v).sum::<f32>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::{DType, Shape};
    use std::vec::Vec;

    #[test]
    fn matches_f64_for_each_vector() {
        let weights: Vec<f32> = (0..20).map(|i| 0.5 + i as f32 / 7.0).collect();
        let bytes: Vec<u8> = weights.iter().flat_map(|w| w.to_le_bytes()).collect();
        let norm = RmsNorm::new(
            Matrix::new(DType::F32, Shape { rows: 1, cols: 20 }, &bytes).unwrap(),
            1e-5,
        );
        let x: Vec<f32> = (0..40).map(|i| (i as f32 * 1.7).sin() * 3.0).collect();
        let mut y = x.clone();
        norm.apply(&mut y, NonFinite::Embedding).unwrap();
        for (x, y) in x.chunks(20).zip(y.chunks(20)) {
            let mean = x.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>() / 20.0;
            for ((x, y), w) in x.iter().zip(y).zip(&weights) {
                let truth = f64::from(*x) * f64::from(*w) / (mean + 1e-5).sqrt();
                assert!((f64::from(*y) - truth).abs() < 1e-6 * (1.0 + truth.abs()));
            }
        }
        assert!(norm.apply(&mut y[..19], NonFinite::Embedding).is_err());
        // The square of 1e20 is beyond f32, and the scale would be 0.
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1e20] {
            let mut z = x.clone();
            z[33] = bad;
            let blamed = Err(Error::NonFinite(NonFinite::Mlp(3)));
            assert_eq!(norm.apply(&mut z, NonFinite::Mlp(3)), blamed, "{bad}");
        }
    }
}
