//! MLP layers with random weights, as many as do not fit a cache together.

use std::hint::black_box;

use rayon::prelude::*;
use xielu::activation::{Activation, ActivationKind, Form};
use xielu::kernels::{DType, Kernels, Matrix, Shape};
use xielu::{Backend, Mlp, RawXielu, Rayon, Xielu};
use xielu_testing::noise::Noise;

/// Width of the Apertus-8B MLP's input.
pub const HIDDEN: usize = 4096;
/// Width of its hidden vector; divisible by three.
const FFN: usize = 21504;
/// Random rows of a matrix; the others repeat them in random order.
const DISTINCT: usize = 64;

/// The activations that are compared, and what the benches call them: Apertus's, the one of two
/// matrices that costs least, and three matrices, each 2/3 as wide: the same number of parameters.
pub const FORMS: [(&str, ActivationKind); 3] = [
    ("xielu", ActivationKind::Xielu),
    ("relu2", ActivationKind::Relu2),
    ("swiglu", ActivationKind::Swiglu),
];

/// Width of the hidden vector.
pub const fn ffn(act: ActivationKind) -> usize {
    if act.is_gated() { FFN / 3 * 2 } else { FFN }
}

/// Bytes of a layer's weights, which all forms share.
pub fn bytes(dtype: DType) -> f64 {
    (2 * HIDDEN * FFN / dtype.block_len() * dtype.block_bytes()) as f64
}

/// Multiplications and additions of a layer, which all forms share.
pub fn operations(tokens: usize) -> f64 {
    4.0 * (HIDDEN * FFN * tokens) as f64
}

/// xIELU with alphas as trained models have them.
pub fn xielu() -> Xielu {
    RawXielu { alpha_p: 0.97, alpha_n: -0.62, beta: 0.5, eps: -1e-6 }.freeze(Form::Ideal)
}

/// xIELU alone on one hidden vector for each token, from the cache as in the layer, on the threads
/// of the current rayon pool. `x` and `y` are one vector.
pub fn activate(kernels: Kernels, tokens: usize, x: &[f32], y: &mut [f32]) {
    let part = x.len().div_ceil(rayon::current_num_threads());
    let f = xielu().into();
    x.par_chunks(part).zip(y.par_chunks_mut(part)).for_each(|(x, y)| {
        for _ in 0..tokens {
            kernels.activate(&f, black_box(x), y).expect("equal lengths");
        }
    });
}

/// Layers of one form and type.
pub struct Layers {
    /// The activation.
    pub act: ActivationKind,
    /// The weights' type.
    pub dtype: DType,
    /// Every copy's up, down and, if gated, gate.
    pub copies: Vec<Vec<Vec<u8>>>,
}

impl Layers {
    /// At least `bytes` of weights. `None` if the library cannot encode `dtype`.
    pub fn new(act: ActivationKind, dtype: DType, bytes: usize) -> Option<Self> {
        let ffn = ffn(act);
        let mut layer = vec![encoded(dtype, ffn, HIDDEN, 1)?, encoded(dtype, HIDDEN, ffn, 2)?];
        if act.is_gated() {
            layer.push(encoded(dtype, ffn, HIDDEN, 3)?);
        }
        let layer_bytes: usize = layer.iter().map(Vec::len).sum();
        let copies = vec![layer; bytes.div_ceil(layer_bytes).max(1)];
        Some(Layers { act, dtype, copies })
    }

    /// Every copy as a layer.
    pub fn all(&self) -> Vec<Mlp<'_>> {
        self.copies.iter().map(|copy| self.mlp(copy)).collect()
    }

    fn mlp<'a>(&self, copy: &'a [Vec<u8>]) -> Mlp<'a> {
        let ffn = ffn(self.act);
        let matrix = |i: usize, rows, cols| {
            Matrix::new(self.dtype, Shape { rows, cols }, &copy[i]).expect("encoded in this shape")
        };
        let (up, down) = (matrix(0, ffn, HIDDEN), matrix(1, HIDDEN, ffn));
        match self.act {
            ActivationKind::Xielu => Mlp::new(up, down, xielu()),
            ActivationKind::Relu2 => Mlp::new(up, down, Activation::Relu2),
            _ => Mlp::gated(matrix(2, ffn, HIDDEN), up, down),
        }
        .expect("the shapes fit together")
    }
}

/// A layer's inputs, outputs and working memory.
pub struct Run<'a> {
    layers: Vec<Mlp<'a>>,
    backend: Backend<'static>,
    turn: usize,
    x: Vec<f32>,
    out: Vec<f32>,
    scratch: Vec<f32>,
}

impl<'a> Run<'a> {
    /// For `x` of whole tokens, on the threads of the current rayon pool.
    pub fn new(layers: Vec<Mlp<'a>>, kernels: Kernels, x: Vec<f32>) -> Self {
        let tokens = x.len() / HIDDEN;
        let scratch = layers[0].scratch_len(usize::MAX, tokens);
        Run {
            layers,
            backend: Backend::new(kernels, &Rayon),
            turn: 0,
            out: vec![0.0; x.len()],
            x,
            scratch: vec![0.0; scratch],
        }
    }

    /// The output of the next layer in turn.
    pub fn forward(&mut self) -> &[f32] {
        let mlp = &self.layers[self.turn % self.layers.len()];
        self.turn += 1;
        mlp.forward(&self.backend, &self.x, &mut self.out, &mut self.scratch)
            .expect("the lengths are those asked for");
        &self.out
    }
}

fn encoded(dtype: DType, rows: usize, cols: usize, seed: u64) -> Option<Vec<u8>> {
    let row_bytes = dtype.row_bytes(cols)?;
    let mut noise = Noise::new(seed);
    let mut rows_encoded = vec![0; DISTINCT * row_bytes];
    for row in rows_encoded.chunks_exact_mut(row_bytes) {
        let values: Vec<f32> = noise.normal(cols).iter().map(|v| 0.02 * v).collect();
        xielu::quant::encode_row(dtype, &values, row).ok()?;
    }
    let mut all = Vec::with_capacity(rows * row_bytes);
    for _ in 0..rows {
        let from = (noise.bits() >> 32) as usize % DISTINCT * row_bytes;
        all.extend_from_slice(&rows_encoded[from..from + row_bytes]);
    }
    Some(all)
}
