//! Training steps of the bundled model's shape with each activation, in tokens per second.
//!
//! `cargo bench --bench train --features train -- xielu/2` measures one activation with two
//! threads.

use std::hint::black_box;

use candle_core::Device;
use criterion::{Criterion, Throughput};
use xielu::activation::ActivationKind;
use xielu::train::{Batch, Batches, TrainConfig, TrainError, Trainer};

/// Any tokens: the time does not depend on them.
struct Tokens {
    sequences: usize,
    length: usize,
    vocab_size: usize,
}

impl Batches for Tokens {
    fn next(&self, step: u64, micro: u32) -> Result<Batch, TrainError> {
        let &Tokens { sequences, length, vocab_size } = self;
        let first = step as usize * 31 + micro as usize;
        let id = |i: usize| ((first + i * i) % vocab_size) as u32;
        let tokens = sequences * length;
        Ok(Batch {
            inputs: (0..tokens).map(id).collect(),
            targets: (1..=tokens).map(id).collect(),
            sequences,
            length,
        })
    }
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args().without_plots();
    let mut group = criterion.benchmark_group("train");
    group.sample_size(10);
    let tiny = TrainConfig::from_toml(include_str!("../src/train/presets/tiny.toml"));
    let tiny = tiny.expect("a preset is valid");
    let tokens = Tokens {
        sequences: tiny.batch.sequences,
        length: tiny.sequence_length(),
        vocab_size: tiny.model.vocab_size,
    };
    group.throughput(Throughput::Elements(tiny.tokens_per_step() as u64));
    for (name, activation) in [
        ("xielu", ActivationKind::Xielu),
        ("xiprelu", ActivationKind::Xiprelu),
        ("relu2", ActivationKind::Relu2),
        ("swiglu", ActivationKind::Swiglu),
    ] {
        for threads in [1, 2] {
            let mut config = tiny.clone();
            config.model = tiny.model.with_activation(activation);
            config.run.threads = threads;
            let mut trainer = Trainer::new(&config, &Device::Cpu).expect("a preset is valid");
            group.bench_function(format!("{name}/{threads}"), |b| {
                b.iter(|| black_box(trainer.train_step(&tokens).expect("a step")))
            });
        }
    }
    group.finish();
}
