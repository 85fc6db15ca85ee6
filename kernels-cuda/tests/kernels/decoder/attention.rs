//! Attention, held against f64 and the CPU's kernels.

use xielu::kernels::{Attention, Kernels, Matrix, Output, Shape};
use xielu_kernels_cuda::decoder::{CacheType, Chunks, HeadShape};

use super::calls::{attend, decoded, encoded, stored};
use super::{as_bits, on_all};
use crate::support::*;

/// Queries at `position ..`, with keys and values of all positions up to the last one, garbage
/// beyond.
struct Case {
    shape: HeadShape,
    position: usize,
    q: Vec<f32>,
    keys: Vec<u8>,
    values: Vec<u8>,
}

impl Case {
    fn new(shape: HeadShape, position: usize, tokens: usize) -> Self {
        let HeadShape { heads, kv_heads, head_dim: dim, context, cache } = shape;
        let q = pre_activations(tokens * heads * dim, 1);
        let [keys, values] = [2, 3].map(|seed| {
            let rows = pre_activations(kv_heads * context * dim, seed);
            let mut bytes = encoded(cache, dim, &rows);
            let row_bytes = cache.row_bytes(dim);
            for (at, row) in bytes.chunks_mut(row_bytes).enumerate() {
                if at % context >= position + tokens {
                    row.fill(0xff);
                }
            }
            bytes
        });
        Case { shape, position, q, keys, values }
    }

    fn run(&self, machine: &Machine, chunks: Chunks) -> Vec<f32> {
        attend(machine, &self.shape, self.position, &self.q, [&self.keys, &self.values], chunks)
    }

    fn tokens(&self) -> usize {
        self.q.len() / (self.shape.heads * self.shape.head_dim)
    }

    fn one_chunk(&self) -> Chunks {
        let positions = (self.position + self.tokens()) as u64;
        Chunks { len: positions.next_multiple_of(64), count: 1 }
    }

    fn truth(&self) -> Vec<f64> {
        let HeadShape { heads, kv_heads, head_dim: dim, context, cache } = self.shape;
        let [keys, values] =
            [&self.keys, &self.values].map(|bytes| decoded(stored(cache), dim, bytes));
        let mut out = Vec::new();
        for (i, q) in self.q.chunks(dim).enumerate() {
            let (token, head) = (i / heads, i % heads);
            let kv_head = head / (heads / kv_heads);
            let row = |p: usize, all: &[f32]| -> Vec<f64> {
                let row = &all[(kv_head * context + p) * dim..][..dim];
                row.iter().map(|&v| f64::from(v)).collect()
            };
            let seen = self.position + token + 1;
            let dot = |k: &[f64]| k.iter().zip(q).map(|(k, &q)| k * f64::from(q)).sum::<f64>();
            let scores = (0..seen).map(|p| dot(&row(p, &keys)) / (dim as f64).sqrt());
            let scores: Vec<f64> = scores.collect();
            let largest = scores.iter().copied().fold(f64::MIN, f64::max);
            let weights: Vec<f64> = scores.iter().map(|s| (s - largest).exp()).collect();
            let sum: f64 = weights.iter().sum();
            let mut head = vec![0.0; dim];
            for (p, w) in weights.iter().enumerate() {
                head.iter_mut().zip(row(p, &values)).for_each(|(h, v)| *h += w / sum * v);
            }
            out.extend(head);
        }
        out
    }

    fn check(&self, found: &[u32], what: &str) {
        for (found, truth) in found.iter().zip(self.truth()) {
            let found = f64::from(f32::from_bits(*found));
            assert!((found - truth).abs() < 1e-5, "{what}: {found}, expected {truth}");
        }
    }

    /// What `Kernels::attend` makes of it.
    fn cpu(&self) -> Vec<f32> {
        let HeadShape { heads, kv_heads, head_dim: dim, context, cache } = self.shape;
        let (group, positions) = (heads / kv_heads * dim, self.position + self.tokens());
        let mut out = vec![0.0; self.q.len()];
        let mut parts = Output::new(&mut out, heads * dim).unwrap();
        for kv_head in 0..kv_heads {
            let (part, rest) = parts.split_at_row(group);
            parts = rest;
            let bytes = cache.row_bytes(dim);
            let rows = |all: &'static [u8]| {
                let all = &all[kv_head * context * bytes..][..positions * bytes];
                Matrix::new(stored(cache), Shape { rows: positions, cols: dim }, all).unwrap()
            };
            let leaked = |all: &[u8]| -> &'static [u8] { all.to_vec().leak() };
            let attention = Attention {
                keys: rows(leaked(&self.keys)),
                values: rows(leaked(&self.values)),
                queries: &self.q[kv_head * group..],
                query_stride: heads * dim,
                visible: self.position + 1,
                scale: 1.0 / (dim as f32).sqrt(),
            };
            Kernels::detect().attend(&attention, part).unwrap();
        }
        out
    }
}

fn shape(cache: CacheType, heads: [usize; 2], head_dim: usize) -> HeadShape {
    HeadShape { heads: heads[0], kv_heads: heads[1], head_dim, context: 300, cache }
}

/// Groups and widths that leave rows and threads over, positions that leave tiles over.
#[test]
fn every_shape() {
    let shapes = [
        shape(CacheType::F32, [4, 2], 6),
        shape(CacheType::F32, [1, 1], 2),
        shape(CacheType::F16, [6, 2], 64),
        shape(CacheType::BF16, [40, 1], 80),
        shape(CacheType::Q8_0, [8, 4], 128),
        shape(CacheType::F16, [20, 2], 256),
        shape(CacheType::Q8_0, [3, 1], 96),
        shape(CacheType::F32, [2, 1], 130),
    ];
    for shape in shapes {
        for (position, tokens) in [(0, 1), (0, 7), (63, 1), (64, 3), (150, 37)] {
            let case = Case::new(shape, position, tokens);
            let what = format!("{shape:?}, {tokens} at {position}");
            let machines = machines();
            for machine in &machines {
                let found = as_bits(&case.run(machine, case.one_chunk()));
                case.check(&found, &what);
            }
            for (found, cpu) in case.run(&machines[0], case.one_chunk()).iter().zip(case.cpu()) {
                assert!((found - cpu).abs() < 1e-5, "{what}: {found}, the CPU's {cpu}");
            }
        }
    }
}

/// A batch and its tokens alone have the same bits, with the same chunks.
#[test]
fn tokens_do_not_depend_on_their_batch() {
    let case = Case::new(shape(CacheType::F16, [6, 2], 64), 100, 9);
    let width = 6 * 64;
    let chunks = Chunks { len: 128, count: 1 };
    let together = case.run(&Machine::Host, chunks);
    for token in 0..9 {
        let q = &case.q[token * width..][..width];
        let caches = [&case.keys[..], &case.values];
        let alone = attend(&Machine::Host, &case.shape, 100 + token, q, caches, chunks);
        assert!(alone == together[token * width..][..width], "token {token}");
    }
}

#[test]
fn chunks_are_combined() {
    for cache in [CacheType::F16, CacheType::Q8_0] {
        for (position, tokens) in [(299, 1), (127, 3)] {
            let case = Case::new(shape(cache, [4, 2], 32), position, tokens);
            let positions = position + tokens;
            let usual = case.shape.chunks(tokens, positions);
            assert_eq!(usual, Chunks { len: 128, count: positions.div_ceil(128) as u64 });
            for chunks in [usual, Chunks { len: 64, count: positions.div_ceil(64) as u64 }] {
                let found = on_all(|machine| as_bits(&case.run(machine, chunks)));
                case.check(&found, &format!("{cache:?}, {tokens} at {position}"));
            }
        }
    }
}

/// The PTX of every type, with several blocks, partial tiles and idle rows.
#[test]
fn the_ptx_has_the_twins_bits() {
    for cache in CacheType::ALL.iter().copied() {
        let case = Case::new(shape(cache, [6, 2], 32), 70, 5);
        let found = on_all(|machine| as_bits(&case.run(machine, case.one_chunk())));
        case.check(&found, &format!("{cache:?}"));
    }
}

/// Chunks of any batch fit the workspace that is made for it.
#[test]
fn chunks_fit_their_workspace() {
    for context in [1, 64, 129, 4096, 20_000, 1 << 17] {
        let shape = HeadShape { context, ..shape(CacheType::F16, [32, 8], 128) };
        for batch in [1, 3, 16, 512] {
            for tokens in (1..=batch.min(context)).filter(|&n| n < 20 || n == batch) {
                let Chunks { len, count } = shape.chunks(tokens, context);
                assert!(len * count >= context as u64 && len % 64 == 0);
                let sums = count as usize * tokens * 32 * 130;
                assert!(count == 1 || sums <= shape.workspace_len(batch), "{tokens} of {batch}");
            }
        }
    }
}

#[test]
fn a_score_that_is_no_number_is_not_hidden() {
    let mut case = Case::new(shape(CacheType::F32, [2, 1], 4), 80, 1);
    for bad in [f32::NAN, f32::INFINITY] {
        case.q[1] = bad;
        let found = on_all(|machine| {
            let out = case.run(machine, case.one_chunk());
            out.iter().map(|v| v.is_nan()).collect::<Vec<_>>()
        });
        assert_eq!(found, [true, true, true, true, false, false, false, false]);
    }
}
