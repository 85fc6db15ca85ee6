//! Runs one kernel and nothing else, for tools that count instructions:
//! `kernel NAME ISA N REPEATS`, for example `kernel xielu-f32 avx2 4096 3`, or, for the product of
//! N weights in 32 rows with 64 tokens, `kernel q8_0x64 avx2 32768 3`, or, for the attention of 128
//! queries to N keys' values of a head of 128, `kernel attention-f16 avx2 8192 3`.
//!
//! `benches/instructions/count.py` subtracts runs of different REPEATS, so what happens before the
//! kernel is not counted. The line `ready` says that all of it is over, so that a slow tool can
//! begin there.

use std::hint::black_box;

use half::{bf16, f16};
use xielu_kernels_simd::{
    Activation, AlphaSums, Attention, BlockQ8_0, Coefficients, DType, Input, InputBlock, Kernels,
    Matrix, OnlineSoftmax, Output, QK, Shape,
};

const USAGE: &str = "usage: kernel NAME ISA N REPEATS";

/// Values from -3.6 to 0.4, most of them negative, as in trained layers.
fn pre_activations(n: usize) -> Vec<f32> {
    (0..n).map(|i| (i * 7919 % 4096) as f32 / 1024.0 - 3.6).collect()
}

const XIELU: Coefficients = Coefficients { alpha_p: 1.29, alpha_n: 0.93, beta: 0.5, eps: 0.0 };

fn activation(name: &str) -> Option<Activation> {
    Some(match name {
        "xielu" => Activation::Xielu(XIELU),
        "xiprelu" => {
            Activation::Xiprelu(Coefficients { alpha_p: 1.2, alpha_n: 0.8, beta: 0.5, eps: 0.0 })
        }
        "relu2" => Activation::Relu2,
        "silu" => Activation::Silu,
        _ => return None,
    })
}

/// A closure that runs the kernel once on `n` values; `None` if there is no such kernel.
fn kernel(name: &str, kernels: Kernels, n: usize) -> Option<Box<dyn FnMut()>> {
    if let Some((dtype, Ok(tokens))) = name.rsplit_once('x').map(|(d, t)| (d, t.parse())) {
        return product(dtype, tokens, kernels, n);
    }
    let x = pre_activations(n);
    let (function, dtype) = name.rsplit_once('-')?;
    match function {
        "attention" => return attention(dtype, kernels, &x),
        "softmax" => return Some(softmax(kernels, x)),
        _ => {}
    }
    if dtype == "backward" {
        return gradient(function, kernels, x);
    }
    if function == "swiglu" {
        return swiglu(dtype, kernels, &x);
    }
    let f = activation(function)?;
    Some(match dtype {
        "f32" => {
            let mut y = x.clone();
            Box::new(move || kernels.activate(&f, &x, &mut y).expect("equal lengths"))
        }
        "bf16" => {
            let x: Vec<bf16> = x.into_iter().map(bf16::from_f32).collect();
            let mut y = x.clone();
            Box::new(move || kernels.activate(&f, &x, &mut y).expect("equal lengths"))
        }
        "f16" => {
            let x: Vec<f16> = x.into_iter().map(f16::from_f32).collect();
            let mut y = x.clone();
            Box::new(move || kernels.activate(&f, &x, &mut y).expect("equal lengths"))
        }
        "q8_0" => {
            let mut y = vec![BlockQ8_0::ZERO; n / QK];
            Box::new(move || kernels.activate_q8_0(&f, &x, &mut y).expect("whole blocks"))
        }
        _ => return None,
    })
}

/// The gradients of a function in f32, the alphas' sums included.
fn gradient(function: &str, kernels: Kernels, x: Vec<f32>) -> Option<Box<dyn FnMut()>> {
    let dy: Vec<f32> = x.iter().rev().copied().collect();
    let (mut dx, mut d_up) = (x.clone(), x.clone());
    if function == "swiglu" {
        return Some(Box::new(move || {
            let to = [&mut dx[..], &mut d_up[..]];
            kernels.swiglu_backward([&x, &dy], &dy, to).expect("equal lengths")
        }));
    }
    let f = activation(function).filter(|f| *f != Activation::Silu)?;
    let tiles = if f.kind().has_alphas() { x.len().div_ceil(AlphaSums::TILE) } else { 0 };
    let mut sums = vec![AlphaSums::default(); tiles];
    Some(Box::new(move || {
        kernels.backward(&f, &x, &dy, &mut dx, &mut sums).expect("equal lengths")
    }))
}

/// `n` weights in 32 rows, times the inputs of some tokens.
fn product(dtype: &str, tokens: usize, kernels: Kernels, n: usize) -> Option<Box<dyn FnMut()>> {
    const ROWS: usize = 32;
    let cols = n / ROWS;
    let dtype = DType::ALL.into_iter().find(|d| d.name().eq_ignore_ascii_case(dtype))?;
    // All zeros: the work does not depend on the values.
    let weights = vec![0; ROWS * dtype.row_bytes(cols)?];
    let x = pre_activations(tokens * cols);
    let mut blocks = vec![InputBlock::ZERO; tokens * InputBlock::per_row(cols)];
    kernels.quantize_input(&x, cols, &mut blocks).expect("whole rows");
    let mut out = vec![0.0; tokens * ROWS];
    Some(Box::new(move || {
        let w = Matrix::new(dtype, Shape { rows: ROWS, cols }, &weights).expect("as many bytes");
        let out = Output::new(&mut out, ROWS).expect("whole tokens");
        let x = if dtype.is_quantized() { Input::Quantized(&blocks) } else { Input::F32(&x) };
        kernels.matmul(&w, x, out).expect("shapes that fit");
    }))
}

/// 128 queries of a head of 128, each of which sees as many positions as `x` has rows.
fn attention(dtype: &str, kernels: Kernels, x: &[f32]) -> Option<Box<dyn FnMut()>> {
    const HEAD: usize = 128;
    const QUERIES: usize = 128;
    let dtype = DType::ALL.into_iter().find(|d| d.name().eq_ignore_ascii_case(dtype))?;
    let shape = Shape { rows: x.len() / HEAD, cols: HEAD };
    // All zeros: the work does not depend on the values.
    let cache = vec![0; shape.rows * dtype.row_bytes(HEAD)?];
    let queries = pre_activations(QUERIES * HEAD);
    let mut out = vec![0.0; QUERIES * HEAD];
    Some(Box::new(move || {
        let cache = Matrix::new(dtype, shape, &cache).expect("as many bytes");
        let attention = Attention {
            keys: cache,
            values: cache,
            queries: &queries,
            query_stride: QUERIES * HEAD,
            visible: shape.rows,
            scale: 0.125,
        };
        let out = Output::new(&mut out, QUERIES * HEAD).expect("one token");
        kernels.attend(&attention, out).expect("shapes that fit");
    }))
}

/// The online softmax of 64 scores at a time.
fn softmax(kernels: Kernels, scores: Vec<f32>) -> Box<dyn FnMut()> {
    let mut weights = scores.clone();
    Box::new(move || {
        weights.copy_from_slice(&scores);
        let mut state = OnlineSoftmax::START;
        for block in weights.chunks_mut(64) {
            kernels.softmax(&mut state, block, 0.125);
        }
        black_box(state);
    })
}

fn swiglu(dtype: &str, kernels: Kernels, gate: &[f32]) -> Option<Box<dyn FnMut()>> {
    if dtype != "f32" {
        return None;
    }
    let gate = gate.to_vec();
    let (up, mut y) = (gate.clone(), gate.clone());
    Some(Box::new(move || kernels.swiglu([&gate, &up], &mut y).expect("equal lengths")))
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [name, isa, n, repeats] = args.as_slice() else { panic!("{USAGE}") };
    let isa = isa.parse().expect("ISA");
    let kernels = Kernels::for_isa(isa).expect("this machine does not run ISA");
    let n = n.parse().expect("N");
    let mut run = kernel(name, kernels, n).expect("no such kernel");
    let repeats = repeats.parse().expect("REPEATS");
    println!("ready");
    for _ in 0..repeats {
        black_box(&mut run)();
    }
}
