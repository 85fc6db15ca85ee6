//! Hugging Face directories: the trained fixture, whole, in shards and under other names.

use safetensors::tensor::Dtype;
use serde_json::{Value, json};
use xielu::activation::ActivationKind;
use xielu::checkpoint::hf::{HfDir, SpecialTokens};
use xielu::checkpoint::{Checkpoint, LayerRole, Role};
use xielu::config::{RopeScaling, RopeStyle};
use xielu::kernels::{Blocks, DType};
use xielu_testing::hf::{Tensors, directory, fixture, fixture_config, fixture_tensors, sharded};

use crate::open_error::open_error;

/// Both hold the same model, bit for bit.
fn assert_same(a: &HfDir, b: &HfDir) {
    let config = a.config().unwrap();
    assert_eq!(b.config().unwrap(), config);
    for role in Role::all(&config) {
        let (x, y) = (a.tensor(role).unwrap().unwrap(), b.tensor(role).unwrap().unwrap());
        assert_eq!((x.dtype, x.rows, x.cols), (y.dtype, y.rows, y.cols), "{role}");
        assert!(x.data == y.data, "{role}");
    }
    for layer in 0..config.num_layers {
        assert_eq!(a.raw_xielu(layer).unwrap(), b.raw_xielu(layer).unwrap());
    }
}

#[test]
fn the_fixture() {
    let dir = HfDir::open(fixture()).unwrap();
    let config = (&dir).config().unwrap();
    assert_eq!((config.vocab_size, config.hidden_size, config.intermediate_size), (1024, 128, 672));
    assert_eq!((config.num_layers, config.num_heads, config.num_kv_heads), (4, 4, 2));
    assert_eq!((config.head_dim, config.context_length), (32, 256));
    assert_eq!(config.rms_norm_eps, 1e-5);
    assert_eq!((config.rope.theta, config.rope.style), (5e5, RopeStyle::Neox));
    let llama3 = RopeScaling::Llama3 {
        factor: 8.0,
        low_freq_factor: 1.0,
        high_freq_factor: 4.0,
        original_context: 64,
    };
    assert_eq!(config.rope.scaling, llama3);
    assert_eq!(config.hidden_act, ActivationKind::Xielu);
    assert!(config.qk_norm && !config.tie_word_embeddings);
    let ids = SpecialTokens { bos: Some(1), eos: Some(2), pad: Some(0) };
    assert_eq!(dir.special_tokens(), ids);

    // The values another program read from the same file.
    let first = (&dir).raw_xielu(0).unwrap();
    assert_eq!((first.alpha_p, first.alpha_n), (0.101_074_22, -0.237_304_69));
    assert_eq!((first.beta, first.eps), (0.5, -9.983_778e-7));
    assert_eq!((&dir).raw_xielu(3).unwrap().alpha_p, 0.972_656_25);
    assert!((&dir).raw_xielu(4).is_err());
    assert!((&dir).tensor(Role::RopeFreqs).unwrap().is_none());
    assert!((&dir).tensor(Role::Layer(4, LayerRole::AttnQ)).unwrap().is_none());
    assert!((&dir).tensor(Role::Layer(0, LayerRole::FfnGate)).unwrap().is_none());
    let up = (&dir).tensor(Role::Layer(1, LayerRole::FfnUp)).unwrap().unwrap();
    assert_eq!((up.dtype, up.rows, up.cols), (DType::BF16, 672, 128));
    let name = dir.tensor_name(Role::Layer(1, LayerRole::AttnNorm));
    assert_eq!(name.unwrap(), "model.layers.1.attention_layernorm.weight");
}

#[test]
fn shards_are_the_same_model() {
    let (dir, _) = sharded(3);
    let shards = HfDir::open(dir.path()).unwrap();
    assert_eq!(shards.files().count(), 3);
    assert_same(&shards, &HfDir::open(fixture()).unwrap());
}

#[test]
fn apertus_names_under_the_multimodal_prefix() {
    let mut tensors = Tensors::new();
    for (name, tensor) in fixture_tensors() {
        let name = match name.strip_prefix("model.") {
            Some(rest) => format!("model.language_model.{rest}"),
            None => name,
        };
        tensors.insert(name, tensor);
    }
    tensors.insert("model.vision.patch.weight".into(), (Dtype::I8, vec![3], vec![1, 2, 3]));
    let original = HfDir::open(fixture()).unwrap();
    assert_same(&HfDir::open(directory(&fixture_config(), &tensors).path()).unwrap(), &original);
    let mut nested = json!({"model_type": "apertus_vl", "text_config": fixture_config()});
    nested["text_config"].as_object_mut().unwrap().remove("eos_token_id");
    nested["eos_token_id"] = json!([7, 2]);
    let dir = HfDir::open(directory(&nested, &tensors).path()).unwrap();
    assert_same(&dir, &original);
    let ids = SpecialTokens { bos: Some(1), eos: Some(7), pad: Some(0) };
    assert_eq!(dir.special_tokens(), ids);
}

#[test]
fn llama_names_and_older_rope_keys() {
    let mut config = fixture_config();
    let object = config.as_object_mut().unwrap();
    let mut scaling = object.remove("rope_parameters").unwrap();
    let theta = scaling.as_object_mut().unwrap().remove("rope_theta").unwrap();
    let kind = scaling.as_object_mut().unwrap().remove("rope_type").unwrap();
    scaling["type"] = kind;
    object.insert("rope_scaling".into(), scaling);
    object.insert("rope_theta".into(), theta);
    object.insert("model_type".into(), "llama".into());
    object.insert("head_dim".into(), Value::Null);
    let tensors = fixture_tensors()
        .into_iter()
        .map(|(name, tensor)| {
            let name = name
                .replace("attention_layernorm", "input_layernorm")
                .replace("feedforward_layernorm", "post_attention_layernorm");
            (name, tensor)
        })
        .collect();
    let llama = HfDir::open(directory(&config, &tensors).path()).unwrap();
    assert_same(&llama, &HfDir::open(fixture()).unwrap());
}

#[test]
fn tied_embeddings_have_no_head() {
    let mut config = fixture_config();
    config["tie_word_embeddings"] = true.into();
    let mut tensors = fixture_tensors();
    // A head of its own is used whatever the configuration says; a copy of the embedding is none.
    let untied = HfDir::open(directory(&config, &tensors).path()).unwrap();
    assert!(!(&untied).config().unwrap().tie_word_embeddings);
    assert_same(&untied, &HfDir::open(fixture()).unwrap());
    tensors.insert("lm_head.weight".into(), tensors["model.embed_tokens.weight"].clone());
    for _ in 0..2 {
        let dir = directory(&config, &tensors);
        let tied = HfDir::open(dir.path()).unwrap();
        assert!((&tied).config().unwrap().tie_word_embeddings);
        assert!((&tied).tensor(Role::Output).unwrap().is_none());
        tensors.remove("lm_head.weight");
    }
    config["tie_word_embeddings"] = false.into();
    let (_, text) = open_error(&directory(&config, &tensors));
    assert!(text.contains("lm_head.weight"), "{text}");
}

#[test]
fn alphas_of_every_type_and_defaults() {
    let mut tensors = fixture_tensors();
    let act = |key: &str| format!("model.layers.2.mlp.act_fn.{key}");
    tensors.insert(act("alpha_p"), (Dtype::F32, vec![], 166.25f32.to_le_bytes().to_vec()));
    tensors.insert(act("alpha_n"), (Dtype::F16, vec![1], vec![0x18, 0x51]));
    tensors.remove(&act("beta"));
    tensors.remove(&act("eps"));
    let dir = directory(&fixture_config(), &tensors);
    let raw = (&HfDir::open(dir.path()).unwrap()).raw_xielu(2).unwrap();
    assert_eq!((raw.alpha_p, raw.alpha_n, raw.beta, raw.eps), (166.25, 40.75, 0.5, -1e-6));
}

#[test]
fn comparison_models() {
    let ungated = |act: &str| {
        let mut config = fixture_config();
        config["hidden_act"] = act.into();
        config
    };
    let with_alphas = fixture_tensors();
    let mut without = with_alphas.clone();
    without.retain(|name, _| !name.contains("act_fn"));

    for (act, expected) in
        [("relu2", ActivationKind::Relu2), ("relu_squared", ActivationKind::Relu2)]
    {
        let dir = directory(&ungated(act), &without);
        let model = HfDir::open(dir.path()).unwrap();
        assert_eq!((&model).config().unwrap().hidden_act, expected);
        assert!((&model).raw_xielu(0).is_err());
    }
    let dir = directory(&ungated("xiprelu"), &with_alphas);
    let model = HfDir::open(dir.path()).unwrap();
    assert_eq!((&model).config().unwrap().hidden_act, ActivationKind::Xiprelu);
    assert_eq!((&model).raw_xielu(0).unwrap().alpha_p, 0.101_074_22);

    // Gated SiLU, without norms of queries and keys.
    let mut config = ungated("silu");
    config["model_type"] = "llama".into();
    let mut gated = without.clone();
    gated.retain(|name, _| !name.contains("_norm.weight"));
    let (_, text) = open_error(&directory(&config, &gated));
    assert!(text.contains("layers.0.mlp.gate_proj.weight"), "{text}");
    for layer in 0..4 {
        let up = gated[&format!("model.layers.{layer}.mlp.up_proj.weight")].clone();
        gated.insert(format!("model.layers.{layer}.mlp.gate_proj.weight"), up);
    }
    let dir = directory(&config, &gated);
    let config = (&HfDir::open(dir.path()).unwrap()).config().unwrap();
    assert_eq!((config.hidden_act, config.qk_norm), (ActivationKind::Swiglu, false));
}

#[test]
fn values_survive_the_reading() {
    let dir = HfDir::open(fixture()).unwrap();
    let norm = (&dir).tensor(Role::OutputNorm).unwrap().unwrap();
    let mut values = vec![0.0; norm.cols];
    assert!(Blocks::new(norm.dtype, norm.data).unwrap().dequantize(&mut values));
    let (_, _, raw) = &fixture_tensors()["model.norm.weight"];
    for (value, bytes) in values.iter().zip(raw.chunks(2)) {
        assert_eq!(value.to_bits() >> 16, u32::from(bytes[0]) | u32::from(bytes[1]) << 8);
        assert_eq!(value.to_bits() & 0xffff, 0);
    }
}
