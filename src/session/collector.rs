//! Sums of the squares of activations, collected while a decoder reads a text.

use std::collections::BTreeMap;
use std::string::ToString as _;
use std::vec;
use std::vec::Vec;

use crate::checkpoint::{LayerRole, Role};
use crate::imatrix::{Entry, ImportanceMatrix};
use crate::llama::{Decoder, Observed};
use crate::mlp::MlpSizes;
use crate::{Error, NonFinite};

/// Activations of one product that were left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// The matrix that they are multiplied with.
    pub role: Role,
    /// Tokens with a value that is NaN, infinite, or has a square beyond f32.
    pub tokens: u64,
}

/// Adds up the squares of what a model's matrices are multiplied with.
#[derive(Clone, Debug, Default)]
pub struct Collector {
    sums: BTreeMap<Role, Sums>,
    failed: Vec<(NonFinite, u64)>,
}

#[derive(Clone, Debug, Default)]
struct Sums {
    squares: Vec<f64>,
    tokens: u64,
    left_out: u64,
}

/// The matrices that what is observed is multiplied with.
const fn roles(observed: Observed) -> &'static [LayerRole] {
    match observed {
        Observed::AttentionInput => &[LayerRole::AttnQ, LayerRole::AttnK, LayerRole::AttnV],
        Observed::AttentionOutput => &[LayerRole::AttnOutput],
        Observed::MlpInput => &[LayerRole::FfnUp, LayerRole::FfnGate],
    }
}

impl Collector {
    /// Decodes `tokens` (at most the decoder's batch) and adds up what it sees. Where a layer gives
    /// values that are no numbers, the decoder stops: that is counted ([`Collector::failed`]), and
    /// `false` the answer. Tokens whose activations are no numbers are left out of the sums, and
    /// counted too ([`Collector::left_out`]).
    ///
    /// # Errors
    /// Those of [`Decoder::batch`], [`Error::NonFinite`] apart.
    pub fn batch(
        &mut self,
        decoder: &mut Decoder<'_, '_, '_>,
        tokens: &[u32],
    ) -> Result<bool, Error> {
        let (model, backend) = (decoder.model(), decoder.backend());
        let (mut hidden, mut scratch) = (Vec::new(), Vec::new());
        let mut failed = Ok(());
        let decoded = decoder.batch_observed(tokens, |layer, observed, x| {
            let gated = model.config().hidden_act.is_gated();
            for &role in roles(observed).iter().filter(|role| gated || **role != LayerRole::FfnGate)
            {
                self.add(Role::Layer(layer, role), x, tokens.len());
            }
            let (Observed::MlpInput, Some(layer_weights)) = (observed, model.layers().get(layer))
            else {
                return;
            };
            // The decoder never holds the hidden vector as f32: it is computed once more.
            let mlp = layer_weights.mlp();
            let (hidden_size, tile) = (mlp.hidden_size(), 0);
            scratch.resize(MlpSizes { hidden_size, tile, tokens: tokens.len() }.scratch_len(), 0.0);
            hidden.resize(tokens.len() * mlp.intermediate_size(), 0.0);
            match mlp.hidden(&backend, x, &mut hidden, &mut scratch) {
                Ok(()) => self.add(Role::Layer(layer, LayerRole::FfnDown), &hidden, tokens.len()),
                Err(e) => failed = Err(e),
            }
        });
        failed?;
        match decoded {
            Ok(()) => Ok(true),
            Err(Error::NonFinite(place)) => {
                match self.failed.iter_mut().find(|(known, _)| *known == place) {
                    Some((_, times)) => *times += 1,
                    None => self.failed.push((place, 1)),
                }
                Ok(false)
            }
            Err(e) => Err(e),
        }
    }

    fn add(&mut self, role: Role, x: &[f32], tokens: usize) {
        let width = x.len().checked_div(tokens).unwrap_or(0).max(1);
        let sums = self.sums.entry(role).or_default();
        sums.squares.resize(width, 0.0);
        for x in x.chunks_exact(width) {
            if x.iter().all(|x| (x * x).is_finite()) {
                sums.tokens += 1;
                for (sum, &x) in sums.squares.iter_mut().zip(x) {
                    *sum += f64::from(x) * f64::from(x);
                }
            } else {
                sums.left_out += 1;
            }
        }
    }

    /// The products some of whose activations were left out.
    pub fn left_out(&self) -> impl Iterator<Item = LeftOut> {
        let left_out = self.sums.iter().filter(|(_, sums)| sums.left_out > 0);
        left_out.map(|(&role, sums)| LeftOut { role, tokens: sums.left_out })
    }

    /// Where the decoder stopped, and how many batches did.
    pub fn failed(&self) -> &[(NonFinite, u64)] {
        &self.failed
    }

    /// What was collected, of `chunks` chunks of `chunk_size` tokens of the text `dataset`. Matrices
    /// that were multiplied with nothing have no entry.
    pub fn matrix(&self, dataset: &str, chunks: u32, chunk_size: u32) -> ImportanceMatrix {
        let mut matrix = ImportanceMatrix::default();
        matrix.datasets = vec![dataset.to_string()];
        (matrix.chunks, matrix.chunk_size) = (chunks, chunk_size);
        for (role, sums) in self.sums.iter().filter(|(_, sums)| sums.tokens > 0) {
            let counts = vec![sums.tokens as f32];
            let sums = sums.squares.iter().map(|&sum| (sum as f32).min(f32::MAX)).collect();
            matrix.insert(role.to_string(), Entry { sums, counts });
        }
        matrix
    }
}
