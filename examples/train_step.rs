//! The speed of a training step on this machine: one line of tokens a second for each step.
//!
//! `cargo run --release --features train --example train_step -- [ACTIVATION] [THREADS] [STEPS]`
//! trains the preset `tiny` (1.1M parameters, 8 sequences of 256) on random tokens. The first
//! step, which also touches memory for the first time, is not shown.
//! `benches/peers/train_torch.py` runs it beside PyTorch.

use std::time::Instant;

use candle_core::Device;
use xielu::train::presets::Preset;
use xielu::train::{Batch, Batches, TrainConfig, TrainError, Trainer};

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
    let tiny = Preset::find("tiny").ok_or("no preset `tiny`")?;
    let toml = tiny.toml.replacen("[model]", &format!("[model]\nactivation = \"{activation}\""), 1);
    let mut config = TrainConfig::from_toml(&toml)?;
    config.run.threads = threads;
    let batches = Random {
        vocab_size: config.model.vocab_size as u64,
        sequences: config.batch.sequences,
        length: config.model.context_length,
    };
    let mut trainer = Trainer::new(&config, &Device::Cpu)?;
    trainer.train_step(&batches)?;
    for _ in 0..steps {
        let start = Instant::now();
        let report = trainer.train_step(&batches)?;
        println!("{:.1}", report.tokens as f64 / start.elapsed().as_secs_f64());
    }
    Ok(())
}
