use std::path::Path;

use candle_core::Device;

use super::*;
use crate::checkpoint::hf::HfDir;
use crate::checkpoint::{Checkpoint, Role};
use crate::config::{Rope, RopeScaling, RopeStyle};
use crate::kernels::ActivationKind;

const BUNDLED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/tiny");

/// A tokenizer with 1024 tokens.
fn tokenizer() -> TextTokenizer {
    TextTokenizer::open(Path::new(BUNDLED)).unwrap()
}

fn config(hidden_act: ActivationKind, qk_norm: bool, scaling: RopeScaling) -> Config {
    Config {
        vocab_size: 1024,
        output_vocab_size: 1024,
        hidden_size: 32,
        intermediate_size: 64,
        num_layers: 2,
        num_heads: 2,
        num_kv_heads: 1,
        head_dim: 16,
        context_length: 64,
        rms_norm_eps: 1e-5,
        rope: Rope { theta: 12e6, style: RopeStyle::Neox, scaling },
        hidden_act,
        qk_norm,
        tie_word_embeddings: false,
    }
}

/// Tensors with different values, under Apertus's names or Llama's.
fn weights(config: Config) -> Weights {
    let llama = !matches!(Family::of(&config), Family::Apertus);
    let mut seed = 0.0;
    let mut tensor = |shape: &[usize]| {
        seed += 1.0;
        let values = (0..shape.iter().product()).map(|i: usize| seed + i as f32 * 1.001e-3);
        Tensor::from_iter(values, &Device::Cpu).unwrap().reshape(shape).unwrap()
    };
    let mut tensors = vec![];
    for role in Role::all(&config) {
        let names = role.hf_names();
        let name = *if llama { names.last() } else { names.first() }.unwrap();
        let name = match role {
            Role::Output => name.to_string(),
            Role::Layer(layer, _) => format!("model.layers.{layer}.{name}"),
            _ => format!("model.{name}"),
        };
        let (rows, cols) = role.shape(&config);
        let shape = if role.is_vector() { vec![cols] } else { vec![rows, cols] };
        tensors.push((name, tensor(&shape)));
    }
    if config.hidden_act.has_alphas() {
        for layer in 0..config.num_layers {
            for alpha in ["alpha_p", "alpha_n"] {
                tensors.push((format!("model.layers.{layer}.mlp.act_fn.{alpha}"), tensor(&[1])));
            }
        }
    }
    Weights { config, tensors }
}

#[test]
fn our_reader_gets_back_what_was_exported() {
    let llama3 = RopeScaling::Llama3 {
        factor: 8.0,
        low_freq_factor: 1.0,
        high_freq_factor: 4.0,
        original_context: 16,
    };
    let linear = RopeScaling::Linear { factor: 2.5 };
    let dir = tempfile::tempdir().unwrap();
    for (act, qk_norm, scaling, family) in [
        (ActivationKind::Xielu, true, llama3, Family::Apertus),
        (ActivationKind::Relu2, true, RopeScaling::None, Family::Apertus),
        (ActivationKind::Swiglu, false, linear, Family::Llama),
        (ActivationKind::Swiglu, true, RopeScaling::None, Family::Qwen3),
        (ActivationKind::Xielu, false, RopeScaling::None, Family::XieluLlama),
        (ActivationKind::Xiprelu, true, RopeScaling::None, Family::XieluLlama),
        (ActivationKind::Relu2, false, RopeScaling::None, Family::XieluLlama),
    ] {
        let weights = weights(config(act, qk_norm, scaling));
        assert_eq!(Family::of(&weights.config), family);
        let output = dir.path().join(format!("{act:?}-{qk_norm}"));
        export(&weights, &tokenizer(), DType::F32, &output).unwrap();
        let read = HfDir::open(&output).unwrap();
        assert_eq!((&read).config().unwrap(), weights.config);
        assert_eq!((read.special_tokens().bos, read.special_tokens().eos), (Some(1), Some(2)));
        let vocabulary = read.vocabulary(Default::default()).unwrap().unwrap();
        assert_eq!((vocabulary.tokens.len(), vocabulary.ends.as_slice()), (1024, &[2][..]));
        for (role, (name, tensor)) in Role::all(&weights.config).zip(&weights.tensors) {
            let values = tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap();
            let found = (&read).tensor(role).unwrap().unwrap();
            assert!(found.data == bytemuck::cast_slice::<f32, u8>(&values), "{name}");
        }
        if act.has_alphas() {
            let raw = (&read).raw_xielu(1).unwrap();
            let last = weights.tensors.last().unwrap().1.to_vec1::<f32>().unwrap();
            assert_eq!((raw.alpha_n, raw.beta, raw.eps), (last[0], 0.5, -1e-6));
        }
    }
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 7, "something temporary is left");
}

#[test]
fn large_models_have_several_files() {
    let dir = tempfile::tempdir().unwrap();
    let weights = weights(config(ActivationKind::Xielu, true, RopeScaling::None));
    let output = dir.path().join("model");
    export_sharded(&weights, &tokenizer(), DType::BF16, &output, 100_000).unwrap();
    let names: Vec<_> = fs::read_dir(&output)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".safetensors"))
        .collect();
    assert!(names.len() > 1 && names.iter().all(|n| n.contains("-of-0000")), "{names:?}");
    let read = HfDir::open(&output).unwrap();
    let found = (&read).tensor(Role::TokenEmbd).unwrap().unwrap();
    assert_eq!(found.data.len(), 1024 * 32 * 2);
    assert_eq!(found.data[..2], half::bf16::from_f32(1.0).to_le_bytes());
}

#[test]
fn nothing_is_overwritten() {
    let dir = tempfile::tempdir().unwrap();
    let weights = weights(config(ActivationKind::Relu2, true, RopeScaling::None));
    let output = dir.path().join("deep/model/");
    export(&weights, &tokenizer(), DType::F32, &output).unwrap();
    let error = export(&weights, &tokenizer(), DType::F32, &output).unwrap_err().to_string();
    assert!(error.contains("exists already"), "{error}");
    let empty = dir.path().join("empty");
    fs::create_dir(&empty).unwrap();
    export(&weights, &tokenizer(), DType::F32, &empty).unwrap();
    HfDir::open(&empty).unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "x").unwrap();
    assert!(export(&weights, &tokenizer(), DType::F32, &file).is_err());
    let below_a_file = file.join("model");
    assert!(matches!(
        export(&weights, &tokenizer(), DType::F32, &below_a_file),
        Err(TrainError::Io { .. })
    ));
}
