//! The learned scalars of every layer.

use std::io::Write;

use anyhow::Context as _;
use xielu::activation::{ActivationKind, Form, Xiprelu};
use xielu::checkpoint::Checkpoint;
use xielu::kernels::{Activation, Kernels};
use xielu::{Config, RawXielu};

use crate::drawing::fixed;

/// One layer's activation: as stored, and as it computes.
pub struct LayerAlphas {
    raw: RawXielu,
    activation: Activation,
    /// Effective, after softplus.
    pub alpha_p: f32,
    /// Effective, after softplus.
    pub alpha_n: f32,
}

/// The activations of all layers.
pub fn read(checkpoint: &dyn Checkpoint<'_>, config: &Config) -> anyhow::Result<Vec<LayerAlphas>> {
    let read = |layer| {
        let raw = checkpoint
            .raw_xielu(layer)
            .with_context(|| format!("the activation of layer {layer} cannot be read"))?;
        let (activation, alpha_p, alpha_n) = match config.hidden_act {
            ActivationKind::Xiprelu => {
                let f = Xiprelu::freeze(&raw);
                (Activation::from(f), f.alpha_p(), f.alpha_n())
            }
            _ => {
                let f = raw.freeze(Form::Ideal);
                (Activation::from(f), f.alpha_p(), f.alpha_n())
            }
        };
        Ok(LayerAlphas { raw, activation, alpha_p, alpha_n })
    };
    (0..config.num_layers).map(read).collect()
}

impl LayerAlphas {
    /// As stored, before softplus.
    pub const fn raw(&self) -> &RawXielu {
        &self.raw
    }

    /// `f` at every `x`.
    pub fn apply(&self, x: &mut [f32]) {
        Kernels::scalar().activate_in_place(&self.activation, x);
    }

    /// `f(x)`.
    pub fn at(&self, x: f32) -> f32 {
        let mut y = [x];
        self.apply(&mut y);
        y[0]
    }
}

/// A row for every layer.
pub fn print_table(out: &mut impl Write, layers: &[LayerAlphas]) -> anyhow::Result<()> {
    writeln!(
        out,
        "  {:>5} {:>12} {:>12} {:>10} {:>10} {:>6} {:>9}",
        "layer", "stored p", "stored n", "alpha_p", "alpha_n", "beta", "eps"
    )?;
    for (i, layer) in layers.iter().enumerate() {
        let LayerAlphas { raw, alpha_p, alpha_n, .. } = layer;
        writeln!(
            out,
            "  {i:>5} {:>12} {:>12} {:>10} {:>10} {:>6} {:>9e}",
            fixed(raw.alpha_p, 6),
            fixed(raw.alpha_n, 6),
            fixed(*alpha_p, 4),
            fixed(*alpha_n, 4),
            raw.beta,
            raw.eps
        )?;
    }
    Ok(())
}
