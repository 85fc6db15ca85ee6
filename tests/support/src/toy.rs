//! Small models with random weights, held in memory, and an f64 decoder written from the
//! formulas alone: loops over plain vectors, no kernels, no blocks, no cache.

use xielu::activation::ActivationKind;
use xielu::checkpoint::{Checkpoint, LayerRole, Role, Tensor};
use xielu::config::{Rope, RopeScaling, RopeStyle};
use xielu::kernels::{Blocks, DType, InputBlock, Kernels};
use xielu::llama::Decoder;
use xielu::quant::EncodeError;
use xielu::{Config, Error, RawXielu};

use crate::noise::Noise;

/// A text of a vocabulary of 40.
pub const TOKENS: [u32; 12] = [3, 14, 15, 9, 26, 5, 35, 8, 9, 7, 39, 0];

/// The logits of a vocabulary of 40 after each of `TOKENS`, decoded in batches.
pub fn logits(d: &mut Decoder, batch: usize) -> Vec<f32> {
    let mut all = Vec::new();
    for tokens in TOKENS.chunks(batch) {
        let mut logits = vec![0.0; tokens.len() * 40];
        d.batch(tokens).unwrap();
        d.logits(&mut logits).unwrap();
        all.extend(logits);
    }
    all
}

/// `values` stored as `dtype`, and what they became: others of the same magnitude if nothing encodes
/// that type.
pub fn store(dtype: DType, values: &[f32]) -> (Vec<u8>, Vec<f32>) {
    let mut bytes = vec![0; dtype.row_bytes(values.len()).unwrap()];
    match xielu::quant::encode_row(dtype, values, &mut bytes) {
        Err(EncodeError::NoEncoder { .. }) => {
            let largest = values.iter().fold(0.0f32, |m, v| m.max(v.abs()));
            let pool = blocks(dtype, largest);
            let places = bytes.chunks_exact_mut(dtype.block_bytes());
            places.zip(pool.iter().cycle()).for_each(|(place, block)| place.copy_from_slice(block));
        }
        result => result.unwrap(),
    }
    let mut stored = vec![0.0; values.len()];
    assert!(Blocks::new(dtype, &bytes).unwrap().dequantize(&mut stored));
    (bytes, stored)
}

/// Some blocks of random bytes, whose largest value is between `largest / 4` and `largest`.
fn blocks(dtype: DType, largest: f32) -> Vec<Vec<u8>> {
    let mut noise = Noise::from_state(0x51ed_270b_8f1c_3a95);
    let mut values = vec![0.0; dtype.block_len()];
    let mut block = || {
        loop {
            let bytes = noise.vec(dtype.block_bytes(), 128.0);
            let mut bytes: Vec<u8> = bytes.iter().map(|&x| x as i8 as u8).collect();
            if dtype == DType::NVFP4 {
                // Four scales of a block that must all be small.
                bytes.iter_mut().take(4).for_each(|scale| *scale %= 16);
            }
            assert!(Blocks::new(dtype, &bytes).unwrap().dequantize(&mut values));
            let finite = values.iter().all(|v| v.is_finite());
            let found = values.iter().fold(0.0f32, |m, v| m.max(v.abs()));
            if finite && (largest / 4.0..largest).contains(&found) {
                return bytes;
            }
        }
    };
    (0..29).map(|_| block()).collect()
}

struct Stored {
    role: Role,
    dtype: DType,
    rows: usize,
    cols: usize,
    bytes: Vec<u8>,
    values: Vec<f32>,
}

/// A checkpoint with random weights.
pub struct Toy {
    /// Its shape.
    pub config: Config,
    tensors: Vec<Stored>,
}

/// Stored scalars of every layer.
pub const ALPHAS: RawXielu = RawXielu { alpha_p: 0.3, alpha_n: -0.7, beta: 0.5, eps: -1e-6 };

/// A vocabulary of 40, a hidden size of 64, two layers.
pub fn config(hidden_act: ActivationKind, style: RopeStyle, qk_norm: bool, tied: bool) -> Config {
    Config {
        vocab_size: 40,
        output_vocab_size: 40,
        hidden_size: 64,
        intermediate_size: 96,
        num_layers: 2,
        num_heads: 6,
        num_kv_heads: 2,
        head_dim: 16,
        context_length: 128,
        rms_norm_eps: 1e-5,
        rope: Rope { theta: 1e4, style, scaling: RopeScaling::None },
        hidden_act,
        qk_norm,
        tie_word_embeddings: tied,
    }
}

impl Toy {
    /// Random weights of `dtype`; norms are F32 and near 1.
    pub fn new(config: Config, dtype: DType) -> Toy {
        Toy::with_types(config, |_| dtype)
    }

    /// As [`Toy::new`], of a type for each matrix.
    pub fn with_types(config: Config, mut types: impl FnMut(Role) -> DType) -> Toy {
        let mut noise = Noise::from_state(0x1234_5678_9abc_def1);
        let tensors = Role::all(&config)
            .map(|role| {
                let (rows, cols) = role.shape(&config);
                let norm = rows == 1;
                let scale = if norm { 0.5 } else { 2.0 / (cols as f32).sqrt() };
                let mut values = noise.vec(rows * cols, scale);
                if norm {
                    values.iter_mut().for_each(|v| *v += 1.0);
                }
                let dtype = if norm { DType::F32 } else { types(role) };
                let (bytes, values) = store(dtype, &values);
                Stored { role, dtype, rows, cols, bytes, values }
            })
            .collect();
        Toy { config, tensors }
    }

    fn find(&self, role: Role) -> Option<&Stored> {
        self.tensors.iter().find(|t| t.role == role)
    }

    /// Overwrites the bytes of a tensor from `at` on, as damage does.
    pub fn overwrite(&mut self, role: Role, at: usize, bytes: &[u8]) {
        let tensor = self.tensors.iter_mut().find(|t| t.role == role).unwrap();
        tensor.bytes[at..at + bytes.len()].copy_from_slice(bytes);
    }

    /// The stored values of a tensor.
    pub fn values(&self, role: Role) -> &[f32] {
        &self.find(role).unwrap().values
    }

    fn layer(&self, layer: usize, role: LayerRole) -> &[f32] {
        self.values(Role::Layer(layer, role))
    }
}

impl<'w> Checkpoint<'w> for &'w Toy {
    fn config(&self) -> Result<Config, Error> {
        Ok(self.config)
    }

    fn tensor(&self, role: Role) -> Result<Option<Tensor<'w>>, Error> {
        Ok(self.find(role).map(|t| Tensor {
            dtype: t.dtype,
            rows: t.rows,
            cols: t.cols,
            data: &t.bytes,
        }))
    }

    fn raw_xielu(&self, _layer: usize) -> Result<RawXielu, Error> {
        Ok(ALPHAS)
    }
}

/// `w * x`, `w` row by row.
pub fn matvec(w: &[f32], x: &[f64]) -> Vec<f64> {
    w.chunks(x.len()).map(|w| w.iter().zip(x).map(|(&w, x)| f64::from(w) * x).sum()).collect()
}

/// What a quantized layer sees of its input.
pub fn requantize(x: &[f64]) -> Vec<f64> {
    let x: Vec<f32> = x.iter().map(|&v| v as f32).collect();
    let mut blocks = vec![InputBlock::ZERO; InputBlock::per_row(x.len())];
    Kernels::scalar().quantize_input(&x, x.len(), &mut blocks).unwrap();
    let values = blocks.iter().flat_map(InputBlock::dequantize);
    values.take(x.len()).map(f64::from).collect()
}

fn norm(x: &[f64], w: &[f32], eps: f32) -> Vec<f64> {
    let mean = x.iter().map(|v| v * v).sum::<f64>() / x.len() as f64;
    let scale = 1.0 / (mean + f64::from(eps)).sqrt();
    x.iter().zip(w).map(|(x, &w)| x * scale * f64::from(w)).collect()
}

fn softplus(r: f32) -> f64 {
    f64::from(r).exp().ln_1p()
}

/// The activation of the hidden vector, from the definitions.
pub fn activate(act: ActivationKind, up: &[f64], gate: &[f64]) -> Vec<f64> {
    let ap = softplus(ALPHAS.alpha_p);
    let sn = softplus(ALPHAS.alpha_n);
    let f = |i: usize, x: f64| match act {
        ActivationKind::Xielu if x > 0.0 => ap * x * x + 0.5 * x,
        ActivationKind::Xielu => (0.5 + sn) * (x.exp_m1() - x) + 0.5 * x,
        ActivationKind::Xiprelu => (if x > 0.0 { ap } else { sn }) * x * x + 0.5 * x,
        ActivationKind::Relu2 => x.max(0.0).powi(2),
        ActivationKind::Swiglu => gate[i] / (1.0 + (-gate[i]).exp()) * x,
        other => panic!("{other:?}"),
    };
    up.iter().enumerate().map(|(i, &x)| f(i, x)).collect()
}

fn rotate(x: &mut [f64], config: &Config, position: usize) {
    let dim = config.head_dim;
    for head in x.chunks_mut(dim) {
        for i in 0..dim / 2 {
            let frequency = f64::from(config.rope.theta).powf(-2.0 * i as f64 / dim as f64);
            let (sin, cos) = (position as f64 * frequency).sin_cos();
            let (a, b) = match config.rope.style {
                RopeStyle::Neox => (i, i + dim / 2),
                RopeStyle::Interleaved => (2 * i, 2 * i + 1),
            };
            (head[a], head[b]) = (head[a] * cos - head[b] * sin, head[b] * cos + head[a] * sin);
        }
    }
}

/// The logits after each token, in f64.
pub fn reference_logits(toy: &Toy, tokens: &[u32]) -> Vec<Vec<f64>> {
    let c = &toy.config;
    let embd = toy.values(Role::TokenEmbd);
    let row = |&t: &u32| &embd[t as usize * c.hidden_size..][..c.hidden_size];
    let mut xs: Vec<Vec<f64>> =
        tokens.iter().map(|t| row(t).iter().map(|&v| f64::from(v)).collect()).collect();
    for layer in 0..c.num_layers {
        attention(toy, layer, &mut xs);
        for x in &mut xs {
            let h = norm(x, toy.layer(layer, LayerRole::FfnNorm), c.rms_norm_eps);
            let up = matvec(toy.layer(layer, LayerRole::FfnUp), &h);
            let gate = match c.hidden_act.is_gated() {
                true => matvec(toy.layer(layer, LayerRole::FfnGate), &h),
                false => Vec::new(),
            };
            let hidden = activate(c.hidden_act, &up, &gate);
            let down = matvec(toy.layer(layer, LayerRole::FfnDown), &hidden);
            x.iter_mut().zip(down).for_each(|(x, d)| *x += d);
        }
    }
    let head = if c.tie_word_embeddings { Role::TokenEmbd } else { Role::Output };
    xs.iter()
        .map(|x| matvec(toy.values(head), &norm(x, toy.values(Role::OutputNorm), c.rms_norm_eps)))
        .collect()
}

fn attention(toy: &Toy, layer: usize, xs: &mut [Vec<f64>]) {
    let c = &toy.config;
    let (mut keys, mut values): (Vec<Vec<f64>>, Vec<Vec<f64>>) = Default::default();
    for (position, x) in xs.iter_mut().enumerate() {
        let h = norm(x, toy.layer(layer, LayerRole::AttnNorm), c.rms_norm_eps);
        let mut q = matvec(toy.layer(layer, LayerRole::AttnQ), &h);
        let mut k = matvec(toy.layer(layer, LayerRole::AttnK), &h);
        if c.qk_norm {
            let each = |x: &[f64], w: &[f32]| -> Vec<f64> {
                x.chunks(c.head_dim).flat_map(|head| norm(head, w, c.rms_norm_eps)).collect()
            };
            q = each(&q, toy.layer(layer, LayerRole::AttnQNorm));
            k = each(&k, toy.layer(layer, LayerRole::AttnKNorm));
        }
        rotate(&mut q, c, position);
        rotate(&mut k, c, position);
        keys.push(k);
        values.push(matvec(toy.layer(layer, LayerRole::AttnV), &h));
        let mut out = Vec::new();
        for (head, q) in q.chunks(c.head_dim).enumerate() {
            let start = head / (c.num_heads / c.num_kv_heads) * c.head_dim;
            out.extend(attend(q, &keys, &values, start));
        }
        let o = matvec(toy.layer(layer, LayerRole::AttnOutput), &out);
        x.iter_mut().zip(o).for_each(|(x, o)| *x += o);
    }
}

fn attend(q: &[f64], keys: &[Vec<f64>], values: &[Vec<f64>], start: usize) -> Vec<f64> {
    let dim = q.len();
    let score = |k: &Vec<f64>| -> f64 {
        let dot: f64 = q.iter().zip(&k[start..]).map(|(q, k)| q * k).sum();
        (dot / (dim as f64).sqrt()).exp()
    };
    let weights: Vec<f64> = keys.iter().map(score).collect();
    let sum: f64 = weights.iter().sum();
    (0..dim)
        .map(|i| weights.iter().zip(values).map(|(w, v)| w * v[start + i]).sum::<f64>() / sum)
        .collect()
}
