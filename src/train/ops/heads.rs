//! Activations by token to heads and back, with RoPE on the way.

use std::sync::Arc;
use std::vec;
use std::vec::Vec;

use candle_core::{CpuStorage, CustomOp1, DType, Device, Layout, Result, Shape, Tensor, WithDType};

use super::real::Real;
use super::{by_dtype, is_fused, slice};
use crate::Error;
use crate::config::Rope;
use crate::llama::rope::{fill_table, inverse_frequencies};

/// Cosines and sines of every position, `[positions, head_dim / 2]` each; rotate-half.
#[derive(Clone, Debug)]
pub struct Rotation {
    cos: Arc<Vec<f32>>,
    sin: Arc<Vec<f32>>,
    half: usize,
}

impl Rotation {
    /// Tables of the positions from 0 to `positions`.
    ///
    /// # Errors
    /// Those of unusable frequencies.
    pub fn new(rope: &Rope, head_dim: usize, positions: usize) -> std::result::Result<Self, Error> {
        let half = head_dim / 2;
        let mut frequencies = vec![0.0; half];
        inverse_frequencies(rope, None, &mut frequencies)?;
        let (mut cos, mut sin) = (vec![], vec![]);
        let mut row = vec![0.0; head_dim];
        for position in 0..positions {
            fill_table(&frequencies, position, &mut row);
            cos.extend_from_slice(&row[..half]);
            sin.extend_from_slice(&row[half..]);
        }
        Ok(Rotation { cos: Arc::new(cos), sin: Arc::new(sin), half })
    }

    /// The tables of `length` positions as tensors.
    fn tensors(&self, length: usize, dtype: DType, device: &Device) -> Result<(Tensor, Tensor)> {
        let table = |values: &[f32]| {
            let values = &values[..length * self.half];
            Tensor::from_slice(values, (length, self.half), device)?.to_dtype(dtype)
        };
        Ok((table(&self.cos)?, table(&self.sin)?))
    }
}

/// `[sequences * length, heads * head_dim]` to `[sequences * heads, length, head_dim]`, rotated
/// if there is a rotation.
///
/// # Errors
/// If `x` has another shape, or the rotation fewer positions.
pub fn split_heads(
    x: &Tensor,
    shape: [usize; 3],
    head_dim: usize,
    rotation: Option<&Rotation>,
) -> Result<Tensor> {
    let [sequences, length, heads] = shape;
    if let Some(rotation) = rotation
        && (rotation.half * 2 != head_dim || rotation.cos.len() < length * rotation.half)
    {
        refuse!("no rotation for heads of {head_dim} and {length} positions");
    }
    if is_fused(x) {
        let op = MoveHeads { shape, head_dim, rotation: rotation.cloned(), backwards: false };
        return x.contiguous()?.apply_op1(op);
    }
    let split = x.reshape((sequences, length, heads, head_dim))?.transpose(1, 2)?.contiguous()?;
    let split = split.reshape((sequences * heads, length, head_dim))?;
    let Some(rotation) = rotation else { return Ok(split) };
    let (cos, sin) = rotation.tensors(length, x.dtype(), x.device())?;
    let half = head_dim / 2;
    let first = split.narrow(2, 0, half)?;
    let second = split.narrow(2, half, half)?;
    let turned = [
        (first.broadcast_mul(&cos)? - second.broadcast_mul(&sin)?)?,
        (second.broadcast_mul(&cos)? + first.broadcast_mul(&sin)?)?,
    ];
    Tensor::cat(&turned, 2)
}

/// `[sequences * heads, length, head_dim]` to `[sequences * length, heads * head_dim]`.
///
/// # Errors
/// If `x` has another shape.
pub fn merge_heads(x: &Tensor, shape: [usize; 3], head_dim: usize) -> Result<Tensor> {
    if is_fused(x) {
        let op = MoveHeads { shape, head_dim, rotation: None, backwards: true };
        return x.contiguous()?.apply_op1(op);
    }
    let [sequences, length, heads] = shape;
    let x = x.reshape((sequences, heads, length, head_dim))?.transpose(1, 2)?.contiguous()?;
    x.reshape((sequences * length, heads * head_dim))
}

/// The permutation and the rotation after it; or, backwards, the inverse of both, which is also
/// the gradient, because both are orthogonal.
struct MoveHeads {
    /// Sequences, length, heads.
    shape: [usize; 3],
    head_dim: usize,
    rotation: Option<Rotation>,
    backwards: bool,
}

impl MoveHeads {
    fn run<T: Real>(&self, x: &[T], out: &mut [T]) {
        let [sequences, length, heads] = self.shape;
        let dim = self.head_dim;
        for s in 0..sequences {
            for h in 0..heads {
                for t in 0..length {
                    let by_token = ((s * length + t) * heads + h) * dim;
                    let by_head = ((s * heads + h) * length + t) * dim;
                    let (from, to) =
                        if self.backwards { (by_head, by_token) } else { (by_token, by_head) };
                    let (x, out) = (&x[from..from + dim], &mut out[to..to + dim]);
                    match &self.rotation {
                        Some(rotation) => self.rotate(rotation, t, x, out),
                        None => out.copy_from_slice(x),
                    }
                }
            }
        }
    }

    #[inline]
    fn rotate<T: Real>(&self, rotation: &Rotation, position: usize, x: &[T], out: &mut [T]) {
        let row = position * rotation.half..(position + 1) * rotation.half;
        let angles = rotation.cos[row.clone()].iter().zip(&rotation.sin[row]);
        let (x1, x2) = x.split_at(rotation.half);
        let (y1, y2) = out.split_at_mut(rotation.half);
        let sign = if self.backwards { -1.0 } else { 1.0 };
        let halves = x1.iter().zip(x2).zip(y1.iter_mut().zip(y2));
        for (((x1, x2), (y1, y2)), (c, s)) in halves.zip(angles) {
            let (c, s) = (T::from_f64(f64::from(*c)), T::from_f64(f64::from(s * sign)));
            *y1 = *x1 * c - *x2 * s;
            *y2 = *x2 * c + *x1 * s;
        }
    }
}

impl CustomOp1 for MoveHeads {
    fn name(&self) -> &'static str {
        "move_heads"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let [sequences, length, heads] = self.shape;
        by_dtype!(x, T => {
            let x = slice::<T>(x, layout)?;
            if x.len() != sequences * length * heads * self.head_dim {
                refuse!("heads {:?} x {} of {:?}", self.shape, self.head_dim, layout);
            }
            let mut out: Vec<T> = vec![0.0; x.len()];
            self.run(x, &mut out);
            let shape = if self.backwards {
                (sequences * length, heads * self.head_dim).into()
            } else {
                (sequences * heads, length, self.head_dim).into()
            };
            Ok((WithDType::to_cpu_storage_owned(out), shape))
        })
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let inverse =
            MoveHeads { rotation: self.rotation.clone(), backwards: !self.backwards, ..*self };
        let dx = grad.contiguous()?.apply_op1_no_bwd(&inverse)?;
        Ok(Some(dx.reshape(x.shape())?))
    }
}
