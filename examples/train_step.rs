//! The speed of a training step on this machine: one line of tokens a second for each step.
//!
//! `cargo run --release --features train --example train_step -- [ACTIVATION] [THREADS] [STEPS]
//! [PRESET] [DEVICE] [SEQUENCES]` trains a preset (`tiny`: 1.1M parameters, 8 sequences of 256) on
//! random tokens, a step being one batch of that many sequences. The device is `cpu`, or `cuda` in
//! a build with CUDA (docs/TRAINING.md). The first step, which also touches memory for the first
//! time, is not shown. `benches/peers/train_torch.py` runs it beside PyTorch.

use std::time::Instant;

use candle_core::Device;
use xielu::train::config::ACTIVATIONS;
use xielu::train::presets::Preset;
use xielu::train::{Batch, Batches, TrainError, Trainer};

/// Tokens that depend on the step alone.
struct Random {
    vocab_size: u64,
    sequences: usize,
    length: usize,
}

impl Batches for Random {
    fn next(&self, step: u64, micro: u32) -> Result<Batch, TrainError> {
        let mut state = step * 31 + u64::from(micro) + 1;
        let mut ids = || -> Vec<u32> {
            let mut id = || {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                ((state >> 40) % self.vocab_size) as u32
            };
            (0..self.sequences * self.length).map(|_| id()).collect()
        };
        let (inputs, targets) = (ids(), ids());
        Ok(Batch { inputs, targets, sequences: self.sequences, length: self.length })
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let activation = arguments.next().unwrap_or("xielu".into());
    let threads = arguments.next().map_or(Ok(2), |n| n.parse())?;
    let steps = arguments.next().map_or(Ok(4), |n| n.parse::<u32>())?;
    let preset = arguments.next().unwrap_or("tiny".into());
    let device = match arguments.next().as_deref() {
        None | Some("cpu") => Device::Cpu,
        Some("cuda") => Device::new_cuda(0)?,
        Some(other) => return Err(format!("no device `{other}`: cpu or cuda").into()),
    };
    let sequences = arguments.next().map(|n| n.parse()).transpose()?;
    let found = Preset::find(&preset).ok_or_else(|| format!("no preset `{preset}`"))?;
    let mut config = found.config()?;
    let (_, activation) = ACTIVATIONS
        .into_iter()
        .find(|(name, _)| *name == activation)
        .ok_or_else(|| format!("no activation `{activation}`"))?;
    config.model = config.model.with_activation(activation);
    config.batch.sequences = sequences.unwrap_or(config.batch.sequences);
    config.batch.accumulation = 1;
    config.run.threads = threads;
    let batches = Random {
        vocab_size: config.model.vocab_size as u64,
        sequences: config.batch.sequences,
        length: config.model.context_length,
    };
    let mut trainer = Trainer::new(&config, &device)?;
    trainer.train_step(&batches)?;
    for _ in 0..steps {
        let start = Instant::now();
        let report = trainer.train_step(&batches)?;
        println!("{:.1}", report.tokens as f64 / start.elapsed().as_secs_f64());
    }
    Ok(())
}
