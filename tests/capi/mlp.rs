//! The C functions on MLP layers: Rust's bits, and a status for every bad input.

use std::ptr::{null, null_mut};

use xielu::capi::*;
use xielu::checkpoint::Checkpoint as _;
use xielu::checkpoint::gguf::{GgmlType, Gguf};
use xielu::kernels::{Activation, Coefficients, DType, Matrix, Shape};
use xielu::mlp::MlpSizes;
use xielu::quant::ENCODED;
use xielu::{Backend, Mlp};

use crate::support::{Memory, model_bytes, off, open, zeroed};

/// An MLP of the bundled model, its input and the memory of a run.
struct Layer {
    _bytes: Vec<u8>,
    mlp: Box<xielu_mlp>,
    x: Vec<f32>,
    y: Vec<f32>,
}

const TOKENS: usize = 3;

fn layer(index: usize) -> Layer {
    let bytes = model_bytes();
    let file = open(&bytes);
    let mut mlp = Box::new(zeroed());
    // SAFETY: all are live.
    assert_eq!(unsafe { xielu_mlp_load(&*file, index, &mut *mlp) }, Status::Ok);
    let x: Vec<f32> = (0..TOKENS * 128).map(|i| (i as f32 * 0.1).sin()).collect();
    Layer { _bytes: bytes, mlp, y: vec![f32::NAN; x.len()], x }
}

fn scratch_size(tile: usize) -> usize {
    xielu_mlp_scratch_size(128, 672, tile, TOKENS)
}

#[test]
fn an_mlp_gives_rusts_bits() {
    let bytes = model_bytes();
    let gguf = Gguf::parse(&bytes).unwrap();
    let config = gguf.config().unwrap();
    for tile in [0, 32, 96, 672, usize::MAX] {
        let mut l = layer(2);
        let rust_tile = if tile == 0 { 672 } else { tile.min(672) };
        let len = MlpSizes { hidden_size: 128, tile: rust_tile, tokens: TOKENS }.scratch_len();
        assert_eq!(scratch_size(tile), len * 4);
        let mut expected = vec![0.0; l.x.len()];
        let mlp = Mlp::load(&gguf, &config, 2).unwrap();
        let mut scratch = vec![0.0; len];
        mlp.forward_tiled(&Backend::default(), rust_tile, &l.x, &mut expected, &mut scratch)
            .unwrap();
        let mut scratch = Memory::new(len * 4);
        // SAFETY: all are live.
        let status = unsafe {
            let (y, n) = (l.y.as_mut_ptr(), l.y.len());
            xielu_mlp_run(&*l.mlp, tile, l.x.as_ptr(), y, n, scratch.at(), scratch.size)
        };
        assert_eq!((status, &l.y), (Status::Ok, &expected), "tile {tile}");
    }
}

#[test]
fn scratch_sizes() {
    assert_eq!(scratch_size(0), scratch_size(672));
    assert_eq!(scratch_size(usize::MAX), scratch_size(672), "no more than there is");
    assert!(scratch_size(32) < scratch_size(0));
    for huge in [[usize::MAX, 672, 32, 1], [128, usize::MAX, 0, 1], [128, 672, 32, usize::MAX]] {
        let [hidden, ffn, tile, tokens] = huge;
        assert_eq!(xielu_mlp_scratch_size(hidden, ffn, tile, tokens), usize::MAX, "{huge:?}");
    }
}

const HIDDEN: usize = 64;
const FFN: usize = 96;

/// A matrix of small noise as `dtype`, and what C is told of it.
fn weights(dtype: DType, rows: usize, cols: usize) -> (Vec<u8>, xielu_matrix) {
    let values: Vec<f32> = (0..rows * cols).map(|i| (i as f32 * 1.7).sin() * 0.1).collect();
    let mut data = vec![0; dtype.row_bytes(values.len()).unwrap()];
    xielu::quant::encode_row(dtype, &values, &mut data).unwrap();
    let number = GgmlType::from_dtype(dtype).unwrap().0;
    let size = data.len();
    let matrix = xielu_matrix { dtype: number, rows, cols, data: data.as_ptr().cast(), size };
    (data, matrix)
}

const F: xielu_activation = xielu_activation {
    kind: XIELU_ACTIVATION_XIELU,
    alpha_p: 0.8,
    alpha_n: 0.7,
    beta: 0.5,
    eps: 0.0,
};

#[test]
fn own_weights_give_rusts_bits() {
    let x: Vec<f32> = (0..HIDDEN).map(|i| (i as f32 * 0.3).cos()).collect();
    for dtype in ENCODED.into_iter().filter(|t| FFN.is_multiple_of(t.block_len())) {
        let matrices = [(FFN, HIDDEN), (FFN, HIDDEN), (HIDDEN, FFN)];
        let [(g, gate), (u, up), (d, down)] = matrices.map(|(r, c)| weights(dtype, r, c));
        let view = |m: &xielu_matrix, data| {
            Matrix::new(dtype, Shape { rows: m.rows, cols: m.cols }, data).unwrap()
        };
        let coefficients = Coefficients { alpha_p: 0.8, alpha_n: 0.7, beta: 0.5, eps: 0.0 };
        let plain = Activation::Xielu(coefficients);
        let plain = Mlp::new(view(&up, &u), view(&down, &d), plain).unwrap();
        let gated = Mlp::gated(view(&gate, &g), view(&up, &u), view(&down, &d)).unwrap();
        for (rust, is_gated) in [(plain, false), (gated, true)] {
            let size = xielu_mlp_scratch_size(HIDDEN, FFN, 32, 1);
            let (mut expected, mut y) = (vec![0.0; HIDDEN], vec![f32::NAN; HIDDEN]);
            let mut floats = vec![0.0; size / 4];
            rust.forward_tiled(&Backend::default(), 32, &x, &mut expected, &mut floats).unwrap();
            let (mut mlp, mut scratch) = (zeroed::<xielu_mlp>(), Memory::new(size));
            // SAFETY: all are live.
            unsafe {
                let status = match is_gated {
                    true => xielu_mlp_init_gated(&gate, &up, &down, &mut mlp),
                    false => xielu_mlp_init(&up, &down, &F, &mut mlp),
                };
                assert_eq!(status, Status::Ok);
                let (p, y) = (scratch.at(), y.as_mut_ptr());
                assert_eq!(xielu_mlp_run(&mlp, 32, x.as_ptr(), y, HIDDEN, p, size), Status::Ok);
            }
            assert_eq!(y, expected, "{dtype} {is_gated}");
        }
    }
}

/// Every way a matrix can be wrong, and its status.
fn bad_matrices(good: xielu_matrix) -> [(xielu_matrix, Status); 8] {
    [
        // Q4_3, which ggml has no more.
        (xielu_matrix { dtype: 5, ..good }, Status::Unsupported),
        (xielu_matrix { dtype: u32::MAX, ..good }, Status::Unsupported),
        (xielu_matrix { data: null(), ..good }, Status::Null),
        (xielu_matrix { size: good.size - 1, ..good }, Status::Length),
        (xielu_matrix { size: usize::MAX, ..good }, Status::Short),
        (xielu_matrix { rows: good.rows - 32, ..good }, Status::Length),
        (xielu_matrix { rows: usize::MAX, ..good }, Status::Length),
        (xielu_matrix { cols: good.cols - 1, ..good }, Status::Length),
    ]
}

#[test]
fn bad_weights_are_refused() {
    let (_u, up) = weights(DType::Q8_0, FFN, HIDDEN);
    let (mut d, down) = weights(DType::Q8_0, HIDDEN, FFN);
    let inside = d.as_mut_ptr().wrapping_add(d.as_ptr().align_offset(8)).cast::<xielu_mlp>();
    let mut mlp = zeroed::<xielu_mlp>();
    let p = &raw mut mlp;
    let (init, gated) = (xielu_mlp_init, xielu_mlp_init_gated);
    // SAFETY: the good pointers are live; the others are refused.
    unsafe {
        assert_eq!(init(null(), &down, &F, p), Status::Null);
        assert_eq!(init(&up, null(), &F, p), Status::Null);
        assert_eq!(init(&up, &down, null(), p), Status::Null);
        assert_eq!(init(&up, &down, &F, null_mut()), Status::Null);
        assert_eq!(init(off(&up), &down, &F, p), Status::Misaligned);
        assert_eq!(init(&up, off(&down), &F, p), Status::Misaligned);
        assert_eq!(init(&up, &down, off(&F), p), Status::Misaligned);
        assert_eq!(init(&up, &down, &F, off(p)), Status::Misaligned);
        assert_eq!(init(&up, &down, &F, inside), Status::Overlap);
        assert_eq!(init(&down, &down, &F, p), Status::Length, "shapes that do not fit");
        assert_eq!(init(&up, &down, &zeroed(), p), Status::Option);
        let nan = xielu_activation { alpha_p: f32::NAN, ..F };
        assert_eq!(init(&up, &down, &nan, p), Status::Parameter);

        assert_eq!(gated(null(), &up, &down, p), Status::Null);
        assert_eq!(gated(&up, null(), &down, p), Status::Null);
        assert_eq!(gated(&up, &up, null(), p), Status::Null);
        assert_eq!(gated(&up, &up, &down, null_mut()), Status::Null);
        assert_eq!(gated(off(&up), &up, &down, p), Status::Misaligned);
        assert_eq!(gated(&up, off(&up), &down, p), Status::Misaligned);
        assert_eq!(gated(&up, &up, off(&down), p), Status::Misaligned);
        assert_eq!(gated(&up, &up, &down, off(p)), Status::Misaligned);
        assert_eq!(gated(&up, &up, &down, inside), Status::Overlap);
        assert_eq!(gated(&down, &up, &down, p), Status::Length);
        let (_f, float) = weights(DType::F32, FFN, HIDDEN);
        assert_eq!(gated(&float, &up, &down, p), Status::Length, "quantized as up is");

        for (bad, status) in bad_matrices(up) {
            assert_eq!(init(&bad, &down, &F, p), status, "{bad:?}");
            assert_eq!(gated(&bad, &up, &down, p), status, "{bad:?}");
            assert_eq!(gated(&up, &bad, &down, p), status, "{bad:?}");
        }
        for (bad, status) in bad_matrices(down) {
            assert_eq!(init(&up, &bad, &F, p), status, "{bad:?}");
            assert_eq!(gated(&up, &up, &bad, p), status, "{bad:?}");
        }
        let mut x = [0.0; HIDDEN];
        let x = x.as_mut_ptr();
        assert_eq!(xielu_mlp_run(p, 32, x, x, 0, null_mut(), 0), Status::Uninitialized);
        assert_eq!(init(&up, &down, &F, p), Status::Ok);
        let mut scratch = Memory::new(xielu_mlp_scratch_size(HIDDEN, FFN, 32, 1));
        let (s, size) = (scratch.at(), scratch.size);
        let in_weights = inside.cast::<f32>();
        assert_eq!(xielu_mlp_run(p, 32, x, in_weights, HIDDEN, s, size), Status::Overlap);
    }
}

#[test]
fn bad_mlps_are_refused() {
    let bytes = model_bytes();
    let file = open(&bytes);
    let inside = bytes.as_ptr().wrapping_add(bytes.as_ptr().align_offset(8)).cast_mut();
    let mut mlp = zeroed::<xielu_mlp>();
    // SAFETY: the good pointers are live; the others are refused.
    unsafe {
        assert_eq!(xielu_mlp_load(&zeroed(), 0, &mut mlp), Status::Uninitialized);
        assert_eq!(xielu_mlp_load(null(), 0, &mut mlp), Status::Null);
        assert_eq!(xielu_mlp_load(off(&*file), 0, &mut mlp), Status::Misaligned);
        assert_eq!(xielu_mlp_load(&*file, 0, null_mut()), Status::Null);
        assert_eq!(xielu_mlp_load(&*file, 0, off(&mlp)), Status::Misaligned);
        assert_eq!(xielu_mlp_load(&*file, 0, inside.cast()), Status::Overlap);
        assert_eq!(xielu_mlp_load(&*file, 4, &mut mlp), Status::Layer);
        assert_eq!(xielu_mlp_load(&*file, usize::MAX, &mut mlp), Status::Layer);
    }
}

#[test]
fn bad_runs_of_an_mlp_are_refused() {
    let mut l = layer(0);
    let bytes = l._bytes.as_ptr().cast_mut();
    let in_file = bytes.wrapping_add(bytes.align_offset(4));
    let mut scratch = Memory::new(scratch_size(32));
    let (s, size) = (scratch.at(), scratch.size);
    let (x, y, n) = (l.x.as_mut_ptr(), l.y.as_mut_ptr(), l.x.len());
    let run = xielu_mlp_run;
    let mlp: *const xielu_mlp = &*l.mlp;
    // SAFETY: the good pointers are live; the others are refused.
    unsafe {
        assert_eq!(run(&zeroed(), 32, x, y, n, s, size), Status::Uninitialized);
        assert_eq!(run(&*Box::new(*mlp), 32, x, y, n, s, size), Status::Uninitialized);
        assert_eq!(run(null(), 32, x, y, n, s, size), Status::Null);
        assert_eq!(run(off(mlp), 32, x, y, n, s, size), Status::Misaligned);
        assert_eq!(run(mlp, 32, null(), y, n, s, size), Status::Null);
        assert_eq!(run(mlp, 32, x, null_mut(), n, s, size), Status::Null);
        assert_eq!(run(mlp, 32, x, y, n, null_mut(), size), Status::Null);
        assert_eq!(run(mlp, 32, off(x), y, n - 128, s, size), Status::Misaligned);
        assert_eq!(run(mlp, 32, x, off(y), n - 128, s, size), Status::Misaligned);
        assert_eq!(run(mlp, 32, x, y, n, off(s), size - 8), Status::Misaligned);
        assert_eq!(run(mlp, 32, x, y, n, s, size - 1), Status::Short);
        assert_eq!(run(mlp, 32, x, y, n, s, 0), Status::Short);
        assert_eq!(run(mlp, 32, x, y, n, s, usize::MAX), Status::Short);
        assert_eq!(run(mlp, 32, x, y, usize::MAX, s, size), Status::Short);
        assert_eq!(run(mlp, 32, x, y, n - 1, s, size), Status::Length);
        for tile in [1, 31, 33] {
            assert_eq!(run(mlp, tile, x, y, n, s, size), Status::Tile);
        }
        assert_eq!(run(mlp, 32, x, x, n, s, size), Status::Overlap);
        assert_eq!(run(mlp, 32, x, x.wrapping_add(128), n - 128, s, size), Status::Overlap);
        assert_eq!(run(mlp, 32, x, s.cast(), n, s, size), Status::Overlap);
        assert_eq!(run(mlp, 32, x, y, n, x.cast(), 4 * n), Status::Overlap);
        assert_eq!(run(mlp, 32, x, y, n, y.cast(), 4 * n), Status::Overlap);
        assert_eq!(run(mlp, 32, x, y, n, in_file.cast(), size), Status::Overlap);
        assert_eq!(run(mlp, 32, x, in_file.cast(), n, s, size), Status::Overlap);
        assert_eq!(run(mlp, 32, x, mlp.cast_mut().cast(), 64, s, size), Status::Overlap);
        assert_eq!(run(mlp, 32, null(), null_mut(), 0, s, size), Status::Ok);
        assert!(l.y.iter().all(|y| y.is_nan()), "nothing was written");
        assert_eq!(run(mlp, 32, x, y, n, s, size), Status::Ok);
    }
    assert!(l.y.iter().all(|y| y.is_finite()));
}
