//! What a type does to the output of each layer's MLP.

use anyhow::{Context as _, bail};
use rayon::prelude::*;
use xielu::checkpoint::{Checkpoint, LayerRole, Role, Tensor};
use xielu::kernels::{Activation, Blocks, DType, Matrix, Shape, ShapeError};
use xielu::llama::{Decoder, Observed};
use xielu::quant::{ErrorStats, encode_row, encode_row_weighted};
use xielu::{Backend, Config, Mlp};

use super::types::Candidate;
use crate::interrupt;

/// The inputs of every layer's MLP for `tokens`, `[layer][tokens * hidden]`.
pub fn inputs(
    decoder: &mut Decoder<'_, '_, '_>,
    config: &Config,
    tokens: &[u32],
) -> anyhow::Result<Vec<Vec<f32>>> {
    let mut inputs = vec![Vec::new(); config.num_layers];
    decoder.rewind(0);
    for batch in tokens.chunks(tokens.len().div_ceil(2)) {
        decoder.batch_observed(batch, |layer, observed, x| {
            if let (Observed::MlpInput, Some(inputs)) = (observed, inputs.get_mut(layer)) {
                inputs.extend_from_slice(x);
            }
        })?;
    }
    Ok(inputs)
}

/// Which of a layer's matrices get the type at hand.
#[derive(Clone, Copy)]
enum Part {
    Up,
    Down,
    Both,
}

const PARTS: [(&str, Part); 3] = [("up", Part::Up), ("down", Part::Down), ("both", Part::Both)];

/// Errors by candidate and part; `None` where rows are no whole blocks.
type Errors = Vec<[Option<ErrorStats>; PARTS.len()]>;

/// Prints the relative error of every layer's output for every type, on `inputs`.
pub fn print(
    backend: &Backend<'_>,
    checkpoint: &dyn Checkpoint<'_>,
    config: &Config,
    inputs: &[Vec<f32>],
    candidates: &[Candidate<'_>],
) -> anyhow::Result<()> {
    say!("MLP output: error relative to the source weights' output, %");
    let heads: String = candidates.iter().map(|c| format!(" {:>8}", c.name())).collect();
    say!("{:<7} {:<5}{heads}", "layer", "part");
    let mut all = vec![[Some(ErrorStats::default()); PARTS.len()]; candidates.len()];
    for (layer, x) in inputs.iter().enumerate() {
        interrupt::check()?;
        let errors = layer_errors(backend, checkpoint, config, (layer, x), candidates)?;
        print_rows(&layer.to_string(), &errors)?;
        for (all, error) in all.iter_mut().flatten().zip(errors.iter().flatten()) {
            match (all.as_mut(), error) {
                (Some(all), Some(error)) => all.merge(error),
                _ => *all = None,
            }
        }
    }
    print_rows("all", &all)
}

fn print_rows(layer: &str, errors: &Errors) -> anyhow::Result<()> {
    for (i, (part, _)) in PARTS.iter().enumerate() {
        let number = |errors: &[Option<ErrorStats>; PARTS.len()]| match errors.get(i) {
            Some(Some(error)) => format!(" {:>8.3}", 100.0 * error.relative_rms()),
            _ => format!(" {:>8}", "-"),
        };
        say!("{layer:<7} {part:<5}{}", errors.iter().map(number).collect::<String>());
    }
    Ok(())
}

fn layer_errors(
    backend: &Backend<'_>,
    checkpoint: &dyn Checkpoint<'_>,
    config: &Config,
    (layer, x): (usize, &[f32]),
    candidates: &[Candidate<'_>],
) -> anyhow::Result<Errors> {
    let source = Mlp::load(checkpoint, config, layer)?;
    let activation = source.activation();
    let find = |role| {
        let role = Role::Layer(layer, role);
        checkpoint.tensor(role)?.with_context(|| format!("there is no tensor {role}"))
    };
    let (up, down) = (find(LayerRole::FfnUp)?, find(LayerRole::FfnDown)?);
    let gate = activation.is_none().then(|| find(LayerRole::FfnGate)).transpose()?;
    let kept = Weights {
        up: whole(&up)?,
        down: whole(&down)?,
        gate: gate.as_ref().map(whole).transpose()?,
        activation,
    };
    let truth = output(backend, &source, x)?;
    let mut all = Vec::new();
    for candidate in candidates {
        let encoded = |source, role| Encoded::new(source, candidate, Role::Layer(layer, role));
        let new_up = encoded(&up, LayerRole::FfnUp)?;
        let new_down = encoded(&down, LayerRole::FfnDown)?;
        let new_gate = gate.as_ref().map(|gate| encoded(gate, LayerRole::FfnGate)).transpose()?;
        let new_gate = new_gate.flatten();
        let mut errors = [None; PARTS.len()];
        for (slot, (_, part)) in errors.iter_mut().zip(PARTS) {
            let mut weights = kept;
            if !matches!(part, Part::Down) {
                let Some(up) = &new_up else { continue };
                weights.up = up.matrix()?;
                weights.gate = new_gate.as_ref().map(Encoded::matrix).transpose()?;
            }
            if !matches!(part, Part::Up) {
                let Some(down) = &new_down else { continue };
                weights.down = down.matrix()?;
            }
            let mut stats = ErrorStats::default();
            stats.add(&truth, &output(backend, &weights.mlp()?, x)?);
            *slot = Some(stats);
        }
        all.push(errors);
    }
    Ok(all)
}

/// The matrices of one MLP.
#[derive(Clone, Copy)]
struct Weights<'w> {
    up: Matrix<'w>,
    down: Matrix<'w>,
    gate: Option<Matrix<'w>>,
    activation: Option<Activation>,
}

impl<'w> Weights<'w> {
    fn mlp(self) -> anyhow::Result<Mlp<'w>> {
        match (self.activation, self.gate) {
            (Some(activation), _) => Ok(Mlp::new(self.up, self.down, activation)?),
            (None, Some(gate)) => Ok(Mlp::gated(gate, self.up, self.down)?),
            (None, None) => bail!("a gated MLP without a gate"),
        }
    }
}

fn whole<'w>(t: &Tensor<'w>) -> Result<Matrix<'w>, ShapeError> {
    Matrix::new(t.dtype, Shape { rows: t.rows, cols: t.cols }, t.data)
}

fn output(backend: &Backend<'_>, mlp: &Mlp<'_>, x: &[f32]) -> anyhow::Result<Vec<f32>> {
    let tokens = x.len() / mlp.hidden_size();
    let mut scratch = vec![0.0; mlp.scratch_len(mlp.intermediate_size(), tokens)];
    let mut out = vec![0.0; x.len()];
    mlp.forward(backend, x, &mut out, &mut scratch)?;
    Ok(out)
}

/// A matrix in another type.
struct Encoded {
    dtype: DType,
    rows: usize,
    cols: usize,
    data: Vec<u8>,
}

impl Encoded {
    /// `None` if the rows are no whole blocks.
    fn new(
        source: &Tensor<'_>,
        candidate: &Candidate<'_>,
        role: Role,
    ) -> anyhow::Result<Option<Encoded>> {
        let (Tensor { rows, cols, .. }, dtype) = (*source, candidate.dtype);
        let weights = candidate.matrix.and_then(|matrix| matrix.weights(&role.to_string()));
        let (Some(row_in), Some(row_out)) = (source.dtype.row_bytes(cols), dtype.row_bytes(cols))
        else {
            return Ok(None);
        };
        let mut data = vec![0; rows * row_out];
        let pairs = source.data.par_chunks_exact(row_in).zip(data.par_chunks_exact_mut(row_out));
        pairs.try_for_each_init(
            || vec![0.0; cols],
            |values, (stored, out)| {
                let blocks = Blocks::new(source.dtype, stored).context("partial block")?;
                blocks.dequantize(values);
                let encoded = match &weights {
                    Some(weights) => encode_row_weighted(dtype, values, weights, out),
                    None => encode_row(dtype, values, out),
                };
                encoded.with_context(|| format!("tensor {role}"))
            },
        )?;
        Ok(Some(Encoded { dtype, rows, cols, data }))
    }

    fn matrix(&self) -> Result<Matrix<'_>, ShapeError> {
        Matrix::new(self.dtype, Shape { rows: self.rows, cols: self.cols }, &self.data)
    }
}
