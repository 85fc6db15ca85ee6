//! The safe interface on device 0, skipped where there is none.

use xielu::kernels::DType;
use xielu_kernels_cuda::Error;
use xielu_kernels_cuda::decoder::{
    CacheType, Embedding, HeadShape, KvLayer, Marks, QkNorm, RopeTable,
};
use xielu_testing::require;

use super::calls::{Rope, attend, rope_store};
use super::{normed, pre_activations};
use crate::support::*;

const SHAPE: HeadShape =
    HeadShape { heads: 4, kv_heads: 2, head_dim: 32, context: 200, cache: CacheType::F16 };

/// A token at position 150 through norm, RoPE, cache and attention: what the same calls on
/// addresses give.
#[test]
fn a_token_through_attention() {
    let (cuda, stream) = match opened_device() {
        Ok(opened) => opened,
        Err(error) => return require::skip("cuda", &error.to_string()),
    };
    let on = cuda.on(&stream).unwrap();
    let mut marks = Marks::new(&on, &SHAPE, 200).unwrap();
    let table = pre_activations(200 * 32, 5);
    let fill = |p: usize, row: &mut [f32]| row.copy_from_slice(&table[p * 32..][..32]);
    let rope = RopeTable::new(&on, &SHAPE, false, fill).unwrap();
    let weights = [3, 4].map(|seed| pre_activations(32, seed));
    let [q_norm, k_norm] = weights.each_ref().map(|w| stream.clone_htod(w).unwrap());
    let norms = QkNorm { q: q_norm, k: k_norm, eps: 1e-5 };
    let mut layer = KvLayer::new(&on, &SHAPE).unwrap();
    let values = [pre_activations(151 * 128, 1), pre_activations(151 * 64, 6)];
    let mut workspace = stream.alloc_zeros(SHAPE.workspace_len(1)).unwrap();
    let mut out = stream.alloc_zeros::<f32>(128).unwrap();

    let host = Rope {
        shape: SHAPE,
        position: 0,
        interleaved: false,
        norms: Some(weights),
        table: table.clone(),
    };
    let (rotated, caches, _) =
        rope_store(&Machine::Host, &host, [&values[0], &values[1], &values[1]]);
    let q_last = &rotated[150 * 128..];
    let caches = [&caches[0][..], &caches[1][..]];
    let expected = attend(&Machine::Host, &SHAPE, 150, q_last, caches, SHAPE.chunks(1, 151));

    let [mut q, mut k] = values.each_ref().map(|v| stream.clone_htod(v).unwrap());
    let mut v = k.clone();
    let codes = [1, 2];
    let all = [&mut q as _, &mut k as _, &mut v as _];
    on.rope_store(all, Some(&norms), &rope, 0, &mut layer, (&mut marks, codes)).unwrap();
    let last = q.slice(150 * 128..);
    on.attend(&last, 150, &layer, &mut workspace, &mut out).unwrap();
    assert_eq!(stream.clone_dtoh(&out).unwrap(), expected);
    assert_eq!(marks.take(&on, 151), Ok(None));

    // Keys go and come as bytes.
    let bytes = layer.read(&on, false, 0..64).unwrap();
    assert_eq!(bytes, caches[0][..64]);
    layer.write(&on, true, 10, &bytes).unwrap();
    assert_eq!(layer.read(&on, true, 10..74).unwrap(), bytes);
    let end = SHAPE.bytes();
    assert!(layer.read(&on, true, end..end + 1).is_err());
    assert!(layer.write(&on, true, end, &[1]).is_err());

    let wrong = on.attend(&last, 200, &layer, &mut workspace, &mut out);
    assert_eq!(wrong, Err(Error::Length { what: "the KV cache", expected: 201, found: 200 }));
    let too_small = &mut stream.alloc_zeros(3).unwrap();
    assert!(on.attend(&last, 150, &layer, too_small, &mut out).is_err());
}

#[test]
fn a_choice_and_its_marks() {
    let (cuda, stream) = match opened_device() {
        Ok(opened) => opened,
        Err(error) => return require::skip("cuda", &error.to_string()),
    };
    let on = cuda.on(&stream).unwrap();
    let mut marks = Marks::new(&on, &SHAPE, 2).unwrap();
    let mut x = pre_activations(2 * 40, 1);
    x[77] = 99.0;
    let weight = pre_activations(40, 2);
    let there = stream.clone_htod(&weight).unwrap();
    let mut y = stream.alloc_zeros::<f32>(80).unwrap();
    on.rms_norm(&stream.clone_htod(&x).unwrap(), &there, 1e-5, &mut y, (&mut marks, 4)).unwrap();
    let truth = normed(&x[40..], &weight);
    let found = stream.clone_dtoh(&y).unwrap();
    assert!(found[40..].iter().zip(&truth).all(|(y, t)| (f64::from(*y) - t).abs() < 1e-5));
    on.argmax(&stream.clone_htod(&x).unwrap(), &mut marks).unwrap();
    assert_eq!(marks.take_with_choice(&on, 2), Ok(([77, 0], None)));
    x[3] = f32::NAN;
    on.rms_norm(&stream.clone_htod(&x).unwrap(), &there, 1e-5, &mut y, (&mut marks, 4)).unwrap();
    on.argmax(&stream.clone_htod(&x).unwrap(), &mut marks).unwrap();
    assert_eq!(marks.take_with_choice(&on, 2), Ok(([77, 4], Some(4))));
    // It is forgotten.
    assert_eq!(marks.take(&on, 2), Ok(None));
    let mut three = stream.alloc_zeros::<f32>(120).unwrap();
    let long = stream.alloc_zeros::<f32>(120).unwrap();
    assert!(on.rms_norm(&long, &there, 1e-5, &mut three, (&mut marks, 4)).is_err());
    assert!(on.rms_norm(&long, &there, 1e-5, &mut y, (&mut marks, 4)).is_err());
}

#[test]
fn an_embedding() {
    let (cuda, stream) = match opened_device() {
        Ok(opened) => opened,
        Err(error) => return require::skip("cuda", &error.to_string()),
    };
    let on = cuda.on(&stream).unwrap();
    let values = pre_activations(5 * 12, 1);
    let bytes: &[u8] = bytemuck::cast_slice(&values);
    let table = Embedding::upload(&on, DType::F32, [5, 12], bytes).unwrap();
    let mut ids = stream.alloc_zeros::<u32>(3).unwrap();
    let mut y = stream.alloc_zeros::<f32>(24).unwrap();
    on.embed(&table, &[4, 1], &mut ids, &mut y).unwrap();
    let expected = [&values[48..60], &values[12..24]].concat();
    assert_eq!(stream.clone_dtoh(&y).unwrap(), expected);
    let beyond = Error::Length { what: "the embedding", expected: 6, found: 5 };
    assert_eq!(on.embed(&table, &[5, 1], &mut ids, &mut y), Err(beyond));
    assert!(on.embed(&table, &[1; 4], &mut ids, &mut y).is_err());
    assert!(Embedding::upload(&on, DType::Q5_0, [5, 32], bytes).is_err());
    assert!(Embedding::upload(&on, DType::F32, [6, 12], bytes).is_err());
}

#[test]
fn shapes_without_kernels_are_refused() {
    let problem = |shape: HeadShape| shape.problem().is_some();
    assert!(!problem(SHAPE));
    assert!(problem(HeadShape { head_dim: 258, ..SHAPE }));
    assert!(problem(HeadShape { head_dim: 31, ..SHAPE }));
    assert!(problem(HeadShape { kv_heads: 3, ..SHAPE }));
    assert!(problem(HeadShape { head_dim: 48, cache: CacheType::Q8_0, ..SHAPE }));
}
