//! The kernels of a decoder beside its products: held against f64 and the CPU's bits, and the PTX
//! against the host twins.

mod attention;
mod calls;
mod slices;

use calls::{Rope, argmax, decoded, embed, encoded, rms_norm, rope_store};
use xielu::kernels::DType;
use xielu::quant::encode_row;
use xielu_kernels_cuda::decoder::{CacheType, EMBEDDED, HeadShape};

use crate::support::ptx::Buffers;
use crate::support::*;

/// The machines there are, and always the interpreter: these calls are small.
fn with_interpreter() -> Vec<Machine> {
    let mut all = machines();
    if !all.iter().any(|machine| matches!(machine, Machine::Ptx(_))) {
        all.push(Machine::Ptx(Buffers::default()));
    }
    all
}

/// The same bits from every machine.
fn on_all<T: PartialEq + std::fmt::Debug>(call: impl Fn(&Machine) -> T) -> T {
    let all = with_interpreter();
    let mut results = all.iter().map(|machine| (machine.name(), call(machine)));
    let (_, first) = results.next().unwrap();
    for (name, other) in results {
        assert!(other == first, "the {name} differs: {other:?}, expected {first:?}");
    }
    first
}

fn as_bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|v| v.to_bits()).collect()
}

fn normed(x: &[f32], weight: &[f32]) -> Vec<f64> {
    let squares: f64 = x.iter().map(|&v| f64::from(v).powi(2)).sum();
    let scale = (squares / x.len() as f64 + 1e-5).sqrt().recip();
    x.iter().zip(weight).map(|(&x, &w)| f64::from(x) * scale * f64::from(w)).collect()
}

#[test]
fn norms_are_those_of_f64() {
    for width in [1, 20, 255, 256, 700] {
        let x = pre_activations(3 * width, 1);
        let weight = pre_activations(width, 2);
        let (y, noted) = on_all(|machine| {
            let (y, noted) = rms_norm(machine, &x, &weight, &[0, 1, 0, 0, 0, 0, 4, 0, 0]);
            (as_bits(&y), noted)
        });
        assert_eq!(noted, [0, 1, 0, 0, 0, 0, 4, 0, 0]);
        for (x, y) in x.chunks(width).zip(y.chunks(width)) {
            for (y, truth) in y.iter().zip(normed(x, &weight)) {
                let found = f64::from(f32::from_bits(*y));
                assert!((found - truth).abs() <= 1e-6 * truth.abs(), "{found}, {truth}");
            }
        }
    }
}

#[test]
fn a_norm_notes_rows_without_a_finite_sum() {
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1e20] {
        let mut x = pre_activations(4 * 300, 1);
        (x[299], x[900]) = (bad, bad);
        let noted = on_all(|machine| {
            let weight = pre_activations(300, 2);
            rms_norm(machine, &x, &weight, &[0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0]).1
        });
        assert_eq!(noted, [9, 0, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0], "{bad}");
    }
}

/// Any numbers as cosines and sines.
fn rope(cache: CacheType, head_dim: usize, interleaved: bool, norms: bool) -> Rope {
    let shape = HeadShape { heads: 4, kv_heads: 2, head_dim, context: 7, cache };
    let norms = norms.then(|| [3, 4].map(|seed| pre_activations(head_dim, seed)));
    let table = pre_activations(7 * head_dim, 5);
    Rope { shape, position: 3, interleaved, norms, table }
}

/// Heads as f64 and the CPU's formulas make them. Without a norm the f32 are exact.
fn rotated(rope: &Rope, heads: &[f32], per_token: usize, which: usize) -> Vec<f32> {
    let dim = rope.shape.head_dim;
    let mut out = Vec::new();
    for (i, head) in heads.chunks(dim).enumerate() {
        let head: Vec<f32> = match &rope.norms {
            Some(norms) => normed(head, &norms[which]).into_iter().map(|v| v as f32).collect(),
            None => head.to_vec(),
        };
        let table = &rope.table[(rope.position + i / per_token) * dim..][..dim];
        let (cos, sin) = table.split_at(dim / 2);
        let mut turned = head.clone();
        for pair in 0..dim / 2 {
            let [a, b] = match rope.interleaved {
                true => [2 * pair, 2 * pair + 1],
                false => [pair, pair + dim / 2],
            };
            turned[a] = head[a] * cos[pair] - head[b] * sin[pair];
            turned[b] = head[b] * cos[pair] + head[a] * sin[pair];
        }
        out.extend(turned);
    }
    out
}

#[test]
fn heads_are_rotated_and_stored() {
    let dims = [(CacheType::F32, 6), (CacheType::F16, 10), (CacheType::BF16, 256)];
    let dims = dims.into_iter().chain([(CacheType::Q8_0, 64), (CacheType::F32, 128)]);
    for (cache, dim) in dims {
        for (interleaved, norms) in [(false, false), (true, false), (false, true)] {
            let rope = rope(cache, dim, interleaved, norms);
            let q = pre_activations(3 * 4 * dim, 1);
            let [k, v] = [6, 7].map(|seed| pre_activations(3 * 2 * dim, seed));
            let (q_found, caches, noted) = on_all(|machine| {
                let (q, caches, noted) = rope_store(machine, &rope, [&q, &k, &v]);
                (as_bits(&q), caches, noted)
            });
            assert!(noted.iter().all(|&code| code == 0), "{noted:?}");
            let expected = rotated(&rope, &q, 4, 0);
            let tolerance = if norms { 1e-5 } else { 0.0 };
            for (found, expected) in q_found.iter().zip(&expected) {
                let found = f32::from_bits(*found);
                assert!((found - expected).abs() <= tolerance, "{found}, expected {expected}");
            }
            let keys = rotated(&rope, &k, 2, 1);
            for (heads, found) in [keys, v].into_iter().zip(&caches) {
                check_cache(&rope, &heads, found, norms);
            }
        }
    }
}

/// Positions 3, 4 and 5 hold `heads`, `[token][kv_head][dim]`; the others are untouched.
fn check_cache(rope: &Rope, heads: &[f32], found: &[u8], rounded: bool) {
    let HeadShape { head_dim: dim, context, cache, .. } = rope.shape;
    let row_bytes = cache.row_bytes(dim);
    for (at, found) in found.chunks(row_bytes).enumerate() {
        let (head, position) = (at / context, at % context);
        if !(3..6).contains(&position) {
            assert!(found.iter().all(|&byte| byte == 0x11), "position {position}");
            continue;
        }
        let head = &heads[((position - 3) * 2 + head) * dim..][..dim];
        let expected = encoded(cache, dim, head);
        if !rounded {
            assert_eq!(found, expected, "{cache:?}");
            continue;
        }
        let dtype = calls::stored(cache);
        let both = [found, &expected[..]].map(|bytes| decoded(dtype, dim, bytes));
        for (found, expected) in both[0].iter().zip(&both[1]) {
            assert!((found - expected).abs() < 0.1, "{found}, expected {expected}");
        }
    }
}

#[test]
fn keys_and_values_that_are_no_numbers_are_noted() {
    let none = [0; 5];
    // Beyond f16, or beyond what a block's scale can be.
    for (cache, large) in [(CacheType::F16, 7e4), (CacheType::Q8_0, 1e7), (CacheType::F32, 0.0)] {
        let mut rope = rope(cache, 32, false, false);
        rope.table = vec![1.0; 7 * 32];
        let q = vec![1.0; 2 * 4 * 32];
        let mut k = vec![0.5; 2 * 2 * 32];
        let mut v = k.clone();
        let noted = |k: &[f32], v: &[f32]| on_all(|m| rope_store(m, &rope, [&q, k, v]).2);
        assert_eq!(noted(&k, &v), [none, none].concat());
        k[40] = f32::NAN;
        v[64 + 31] = large;
        let stored = if cache == CacheType::F32 { 0 } else { 6 };
        assert_eq!(noted(&k, &v), [0, 0, 5, 0, 0, 0, 0, 0, stored, 0]);
    }
}

#[test]
fn embedding_rows_have_the_cpus_bits() {
    for dtype in EMBEDDED {
        let width = if dtype.block_len() == 256 { 512 } else { 320 };
        let values = pre_activations(9 * width, 3);
        let row_bytes = dtype.row_bytes(width).unwrap();
        let mut table = vec![0; 9 * row_bytes];
        for (row, out) in values.chunks(width).zip(table.chunks_mut(row_bytes)) {
            encode_row(dtype, row, out).unwrap();
        }
        let ids = [8, 0, 3, 8];
        let found = on_all(|machine| as_bits(&embed(machine, dtype, width, &table, &ids)));
        let rows = decoded(dtype, width, &table);
        for (id, found) in ids.iter().zip(found.chunks(width)) {
            let expected = &rows[*id as usize * width..][..width];
            assert_eq!(found, as_bits(expected), "{dtype}");
        }
    }
}

#[test]
fn the_first_of_the_largest_is_chosen() {
    let mut x = pre_activations(1000, 1);
    let choice = |x: &[f32]| on_all(|machine| argmax(machine, x));
    let expected = xielu::llama::argmax(&x).unwrap();
    assert_eq!(choice(&x), [expected, 0]);
    for at in [999, 300, 299, 0] {
        x[at] = 50.0;
        assert_eq!(choice(&x), [at as u32, 0]);
    }
    x[17] = f32::NAN;
    x[600] = f32::INFINITY;
    assert_eq!(choice(&x), [600, 18]);
    assert_eq!(choice(&[f32::NEG_INFINITY; 3]), [3, 1]);
    assert_eq!(choice(&[-2.0]), [0, 0]);
}

#[test]
fn types_are_those_of_the_cpus_caches() {
    for cache in CacheType::ALL.iter().copied() {
        assert_eq!(CacheType::of(calls::stored(cache)), Some(cache));
        assert_eq!(Some(cache.row_bytes(64)), calls::stored(cache).row_bytes(64));
    }
    assert_eq!(CacheType::of(DType::Q4_0), None);
}
