//! A group of heads that share keys and values, one token at a time.

use crate::Error;
use crate::compute::rows::{rows, rows_mut};
use crate::compute::{Backend, SMALL};
use crate::kernels::{
    INPUT_BLOCK, Input, InputBlock, Kernels, Matrix, OnlineSoftmax, Output, built,
};

/// Positions scored at a time.
pub(super) const BLOCK: usize = 64;
/// Heads that are scored together. Their scores are on the stack: they take no scratch, whatever the
/// context.
const HEADS: usize = if SMALL { 1 } else { 16 };

/// What computes a group.
#[derive(Clone, Copy)]
pub(super) struct Group<'a, 'e> {
    pub backend: &'a Backend<'e>,
    pub head_dim: usize,
}

impl Group<'_, '_> {
    fn scale(&self) -> f32 {
        1.0 / libm::sqrtf(self.head_dim as f32)
    }

    /// `out[g] = e^(scale * keys . q[g] - largest) . values` for the heads of a group, block by
    /// block; `finish` gets each head's number, softmax and sums.
    pub(super) fn attend(
        &self,
        q: &[f32],
        keys: &Matrix<'_>,
        values: &Matrix<'_>,
        out: &mut [f32],
        mut finish: impl FnMut(usize, OnlineSoftmax, &mut [f32]),
    ) -> Result<(), Error> {
        let together = HEADS * self.head_dim;
        let (mut q, mut out) = (q, out);
        let mut first_head = 0;
        while !q.is_empty() {
            let (these, rest) = q.split_at_checked(together.min(q.len())).unwrap_or_default();
            let (sums, rest_out) = core::mem::take(&mut out)
                .split_at_mut_checked(these.len())
                .ok_or(Error::OutOfRange("attention output"))?;
            (q, out) = (rest, rest_out);
            let mut states = [OnlineSoftmax::START; HEADS];
            self.together(these, keys, values, &mut states, sums)?;
            for (sums, state) in rows_mut(sums, self.head_dim).zip(states) {
                finish(first_head, state, sums);
                first_head += 1;
            }
        }
        Ok(())
    }

    /// [`Group::attend`] of at most [`HEADS`] heads.
    fn together(
        &self,
        q: &[f32],
        keys: &Matrix<'_>,
        values: &Matrix<'_>,
        states: &mut [OnlineSoftmax; HEADS],
        out: &mut [f32],
    ) -> Result<(), Error> {
        let Backend { kernels, functions, .. } = self.backend;
        let (heads, scale) = (q.len().checked_div(self.head_dim).unwrap_or(0), self.scale());
        out.fill(0.0);
        let mut start = 0;
        while start < keys.rows() {
            let range = start..(start + BLOCK).min(keys.rows());
            start = range.end;
            let mut memory = [0.0f32; HEADS * BLOCK];
            let scores = memory.get_mut(..heads * range.len());
            let scores = scores.ok_or(Error::OutOfRange("scores"))?;
            let block = keys.rows_range(range.clone()).ok_or(Error::OutOfRange("keys"))?;
            score(kernels, q, &block, scores)?;
            let heads = rows_mut(scores, range.len()).zip(rows_mut(out, self.head_dim));
            for (state, (scores, out)) in states.iter_mut().zip(heads) {
                let factor = functions.softmax(kernels, state, scores, scale);
                if factor != 1.0 {
                    out.iter_mut().for_each(|o| *o *= factor);
                }
            }
            let block = values.rows_range(range).ok_or(Error::OutOfRange("values"))?;
            kernels.add_weighted_rows(&block, scores, out)?;
        }
        Ok(())
    }
}

/// `scores[g] = keys * q[g]`, one of each key.
fn score(kernels: &Kernels, q: &[f32], keys: &Matrix<'_>, scores: &mut [f32]) -> Result<(), Error> {
    if built::Q8_0_KV && keys.takes_blocks() {
        return score_quantized(kernels, q, keys, scores);
    }
    let scores = Output::new(scores, keys.rows()).ok_or(Error::OutOfRange("scores"))?;
    Ok(kernels.matmul(keys, Input::F32(q), scores)?)
}

/// As [`score`], `q` being rounded to 8 bits, a block at a time, on the stack. That is done again
/// for every [`BLOCK`] of positions, next to whose products it is little.
fn score_quantized(
    kernels: &Kernels,
    q: &[f32],
    keys: &Matrix<'_>,
    scores: &mut [f32],
) -> Result<(), Error> {
    let mut memory = [InputBlock::ZERO; HEADS];
    scores.fill(0.0);
    let mut start = 0;
    while start < keys.cols() {
        let columns = start..(start + INPUT_BLOCK).min(keys.cols());
        start = columns.end;
        let mut heads = 0;
        for (q, input) in rows(q, keys.cols()).zip(memory.chunks_mut(1)) {
            let q = q.get(columns.clone()).unwrap_or_default();
            kernels.quantize_input(q, q.len(), input)?;
            heads += 1;
        }
        let input = memory.get(..heads).unwrap_or_default();
        let keys = keys.columns(columns).ok_or(Error::OutOfRange("columns of keys"))?;
        let scores = Output::new(scores, keys.rows()).ok_or(Error::OutOfRange("scores"))?;
        kernels.matmul_add(&keys, Input::Quantized(input), scores)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::{BlockQ8_0, DType, Shape};
    use std::vec::Vec;

    /// Attention of one head.
    fn attend_head(q: &[f32], keys: &Matrix<'_>, values: &Matrix<'_>, out: &mut [f32]) {
        let group = Group { backend: &Backend::default(), head_dim: q.len() };
        let normalise = |_: usize, state: OnlineSoftmax, out: &mut [f32]| {
            out.iter_mut().for_each(|o| *o /= state.sum);
        };
        group.attend(q, keys, values, out, normalise).unwrap();
    }

    /// Rising scores make every block rescale; more than two blocks and a partial one.
    #[test]
    fn streaming_softmax_equals_the_plain_one() {
        let (positions, dim) = (150, 8);
        let key = |p: usize, i: usize| (p as f32 / 10.0) * ((i + p) as f32).cos();
        let value = |p: usize, i: usize| ((p * 3 + i) as f32).sin();
        let q: Vec<f32> = (0..dim).map(|i| 1.0 + i as f32 / 5.0).collect();
        let bytes = |f: &dyn Fn(usize, usize) -> f32| -> Vec<u8> {
            (0..positions * dim).flat_map(|n| f(n / dim, n % dim).to_le_bytes()).collect()
        };
        let (k, v) = (bytes(&key), bytes(&value));
        let keys = Matrix::new(DType::F32, Shape { rows: positions, cols: dim }, &k).unwrap();
        let values = Matrix::new(DType::F32, Shape { rows: positions, cols: dim }, &v).unwrap();
        let mut out = [0.0; 8];
        attend_head(&q, &keys, &values, &mut out);

        let score = |p: usize| -> f64 {
            let dot: f64 = (0..dim).map(|i| f64::from(q[i]) * f64::from(key(p, i))).sum();
            dot / (dim as f64).sqrt()
        };
        let largest = (0..positions).map(score).fold(f64::MIN, f64::max);
        let weights: Vec<f64> = (0..positions).map(|p| (score(p) - largest).exp()).collect();
        let sum: f64 = weights.iter().sum();
        for (i, o) in out.iter().enumerate() {
            let truth: f64 =
                (0..positions).map(|p| weights[p] * f64::from(value(p, i))).sum::<f64>() / sum;
            assert!((f64::from(*o) - truth).abs() < 2e-6, "{o} {truth}");
        }
    }

    /// Attention of one query, `[1; 64]`, over three positions of two blocks in Q8_0.
    fn over_blocks(keys: [[f32; 64]; 3], values: [[f32; 64]; 3]) -> [f32; 64] {
        let backend = Backend::default();
        let [k, v] = [keys, values].map(|rows| {
            let mut blocks = [BlockQ8_0::ZERO; 6];
            backend.kernels.quantize_q8_0(rows.as_flattened(), &mut blocks).unwrap();
            blocks
        });
        let matrix = |blocks| {
            Matrix::new(DType::Q8_0, Shape { rows: 3, cols: 64 }, bytemuck::cast_slice(blocks))
        };
        let mut out = [0.5; 64];
        attend_head(&[1.0; 64], &matrix(&k).unwrap(), &matrix(&v).unwrap(), &mut out);
        out
    }

    #[test]
    fn hostile_keys_and_values_of_eight_bits() {
        let (zero, one) = ([0.0; 64], [1.0; 64]);
        assert_eq!(over_blocks([zero; 3], [zero; 3]), zero);
        // All scores are equal: the mean.
        let mean = over_blocks([zero; 3], [one, zero, [2.0; 64]]);
        assert!(mean.iter().all(|m| (m - 1.0).abs() < 1e-3), "{mean:?}");
        // A huge score takes everything, without an overflow: f16 ends at 65504.
        let mut large = zero;
        large[40] = 5e6;
        let taken = over_blocks([zero, large, zero], [zero, one, zero]);
        assert!(taken.iter().all(|t| (t - 1.0).abs() < 1e-3), "{taken:?}");
        assert_eq!(over_blocks([zero, large.map(|v| -v), zero], [zero, large, zero]), zero);
        // Values that no block holds stay in its columns; a key has only one score.
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX] {
            let mut row = one;
            row[40] = bad;
            let out = over_blocks([one; 3], [one, row, one]);
            assert!(out[..32].iter().all(|v| (v - 1.0).abs() < 1e-3), "{out:?}");
            assert!(out[32..].iter().all(|v| !v.is_finite()), "{out:?}");
            let out = over_blocks([one, row, one], [one; 3]);
            assert!(out.iter().all(|v| v.is_nan()), "{bad} {out:?}");
        }
    }
}
