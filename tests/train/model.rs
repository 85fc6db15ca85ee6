//! The training model against what transformers computed, and its gradients against finite
//! differences.

use std::collections::HashMap;

use candle_core::{DType, Device, Tensor};
use xielu::Config;
use xielu::activation::ActivationKind;
use xielu::checkpoint::Checkpoint;
use xielu::checkpoint::hf::HfDir;
use xielu::config::{Rope, RopeScaling, RopeStyle};
use xielu::train::{Batch, Model, TrainError};
use xielu_testing::goldens::Goldens;
use xielu_testing::relative_error;

/// The test model in the training framework.
fn tiny(dtype: DType) -> Model {
    let config = (&HfDir::open("tests/data/tiny").unwrap()).config().unwrap();
    let tensors: HashMap<String, Tensor> =
        candle_core::safetensors::load("tests/data/tiny/model.safetensors", &Device::Cpu).unwrap();
    Model::load(&config, dtype, &Device::Cpu, |name| {
        let tensor = tensors.get(name).unwrap_or_else(|| panic!("no tensor {name}"));
        Ok(tensor.to_dtype(DType::F32)?)
    })
    .unwrap()
}

#[test]
fn logits_and_loss_are_those_of_transformers() {
    let goldens = Goldens::open();
    let ids = goldens.ids("eval_ids");
    for (dtype, bound) in [(DType::F32, 1e-4), (DType::F64, 1e-4)] {
        let model = tiny(dtype);
        assert_eq!(model.parameter_count(), 1_148_296);
        let logits = model.logits(&ids[..128], 1, 128).unwrap();
        let logits = logits.to_dtype(DType::F32).unwrap().flatten_all().unwrap();
        let logits: Vec<f32> = logits.to_vec1().unwrap();
        let truth = goldens.f32("logits_first128");
        assert_eq!(logits.len(), truth.len());
        let worst = logits.iter().zip(&truth).fold(0.0f32, |m, (a, b)| m.max((a - b).abs()));
        println!("{dtype:?}: worst logit difference {worst:e}");
        assert!(worst < bound);
    }
    let model = tiny(DType::F32);
    let (mut sum, mut count) = (0.0, 0);
    for window in ids.chunks_exact(256) {
        let batch = Batch {
            inputs: window[..255].to_vec(),
            targets: window[1..].to_vec(),
            sequences: 1,
            length: 255,
        };
        let nll: Vec<f32> = model.nll(&batch).unwrap().to_vec1().unwrap();
        sum += nll.iter().map(|&v| f64::from(v)).sum::<f64>();
        count += nll.len();
    }
    let mean = sum / count as f64;
    println!("mean nll {mean}");
    assert!((mean - 2.62868).abs() < 1e-5);
}

/// A model small enough to differentiate by differences.
fn small(hidden_act: ActivationKind, qk_norm: bool, tied: bool) -> Config {
    Config {
        vocab_size: 11,
        output_vocab_size: 11,
        hidden_size: 8,
        intermediate_size: 20,
        num_layers: 2,
        num_heads: 4,
        num_kv_heads: 2,
        head_dim: 4,
        context_length: 7,
        rms_norm_eps: 1e-5,
        rope: Rope { theta: 100.0, style: RopeStyle::Neox, scaling: RopeScaling::None },
        hidden_act,
        qk_norm,
        tie_word_embeddings: tied,
    }
}

fn batch() -> Batch {
    let id = |i: u32| (i * i + 3 * i) % 11;
    let inputs = (0..10).map(id).collect();
    Batch { inputs, targets: (1..11).map(id).collect(), sequences: 2, length: 5 }
}

/// A model in f64 with weights large enough for every nonlinearity to matter.
fn small_model(config: &Config) -> Model {
    let start = Model::new(config, 0.5, 7, &Device::Cpu).unwrap();
    Model::load(config, DType::F64, &Device::Cpu, |name| {
        let p = start.parameters().iter().find(|p| p.name() == name).unwrap();
        Ok(p.tensor().clone())
    })
    .unwrap()
}

fn loss(model: &Model) -> f64 {
    let nll = model.nll(&batch()).unwrap();
    nll.mean_all().unwrap().to_scalar().unwrap()
}

#[test]
fn gradients_agree_with_finite_differences() {
    let acts = [
        ActivationKind::Xielu,
        ActivationKind::Xiprelu,
        ActivationKind::Relu2,
        ActivationKind::Swiglu,
    ];
    for (i, act) in acts.into_iter().enumerate() {
        for (qk_norm, tied) in [(true, i % 2 == 0), (false, i % 2 == 1)] {
            check_gradients(&small(act, qk_norm, tied));
        }
    }
}

fn check_gradients(config: &Config) {
    const STEP: f64 = 1e-5;
    let model = small_model(config);
    let mean = model.nll(&batch()).unwrap().mean_all().unwrap();
    let gradients = mean.backward().unwrap();
    let mut largest = 0.0f64;
    for parameter in model.parameters() {
        let name = parameter.name();
        let gradient = gradients.get(parameter.tensor()).unwrap_or_else(|| panic!("{name}"));
        assert_eq!(gradient.shape(), parameter.tensor().shape(), "{name}");
        let gradient: Vec<f64> = gradient.flatten_all().unwrap().to_vec1().unwrap();
        let values: Vec<f64> = parameter.tensor().flatten_all().unwrap().to_vec1().unwrap();
        let shape = parameter.tensor().shape().clone();
        let loss_with = |values: Vec<f64>| {
            let changed = Tensor::from_vec(values, shape.clone(), &Device::Cpu).unwrap();
            parameter.var().set(&changed).unwrap();
            loss(&model)
        };
        // Every value of small tensors, some of larger ones.
        for i in (0..values.len()).step_by(values.len().div_ceil(12)) {
            let at = |delta: f64| {
                let mut moved = values.clone();
                moved[i] += delta;
                loss_with(moved)
            };
            let difference = (at(STEP) - at(-STEP)) / (2.0 * STEP);
            let error = (gradient[i] - difference).abs();
            assert!(error < 2e-8, "{config:?}\n{name}[{i}]: {} and {difference}", gradient[i]);
            largest = largest.max(difference.abs());
        }
        loss_with(values);
    }
    assert!(largest > 0.01, "gradients too small to check: {largest}");
}

#[test]
fn bad_batches_and_tensors_are_refused() {
    let config = small(ActivationKind::Xielu, true, true);
    let model = Model::new(&config, 0.02, 0, &Device::Cpu).unwrap();
    let mut foreign = batch();
    foreign.targets[3] = 11;
    let message = model.nll(&foreign).unwrap_err().to_string();
    assert!(message.contains("token id 11"), "{message}");
    let message = model.logits(&[0; 8], 1, 8).unwrap_err().to_string();
    assert!(message.contains("context"), "{message}");
    let error = Model::load(&config, DType::F32, &Device::Cpu, |_| {
        Ok(Tensor::zeros((3, 3), DType::F32, &Device::Cpu)?)
    });
    let Err(TrainError::Data(message)) = error else { panic!("{error:?}") };
    assert!(message.contains("model.embed_tokens.weight has shape [3, 3]"), "{message}");
    let broken = Config { num_heads: 3, ..config };
    assert!(matches!(Model::new(&broken, 0.02, 0, &Device::Cpu), Err(TrainError::Model(_))));
}

#[test]
fn initial_weights_depend_on_the_seed_alone() {
    let config = small(ActivationKind::Xielu, true, false);
    let values = |seed| {
        let model = Model::new(&config, 0.02, seed, &Device::Cpu).unwrap();
        let all = model.parameters().iter();
        all.flat_map(|p| p.tensor().flatten_all().unwrap().to_vec1::<f32>().unwrap())
            .collect::<Vec<f32>>()
    };
    assert_eq!(values(1), values(1));
    assert_ne!(values(1), values(2));
    let model = Model::new(&config, 0.02, 1, &Device::Cpu).unwrap();
    let alphas = model.alphas().unwrap();
    assert_eq!(alphas, vec![xielu::RawXielu::PAPER_INIT; 2]);
    assert!(model.parameters().iter().all(|p| p.is_decayed() == (p.tensor().rank() == 2)));
}

#[test]
fn fused_gradients_are_those_of_the_composed_model() {
    let acts = [
        ActivationKind::Xielu,
        ActivationKind::Xiprelu,
        ActivationKind::Relu2,
        ActivationKind::Swiglu,
    ];
    for (i, act) in acts.into_iter().enumerate() {
        let config = small(act, i % 2 == 0, i >= 2);
        let start = Model::new(&config, 0.5, 7, &Device::Cpu).unwrap();
        let (losses, fused) = start.gradients(&batch(), 0.1).unwrap();
        assert_eq!(losses, start.losses(&batch()).unwrap());
        let exact = small_model(&config);
        let nll = exact.nll(&batch()).unwrap();
        let truth: Vec<f64> = nll.to_vec1().unwrap();
        assert!(losses.iter().zip(&truth).all(|(a, b)| (a - b).abs() < 1e-5));
        let gradients = (nll * 0.1).unwrap().backward().unwrap();
        for (parameter, fused) in exact.parameters().iter().zip(&fused) {
            let truth = gradients.get(parameter.tensor()).unwrap();
            assert_eq!(fused.shape(), truth.shape());
            let values = |t: &Tensor| -> Vec<f32> {
                t.to_dtype(DType::F32).unwrap().flatten_all().unwrap().to_vec1().unwrap()
            };
            let error = relative_error(&values(fused), &values(truth));
            assert!(error < 2e-5, "{act:?} {}: {error:e}", parameter.name());
        }
    }
}

/// What devices without fused operations compute: the formulas in candle's, here in f16.
#[test]
fn a_model_computing_in_half_precision_is_close() {
    let ids = Goldens::open().ids("eval_ids");
    let batch = Batch {
        inputs: [&ids[..64], &ids[64..128]].concat(),
        targets: [&ids[1..65], &ids[65..129]].concat(),
        sequences: 2,
        length: 64,
    };
    let exact = tiny(DType::F32);
    let (losses, gradients) = exact.gradients(&batch, 1.0).unwrap();
    let half = tiny(DType::F32).computing_in(DType::F16);
    let (half_losses, half_gradients) = half.gradients(&batch, 1.0).unwrap();
    let worst = losses.iter().zip(&half_losses).fold(0.0f64, |m, (a, b)| m.max((a - b).abs()));
    println!("worst difference of a loss: {worst:e}");
    assert!(worst > 0.0 && worst < 0.05);
    for ((parameter, exact), half) in exact.parameters().iter().zip(&gradients).zip(&half_gradients)
    {
        assert_eq!(half.dtype(), DType::F32, "{}", parameter.name());
        let values = |t: &Tensor| -> Vec<f32> { t.flatten_all().unwrap().to_vec1().unwrap() };
        let error = relative_error(&values(half), &values(exact));
        assert!(error < 0.03, "{}: {error:e}", parameter.name());
    }
}
