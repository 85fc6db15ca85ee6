//! Grouped-query attention over the KV cache, with the softmax computed as it goes.

use super::kv_cache::KvCache;
use crate::compute::Backend;
use crate::compute::rows::{rows, rows_mut};
use crate::kernels::{INPUT_BLOCK, Input, InputBlock, Kernels, Matrix, Output, built};
use crate::{Config, Error};

/// Positions scored at a time. The scores live on the stack, so attention needs no scratch
/// whatever the context.
const BLOCK: usize = 64;

/// `out[t]` = attention of the queries `q[t]` (`[tokens, heads * head_dim]`, after RoPE) over
/// the positions up to and including `first_position + t`. Heads are divided among threads.
pub(crate) fn attend(
    backend: &Backend<'_>,
    config: &Config,
    cache: &KvCache<'_>,
    layer: usize,
    first_position: usize,
    q: &[f32],
    out: Output<'_>,
) -> Result<(), Error> {
    let q_size = config.q_size();
    let operations = 2 * q.len() * (first_position + out.tokens());
    backend.parts(out, config.head_dim, operations, &|first_row, mut part| {
        let head_dim = config.head_dim.max(1);
        let group = (config.num_heads / config.num_kv_heads.max(1)).max(1);
        for t in 0..part.tokens() {
            let positions = first_position + t + 1;
            let out = part.token(t).ok_or(Error::OutOfRange("attention output"))?;
            let q = q.get(t * q_size + first_row..).ok_or(Error::OutOfRange("queries"))?;
            let heads = rows_mut(out, head_dim).zip(rows(q, head_dim));
            for (i, (out, q)) in heads.enumerate() {
                let kv_head = (first_row / head_dim + i) / group;
                let keys = cache.keys(layer, kv_head, positions)?;
                let values = cache.values(layer, kv_head, positions)?;
                attend_head(backend, q, &keys, &values, out)?;
            }
        }
        Ok(())
    })
}

/// `out = softmax(keys * q / sqrt(head_dim)) * values`, block by block: what is summed so far is
/// rescaled whenever a larger score appears (Milakov and Gimelshein, arXiv 1805.02867).
fn attend_head(
    backend: &Backend<'_>,
    q: &[f32],
    keys: &Matrix<'_>,
    values: &Matrix<'_>,
    out: &mut [f32],
) -> Result<(), Error> {
    let Backend { kernels, functions, .. } = backend;
    let scale = 1.0 / libm::sqrtf(q.len() as f32);
    let positions = keys.rows();
    let mut largest = f32::NEG_INFINITY;
    let mut sum = 0.0f32;
    out.fill(0.0);
    let mut start = 0;
    while start < positions {
        let range = start..(start + BLOCK).min(positions);
        start = range.end;
        let mut scores = [0.0f32; BLOCK];
        let scores = scores.get_mut(..range.len()).ok_or(Error::OutOfRange("scores"))?;
        let block = keys.rows_range(range.clone()).ok_or(Error::OutOfRange("keys"))?;
        score(kernels, q, &block, scores)?;

        let block_largest = scores.iter().fold(largest, |m, &s| m.max(s * scale));
        if block_largest > largest {
            let rescale = functions.exp(largest - block_largest);
            sum *= rescale;
            out.iter_mut().for_each(|o| *o *= rescale);
            largest = block_largest;
        }
        for s in scores.iter_mut() {
            *s = functions.exp(*s * scale - largest);
            sum += *s;
        }
        let block = values.rows_range(range).ok_or(Error::OutOfRange("values"))?;
        kernels.add_weighted_rows(&block, scores, out)?;
    }
    let inverse = 1.0 / sum;
    out.iter_mut().for_each(|o| *o *= inverse);
    Ok(())
}

/// `scores = keys * q`, one of each key.
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
    let mut input = [InputBlock::ZERO];
    scores.fill(0.0);
    let mut start = 0;
    for q in q.chunks(INPUT_BLOCK) {
        let columns = start..start + q.len();
        start = columns.end;
        kernels.quantize_input(q, q.len(), &mut input)?;
        let keys = keys.columns(columns).ok_or(Error::OutOfRange("columns of keys"))?;
        let scores = Output::new(scores, keys.rows()).ok_or(Error::OutOfRange("scores"))?;
        kernels.matmul_add(&keys, Input::Quantized(&input), scores)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::{BlockQ8_0, DType};
    use std::vec::Vec;

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
        let keys = Matrix::new(DType::F32, positions, dim, &k).unwrap();
        let values = Matrix::new(DType::F32, positions, dim, &v).unwrap();
        let mut out = [0.0; 8];
        attend_head(&Backend::default(), &q, &keys, &values, &mut out).unwrap();

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
        let matrix = |blocks| Matrix::new(DType::Q8_0, 3, 64, bytemuck::cast_slice(blocks));
        let mut out = [0.5; 64];
        attend_head(&backend, &[1.0; 64], &matrix(&k).unwrap(), &matrix(&v).unwrap(), &mut out)
            .unwrap();
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
