//! Training on a CUDA device beside the CPU. Only in builds with CUDA (docs/TRAINING.md).

use candle_core::{DType, Device, Tensor};
use xielu::activation::ActivationKind;
use xielu::train::presets::Preset;
use xielu::train::{Batch, Batches, Model, TrainConfig, TrainError, Trainer};
use xielu_testing::require;

/// The first device, or the test is skipped.
#[track_caller]
fn device() -> Option<Device> {
    Device::new_cuda(0).inspect_err(|error| require::skip("cuda", &error.to_string())).ok()
}

fn config(activation: ActivationKind) -> TrainConfig {
    let mut config = Preset::find("tiny").unwrap().config().unwrap();
    config.model = config.model.with_activation(activation);
    config.batch.sequences = 2;
    config.batch.accumulation = 2;
    config.schedule.warmup_steps = 0;
    config.schedule.total_steps = 30;
    config
}

/// The same two batches at every step: what a model can learn by heart.
struct Same;

impl Batches for Same {
    fn next(&self, _: u64, micro: u32) -> Result<Batch, TrainError> {
        let (sequences, length) = (2, 64);
        let id = |i: u32| (i * i * 7 + i * 31 + micro * 5) % 1024;
        let inputs = (0..128).map(id).collect();
        let targets = (1..129).map(id).collect();
        Ok(Batch { inputs, targets, sequences, length })
    }
}

fn values(t: &Tensor) -> Vec<f64> {
    let here = t.to_device(&Device::Cpu).unwrap().to_dtype(DType::F64).unwrap();
    here.flatten_all().unwrap().to_vec1().unwrap()
}

const ACTIVATIONS: [ActivationKind; 4] =
    [ActivationKind::Xielu, ActivationKind::Xiprelu, ActivationKind::Relu2, ActivationKind::Swiglu];

#[test]
fn losses_and_gradients_are_the_cpus() {
    let Some(device) = device() else { return };
    let batch = Same.next(0, 0).unwrap();
    for activation in ACTIVATIONS {
        let shape = config(activation).model.to_config().unwrap();
        let on = |device: &Device| Model::new(&shape, 0.1, 1, device).unwrap();
        let (losses, gradients) = on(&Device::Cpu).gradients(&batch, 0.01).unwrap();
        for (dtype, loss_bound, bound) in [(DType::F32, 1e-4, 1e-3), (DType::BF16, 0.2, 0.1)] {
            let model = on(&device).computing_in(dtype);
            let (there, found) = model.gradients(&batch, 0.01).unwrap();
            for (a, b) in there.iter().zip(&losses) {
                assert!((a - b).abs() < loss_bound, "{activation:?} {dtype:?}: {a} and {b}");
            }
            for ((parameter, found), expected) in
                model.parameters().iter().zip(&found).zip(&gradients)
            {
                assert_eq!(found.dtype(), DType::F32);
                let (found, expected) = (values(found), values(expected));
                let norm = |v: &mut dyn Iterator<Item = f64>| v.map(|v| v * v).sum::<f64>().sqrt();
                let difference = norm(&mut found.iter().zip(&expected).map(|(a, b)| a - b));
                let error = difference / norm(&mut expected.iter().copied());
                assert!(error < bound, "{activation:?} {dtype:?} {}: {error}", parameter.name());
            }
        }
    }
}

#[test]
fn a_model_learns_on_the_device_and_goes_on_from_its_checkpoint() {
    let Some(device) = device() else { return };
    for activation in ACTIVATIONS {
        let dir = tempfile::tempdir().unwrap();
        let config = config(activation);
        let mut trainer = Trainer::new(&config, &device).unwrap();
        let mut losses = Vec::new();
        for _ in 0..30 {
            losses.push(trainer.train_step(&Same).unwrap().loss);
        }
        assert!(losses[29] < losses[0] - 2.0, "{activation:?}: {losses:?}");
        trainer.save(dir.path()).unwrap();
        // Also on the CPU: weights are f32 in both places.
        for device in [&device, &Device::Cpu] {
            let resumed = Trainer::resume(&config, dir.path(), device).unwrap().unwrap();
            let loss = |trainer: &Trainer| trainer.evaluate([Same.next(0, 0)]).unwrap();
            assert!((loss(&resumed) - loss(&trainer)).abs() < 0.1, "{activation:?}");
        }
    }
}
