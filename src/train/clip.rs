//! The norm of all gradients together, and the factor that limits it.

use candle_core::{DType, Result, Storage, Tensor};

/// Values that are squared and added in one run; the runs are added in order.
const RUN: usize = 1 << 12;

/// `sqrt(sum of squares of all elements)`, summed in f64.
pub(super) fn global_norm<'a>(gradients: impl Iterator<Item = &'a Tensor>) -> Result<f64> {
    let mut squares = 0.0;
    for gradient in gradients {
        squares += sum_of_squares(gradient)?;
    }
    Ok(squares.sqrt())
}

fn sum_of_squares(x: &Tensor) -> Result<f64> {
    let (storage, layout) = x.storage_and_layout();
    if let (Storage::Cpu(storage), Some((start, end))) = (&*storage, layout.contiguous_offsets())
        && let Ok(values) = storage.as_slice::<f32>()
    {
        return Ok(values[start..end].chunks(RUN).map(squares_of_run).sum());
    }
    x.to_dtype(DType::F64)?.sqr()?.sum_all()?.to_scalar()
}

/// In eight interleaved parts: a compiler may not reorder a single sum.
fn squares_of_run(values: &[f32]) -> f64 {
    let mut parts = [0.0; 8];
    let (chunks, rest) = values.as_chunks::<8>();
    for chunk in chunks {
        for (part, v) in parts.iter_mut().zip(chunk) {
            *part += f64::from(*v) * f64::from(*v);
        }
    }
    let rest: f64 = rest.iter().map(|v| f64::from(*v) * f64::from(*v)).sum();
    parts.iter().sum::<f64>() + rest
}

/// What gradients of this norm are multiplied with, to be at most `limit`.
pub(super) fn clip_factor(norm: f64, limit: f64) -> f64 {
    if norm > limit { limit / norm } else { 1.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;
    use std::vec::Vec;

    #[test]
    fn the_norm_is_that_of_all_tensors() {
        let a: Vec<f32> = (0..10_007).map(|i| (i % 13) as f32 - 6.0).collect();
        let truth: f64 = a.iter().map(|v| f64::from(v * v)).sum::<f64>() + 9.0;
        let a = Tensor::new(a, &Device::Cpu).unwrap();
        let b = Tensor::new(&[[0.0f64, 3.0]], &Device::Cpu).unwrap();
        let norm = global_norm([&a, &b].into_iter()).unwrap();
        assert!((norm - truth.sqrt()).abs() < 1e-9);
        // Gradients whose squares an f32 cannot hold.
        let large = Tensor::new(&[1e30f32, 1e30], &Device::Cpu).unwrap();
        let norm = global_norm([&large].into_iter()).unwrap();
        assert!((norm / (1e30 * 2f64.sqrt()) - 1.0).abs() < 1e-6);
    }

    #[test]
    fn only_large_norms_are_clipped() {
        assert_eq!(clip_factor(0.5, 1.0), 1.0);
        assert_eq!(clip_factor(4.0, 1.0), 0.25);
        assert_eq!(clip_factor(0.0, 1.0), 1.0);
    }
}
