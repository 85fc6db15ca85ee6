//! Attention and its parts on every instruction set, against f64.

use std::vec::Vec;

use crate::test_support::{every_kernel, noise, weights};
use crate::{
    Attention, BlockQ8_0, Blocks, DType, Kernels, Matrix, OnlineSoftmax, Output, Shape, ShapeError,
};

const TYPES: [DType; 4] = [DType::F32, DType::F16, DType::BF16, DType::Q8_0];

fn dequantized(dtype: DType, bytes: &[u8], n: usize) -> Vec<f32> {
    let mut values = std::vec![0.0; n];
    assert!(Blocks::new(dtype, bytes).unwrap().dequantize(&mut values));
    values
}

#[test]
fn weighted_rows_match_f64() {
    for k in every_kernel() {
        for dtype in TYPES {
            for (rows, cols, sets) in [(9, 44, 1), (3, 7, 2), (64, 128, 4), (37, 288, 7)] {
                let cols = usize::next_multiple_of(cols, dtype.block_len());
                let bytes = weights(dtype, rows * cols, 9);
                let values = dequantized(dtype, &bytes, rows * cols);
                let p = noise(rows * sets, 8);
                let m = Matrix::new(dtype, Shape { rows, cols }, &bytes).unwrap();
                let mut out = std::vec![2.0f32; cols * sets];
                k.add_weighted_rows(&m, &p, &mut out).unwrap();
                for (i, o) in out.iter().enumerate() {
                    let (set, c) = (i / cols, i % cols);
                    let sum: f64 = (0..rows)
                        .map(|r| f64::from(p[set * rows + r]) * f64::from(values[r * cols + c]))
                        .sum();
                    assert!((f64::from(*o) - 2.0 - sum).abs() < 1e-5, "{dtype} {}", k.isa());
                }
            }
        }
    }
}

/// Scales that are zero, infinite or NaN stay in their columns, and have the same bits everywhere.
#[test]
fn weighted_rows_of_hostile_blocks() {
    for (rows, cols) in [(1, 32), (64, 64), (37, 288), (0, 96)] {
        let mut bytes = weights(DType::Q8_0, rows * cols, 12);
        let scales = [0, 0x8000, 0x0001, 0x7bff, 0x7c00, 0x7e00u16];
        for (block, scale) in bytes.chunks_mut(34).zip(scales) {
            block[..2].copy_from_slice(&scale.to_le_bytes());
        }
        let m = Matrix::new(DType::Q8_0, Shape { rows, cols }, &bytes).unwrap();
        let mut p = noise(rows, 13);
        p.iter_mut().take(1).for_each(|p| *p = 0.0);
        let sums = |k: Kernels| {
            let mut out = noise(cols, 14);
            k.add_weighted_rows(&m, &p, &mut out).unwrap();
            out.iter().map(|v| if v.is_nan() { None } else { Some(v.to_bits()) }).collect()
        };
        let expected: Vec<Option<u32>> = sums(Kernels::scalar());
        for k in every_kernel() {
            assert_eq!(sums(k), expected, "{rows} {cols} {}", k.isa());
        }
    }
}

#[test]
fn weighted_rows_that_do_not_fit_are_errors() {
    let k = Kernels::detect();
    let bytes = [0; 34 * 4];
    let w = Matrix::new(DType::Q8_0, Shape { rows: 2, cols: 64 }, &bytes).unwrap();
    let mut sums = [1.0; 64];
    assert_eq!(
        k.add_weighted_rows(&w, &[0.0; 3], &mut sums),
        Err(ShapeError::Input { expected: 2, found: 3 })
    );
    assert_eq!(
        k.add_weighted_rows(&w, &[0.0; 2], &mut sums[..32]),
        Err(ShapeError::Rows { expected: 64, found: 32 })
    );
    let part = w.columns(32..64).unwrap();
    assert!(k.add_weighted_rows(&part, &[0.0; 2], &mut sums[..32]).is_err());
    let q4 = Matrix::new(DType::Q4_0, Shape { rows: 2, cols: 64 }, &bytes[..18 * 4]).unwrap();
    assert_eq!(
        k.add_weighted_rows(&q4, &[0.0; 2], &mut sums),
        Err(ShapeError::InputType(DType::Q4_0))
    );
    assert_eq!(sums, [1.0; 64]);
}

/// In pieces as in one, at every length, with scores far below the largest and rising ones.
#[test]
fn softmax_matches_f64() {
    for k in every_kernel() {
        for n in (1..40).chain([64, 150, 1000]) {
            for piece in [1, 7, 64] {
                let scale = 0.25;
                let mut scores = noise(n, n as u64);
                scores.iter_mut().enumerate().for_each(|(i, s)| *s = *s * 300.0 + i as f32);
                let truth: Vec<f64> = scores.iter().map(|&s| f64::from(s * scale)).collect();
                let largest = truth.iter().fold(f64::MIN, |m, &s| m.max(s));
                let sum: f64 = truth.iter().map(|s| (s - largest).exp()).sum();

                let mut state = OnlineSoftmax::START;
                let mut weights: Vec<f32> = Vec::new();
                for scores in scores.chunks_mut(piece) {
                    let factor = k.softmax(&mut state, scores, scale);
                    weights.iter_mut().for_each(|w| *w *= factor);
                    weights.extend_from_slice(scores);
                }
                assert_eq!(f64::from(state.largest), largest);
                assert!((f64::from(state.sum) / sum - 1.0).abs() < 1e-5, "{n} {}", k.isa());
                for (w, s) in weights.iter().zip(&truth) {
                    // The difference is rounded to f32.
                    let (x, truth) = (s - largest, (s - largest).exp());
                    let bound = (1e-6 - 1e-7 * x) * truth + 2e-38;
                    assert!((f64::from(*w) - truth).abs() <= bound, "{w} {truth}");
                }
            }
        }
    }
}

#[test]
fn hostile_scores() {
    let inf = f32::INFINITY;
    for k in every_kernel() {
        let weights = |mut scores: [f32; 37]| {
            let mut state = OnlineSoftmax::START;
            k.softmax(&mut state, &mut scores, 1.0);
            (scores, state.sum)
        };
        for at in [0, 20, 36] {
            let with = |value: f32| {
                let mut scores = [0.0; 37];
                scores[at] = value;
                weights(scores)
            };
            let (weights, sum) = with(-inf);
            assert_eq!((weights[at], weights[(at + 1) % 37], sum), (0.0, 1.0, 36.0));
            let (weights, sum) = with(f32::MAX);
            assert_eq!((weights[at], weights[(at + 1) % 37], sum), (1.0, 0.0, 1.0));
            assert!(with(f32::NAN).1.is_nan() && with(f32::NAN).0[at].is_nan());
            assert!(with(inf).1.is_nan());
        }
        assert!(weights([-inf; 37]).1.is_nan());
    }
}

/// One attention: `tokens` of a group of heads that see `visible` positions and more.
#[derive(Clone, Copy, Debug)]
struct Case {
    dtype: DType,
    head_dim: usize,
    group: usize,
    tokens: usize,
    visible: usize,
}

impl Case {
    fn run(self, k: Kernels) {
        let Case { dtype, head_dim, group, tokens, visible } = self;
        // One position more than anyone sees, whose values would show.
        let positions = visible + tokens;
        let row = group * head_dim;
        let stride = row + 5;
        let [keys, values] = [3, 4].map(|seed| weights(dtype, positions * head_dim, seed));
        let queries = noise(tokens * stride, 5);
        let matrix =
            |bytes| Matrix::new(dtype, Shape { rows: positions, cols: head_dim }, bytes).unwrap();
        let attention = Attention {
            keys: matrix(&keys),
            values: matrix(&values),
            queries: &queries,
            query_stride: stride,
            visible,
            scale: 1.5,
        };
        let mut out = std::vec![f32::NAN; tokens * row];
        k.attend(&attention, Output::new(&mut out, row).unwrap()).unwrap();

        let [keys, values] =
            [keys, values].map(|bytes| dequantized(dtype, &bytes, positions * head_dim));
        for (i, out) in out.chunks(head_dim).enumerate() {
            let (token, head) = (i / group, i % group);
            let query = &queries[token * stride + head * head_dim..][..head_dim];
            let seen = visible + token;
            let dot = |key: &[f32]| -> f64 {
                key.iter().zip(query).map(|(&k, &q)| f64::from(k) * f64::from(q)).sum()
            };
            let scores: Vec<f64> =
                keys.chunks(head_dim).take(seen).map(|key| 1.5 * dot(key)).collect();
            // Scores are rounded to f32, as large as their terms together.
            let terms = keys.chunks(head_dim).take(seen).map(|key| -> f64 {
                key.iter().zip(query).map(|(&k, &q)| f64::from((1.5 * k * q).abs())).sum()
            });
            let bound = 1e-6 + 2e-7 * terms.fold(0.0, f64::max);
            let largest = scores.iter().fold(f64::MIN, |m, &s| m.max(s));
            let weights: Vec<f64> = scores.iter().map(|s| (s - largest).exp()).collect();
            let sum: f64 = weights.iter().sum();
            for (c, o) in out.iter().enumerate() {
                let column = values.iter().skip(c).step_by(head_dim);
                let terms = || column.clone().zip(&weights).map(|(&v, w)| f64::from(v) * w / sum);
                let magnitude: f64 = terms().map(f64::abs).sum();
                let error = (f64::from(*o) - terms().sum::<f64>()).abs();
                let case = (k.isa(), self, i, c, *o, terms().sum::<f64>());
                assert!(error <= bound * (magnitude + 1e-3), "{case:?}");
            }
        }
    }
}

#[test]
fn attention_matches_f64() {
    for k in every_kernel().into_iter().filter(Kernels::has_attention) {
        for dtype in TYPES {
            for head_dim in [32, 64, 96, 160] {
                Case { dtype, head_dim, group: 1, tokens: 14, visible: 1 }.run(k);
                Case { dtype, head_dim, group: 4, tokens: 5, visible: 133 }.run(k);
            }
            // Two tiles and a part of one; queries of a token in different tiles.
            Case { dtype, head_dim: 32, group: 3, tokens: 90, visible: 40 }.run(k);
            Case { dtype, head_dim: 64, group: 1, tokens: 1, visible: 64 }.run(k);
        }
        for head_dim in [1, 8, 20, 33, 80, 129] {
            Case { dtype: DType::F16, head_dim, group: 2, tokens: 13, visible: 60 }.run(k);
        }
    }
}

#[test]
fn attention_that_does_not_fit_is_an_error() {
    let bytes = [0; 64 * 4 * 2];
    let matrix =
        |rows, cols| Matrix::new(DType::F16, Shape { rows, cols }, &bytes[..rows * cols * 2]);
    let (keys, queries) = (matrix(4, 64).unwrap(), [0.0; 128]);
    let fits = Attention {
        keys,
        values: keys,
        queries: &queries,
        query_stride: 64,
        visible: 3,
        scale: 1.0,
    };
    let mut out = [7.0; 128];
    for k in every_kernel() {
        let mut attend = |a: Attention<'_>, n: usize| {
            k.attend(&a, Output::new(&mut out[..n], n.min(64)).unwrap())
        };
        let too_few = Err(ShapeError::Rows { expected: 5, found: 4 });
        assert_eq!(attend(Attention { visible: 4, ..fits }, 128), too_few);
        let none = Err(ShapeError::Rows { expected: 1, found: 4 });
        assert_eq!(attend(Attention { visible: 0, ..fits }, 64), none);
        let short = Err(ShapeError::Input { expected: 128, found: 127 });
        assert_eq!(attend(Attention { queries: &queries[..127], ..fits }, 128), short);
        assert!(attend(fits, 63).is_err());
        assert!(attend(Attention { values: matrix(3, 64).unwrap(), ..fits }, 64).is_err());
        assert!(attend(Attention { values: matrix(4, 32).unwrap(), ..fits }, 64).is_err());
        assert!(attend(Attention { keys: keys.columns(0..32).unwrap(), ..fits }, 32).is_err());
        let q8 = bytemuck::bytes_of(&[BlockQ8_0::ZERO; 8]);
        let values = Matrix::new(DType::Q8_0, Shape { rows: 4, cols: 64 }, q8).unwrap();
        assert!(attend(Attention { values, ..fits }, 64).is_err());
        assert_eq!(out, [7.0; 128]);
    }
}
