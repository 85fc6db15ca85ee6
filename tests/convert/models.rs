//! Conversions of models other than the trained one: shapes that do not fit the blocks, Llama's
//! row order, the comparison models, vocabularies with special tokens.

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;

use safetensors::tensor::Dtype;
use serde_json::{Value, json};
use xielu::Config;
use xielu::activation::ActivationKind;
use xielu::checkpoint::gguf::Gguf;
use xielu::checkpoint::hf::{HfDir, VocabularyOptions};
use xielu::checkpoint::{Checkpoint, LayerRole, Role};
use xielu::config::{RopeScaling, RopeStyle};
use xielu::convert::{TensorReport, Types, convert_gguf, convert_hf};
use xielu::kernels::DType;
use xielu_testing::hf::{Tensors, directory, fixture, fixture_config, fixture_tensors};

fn convert(path: &Path, dtype: DType) -> (Vec<u8>, Vec<TensorReport>) {
    let dir = tempfile::tempdir().unwrap();
    let output = dir.path().join("out.gguf");
    let source = HfDir::open(path).unwrap();
    let types = Types::uniform(dtype);
    let go_on = |_: xielu::convert::Progress<'_>| ControlFlow::Continue(());
    let vocabulary = source.vocabulary(VocabularyOptions::default()).unwrap();
    let report = convert_hf(&source, &output, &types, vocabulary.as_ref(), go_on).unwrap();
    (fs::read(output).unwrap(), report)
}

fn hf_config(path: &Path) -> Config {
    (&HfDir::open(path).unwrap()).config().unwrap()
}

/// `count` bf16 values, all different where 16 bits allow.
fn values(count: usize) -> Vec<u8> {
    (0..count).flat_map(|i| (0x3c00 + (i % 0x0400) as u16).to_le_bytes()).collect()
}

fn bf16(shape: &[usize]) -> (Dtype, Vec<usize>, Vec<u8>) {
    (Dtype::BF16, shape.to_vec(), values(shape.iter().product()))
}

/// The trained model's directory as a gated Llama without QK-norm.
fn swiglu() -> (Value, Tensors) {
    let mut config = fixture_config();
    config["model_type"] = "llama".into();
    config["hidden_act"] = "silu".into();
    let mut tensors = fixture_tensors();
    tensors.retain(|name, _| !name.contains("act_fn") && !name.contains("_norm.weight"));
    for layer in 0..4 {
        tensors.insert(format!("model.layers.{layer}.mlp.gate_proj.weight"), bf16(&[672, 128]));
    }
    (config, tensors)
}

#[test]
fn llama_heads_are_interleaved() {
    let (config, mut tensors) = swiglu();
    let dir = directory(&config, &tensors);
    let (bytes, _) = convert(dir.path(), DType::BF16);
    let gguf = Gguf::parse(&bytes).unwrap();
    assert_eq!(gguf.get_str("general.architecture"), Some("llama"));
    let mut expected = hf_config(dir.path());
    assert_eq!((expected.hidden_act, expected.qk_norm), (ActivationKind::Swiglu, false));
    expected.rope.style = RopeStyle::Interleaved;
    expected.rope.scaling = RopeScaling::None;
    assert_eq!(gguf.config().unwrap(), expected);

    let row_bytes = 128 * 2;
    for (role, part, heads) in [(LayerRole::AttnQ, "q_proj", 4), (LayerRole::AttnK, "k_proj", 2)] {
        let (.., stored) =
            tensors.remove(&format!("model.layers.2.self_attn.{part}.weight")).unwrap();
        // [heads, 2, 16] transposed to [heads, 16, 2].
        let mut reordered = Vec::new();
        for head in 0..heads {
            for i in 0..16 {
                for half in 0..2 {
                    let row = (head * 2 + half) * 16 + i;
                    reordered.extend_from_slice(&stored[row * row_bytes..][..row_bytes]);
                }
            }
        }
        let tensor = gguf.tensor(Role::Layer(2, role)).unwrap().unwrap();
        assert!(tensor.data == reordered, "{part}");
    }
    // What RoPE does not turn keeps its order.
    let v = gguf.tensor(Role::Layer(2, LayerRole::AttnV)).unwrap().unwrap();
    assert!(v.data == tensors["model.layers.2.self_attn.v_proj.weight"].2);

    // Quantizing the interleaved file equals quantizing the directory.
    let out = tempfile::tempdir().unwrap();
    let path = out.path().join("q.gguf");
    let types = Types::uniform(DType::Q8_0);
    convert_gguf(&gguf, &path, &types, |_| ControlFlow::Continue(())).unwrap();
    let (direct, _) = convert(dir.path(), DType::Q8_0);
    let two_steps = fs::read(path).unwrap();
    let (direct, two_steps) = (Gguf::parse(&direct).unwrap(), Gguf::parse(&two_steps).unwrap());
    for role in Role::all(&expected) {
        let (a, b) =
            (direct.tensor(role).unwrap().unwrap(), two_steps.tensor(role).unwrap().unwrap());
        assert!(a.dtype == b.dtype && a.data == b.data, "{role}");
    }
}

#[test]
fn comparison_models_come_back_as_they_were() {
    let relu2 = {
        let mut config = fixture_config();
        config["hidden_act"] = "relu2".into();
        config["rope_parameters"] =
            json!({"rope_type": "linear", "factor": 4.0, "rope_theta": 1e4});
        let mut tensors = fixture_tensors();
        tensors.retain(|name, _| !name.contains("act_fn"));
        (config, tensors)
    };
    let xiprelu = {
        let mut config = fixture_config();
        config["hidden_act"] = "xiprelu".into();
        (config, fixture_tensors())
    };
    let xielu_without_qk_norm = {
        let mut config = fixture_config();
        config["model_type"] = "llama".into();
        let mut tensors = fixture_tensors();
        tensors
            .retain(|name, _| !name.ends_with("q_norm.weight") && !name.ends_with("k_norm.weight"));
        (config, tensors)
    };
    let wide_heads = {
        let mut config = fixture_config();
        config["hidden_act"] = "xiprelu".into();
        config["head_dim"] = 64.into();
        let mut tensors = fixture_tensors();
        for layer in 0..4 {
            let mut replace = |part: &str, shape: &[usize]| {
                tensors
                    .insert(format!("model.layers.{layer}.self_attn.{part}.weight"), bf16(shape));
            };
            replace("q_proj", &[256, 128]);
            replace("k_proj", &[128, 128]);
            replace("v_proj", &[128, 128]);
            replace("o_proj", &[128, 256]);
            replace("q_norm", &[64]);
            replace("k_norm", &[64]);
        }
        (config, tensors)
    };
    for (config, tensors) in [relu2, xiprelu, xielu_without_qk_norm, wide_heads] {
        let dir = directory(&config, &tensors);
        let (bytes, _) = convert(dir.path(), DType::Q8_0);
        let gguf = Gguf::parse(&bytes).unwrap();
        assert_eq!(gguf.get_str("general.architecture"), Some("xielu-llama"));
        let mut expected = hf_config(dir.path());
        if matches!(expected.rope.scaling, RopeScaling::Llama3 { .. }) {
            expected.rope.scaling = RopeScaling::None;
            assert!(gguf.tensor(Role::RopeFreqs).unwrap().is_some());
        }
        assert_eq!(gguf.config().unwrap(), expected);
        if expected.hidden_act.has_alphas() {
            let source = HfDir::open(dir.path()).unwrap();
            assert_eq!(gguf.raw_xielu(3).unwrap(), (&source).raw_xielu(3).unwrap());
        }
    }
}

#[test]
fn rows_that_are_no_whole_blocks_become_f16() {
    let mut config = fixture_config();
    config["intermediate_size"] = 660.into();
    let mut tensors = fixture_tensors();
    for layer in 0..4 {
        tensors.insert(format!("model.layers.{layer}.mlp.up_proj.weight"), bf16(&[660, 128]));
        tensors.insert(format!("model.layers.{layer}.mlp.down_proj.weight"), bf16(&[128, 660]));
    }
    let (bytes, report) = convert(directory(&config, &tensors).path(), DType::Q4_0);
    for tensor in report {
        let odd = tensor.name.contains("ffn_down");
        // The output head of a Q4_0 model is to be Q6_K.
        let fell_back = odd || tensor.name == "output.weight";
        assert_eq!(tensor.wanted != tensor.to, fell_back, "{}", tensor.name);
        assert!(!odd || tensor.to == DType::F16);
    }
    let gguf = Gguf::parse(&bytes).unwrap();
    let down = gguf.tensor(Role::Layer(0, LayerRole::FfnDown)).unwrap().unwrap();
    assert_eq!((down.dtype, down.cols), (DType::F16, 660));
}

/// As Apertus 1.5: the key is llama.cpp's.
#[test]
fn an_output_head_of_fewer_rows_than_the_embedding() {
    let mut config = fixture_config();
    config["model_type"] = "apertus1p5_text".into();
    config["vocab_size"] = 1100.into();
    config["output_vocab_size"] = 1024.into();
    let mut tensors = fixture_tensors();
    tensors.insert("model.embed_tokens.weight".into(), bf16(&[1100, 128]));
    let (bytes, _) = convert(directory(&config, &tensors).path(), DType::Q8_0);
    let gguf = Gguf::parse(&bytes).unwrap();
    let number = |key| gguf.get(key).and_then(|value| value.as_u64());
    assert_eq!(number("apertus.vocab_size"), Some(1100));
    assert_eq!(number("apertus.vocab_size_out"), Some(1024));
    let read = gguf.config().unwrap();
    assert_eq!((read.vocab_size, read.output_vocab_size), (1100, 1024));
    assert_eq!(gguf.tensor(Role::Output).unwrap().unwrap().rows, 1024);
    // Models whose head has all rows have no such key.
    let (bytes, _) = convert(&fixture(), DType::Q8_0);
    assert!(Gguf::parse(&bytes).unwrap().get("apertus.vocab_size_out").is_none());
}

#[test]
fn tied_models_have_no_output_tensor() {
    let mut config = fixture_config();
    config["tie_word_embeddings"] = true.into();
    let mut tensors = fixture_tensors();
    tensors.remove("lm_head.weight");
    let (bytes, _) = convert(directory(&config, &tensors).path(), DType::Q4_0);
    let gguf = Gguf::parse(&bytes).unwrap();
    assert!(gguf.config().unwrap().tie_word_embeddings);
    assert!(gguf.tensor_info("output.weight").is_none());
    let embedding = gguf.tensor(Role::TokenEmbd).unwrap().unwrap();
    assert_eq!(embedding.dtype, DType::Q8_0);
}

#[test]
fn vocabularies_with_everything() {
    let dir = directory(&fixture_config(), &fixture_tensors());
    let path = dir.path().join("tokenizer.json");
    let mut json: Value =
        serde_json::from_slice(&fs::read(fixture().join("tokenizer.json")).unwrap()).unwrap();
    let vocab = json["model"]["vocab"].as_object_mut().unwrap();
    let renamed = vocab.iter().find(|(_, id)| **id == 1000).unwrap().0.clone();
    vocab.remove(&renamed);
    let unused = vocab.iter().find(|(_, id)| **id == 1023).unwrap().0.clone();
    vocab.remove(&unused);
    // The library numbers tokens that the model does not have from the vocabulary's size on, and
    // refuses merges of tokens that are not there.
    vocab.insert("fn main".into(), 1000.into());
    let added = json["added_tokens"].as_array_mut().unwrap();
    let mut token = added[0].clone();
    token["id"] = 1000.into();
    token["content"] = "fn main".into();
    token["special"] = false.into();
    added.push(token);
    let bos = json!({"SpecialToken": {"id": "<s>", "type_id": 0}});
    let single = json!([bos, {"Sequence": {"id": "A", "type_id": 0}}]);
    json["post_processor"]["single"] = single;
    json["post_processor"]["special_tokens"] =
        json!({"<s>": {"id": "<s>", "ids": [1], "tokens": ["<s>"]}});
    let merges: Vec<Value> = json["model"]["merges"]
        .as_array()
        .unwrap()
        .iter()
        .map(|pair| [0, 1].map(|i| pair[i].as_str().unwrap()))
        .filter(|[left, right]| {
            let gone = [&renamed, &unused].map(|token| token.as_str());
            ![*left, *right, &format!("{left}{right}")].iter().any(|part| gone.contains(part))
        })
        .map(|pair| pair.join(" ").into())
        .collect();
    json["model"]["merges"] = merges.into();
    fs::write(&path, json.to_string()).unwrap();
    let settings = json!({
        "bos_token": {"content": "<s>"},
        "eos_token": "<pad>",
        "unk_token": "</s>",
        "add_eos_token": false,
        "chat_template": "{{ messages }}",
    });
    fs::write(dir.path().join("tokenizer_config.json"), settings.to_string()).unwrap();

    let (bytes, _) = convert(dir.path(), DType::Q8_0);
    let gguf = Gguf::parse(&bytes).unwrap();
    let id = |kind: &str| gguf.get_u32(&format!("tokenizer.ggml.{kind}_token_id"));
    // The tokenizer's settings go before config.json's ids.
    assert_eq!(
        (id("bos"), id("eos"), id("unknown"), id("padding")),
        (Some(1), Some(0), Some(2), Some(0))
    );
    assert_eq!(gguf.get_bool("tokenizer.ggml.add_bos_token"), Some(true));
    assert_eq!(gguf.get_bool("tokenizer.ggml.add_eos_token"), Some(false));
    assert_eq!(gguf.get_str("tokenizer.chat_template"), Some("{{ messages }}"));
    let tokens: Vec<&str> =
        gguf.get_array("tokenizer.ggml.tokens").unwrap().strs().unwrap().collect();
    let kinds: Vec<i32> =
        gguf.get_array("tokenizer.ggml.token_type").unwrap().i32s().unwrap().collect();
    assert_eq!((tokens.len(), kinds.len()), (1024, 1024));
    assert_eq!((tokens[1000], kinds[1000]), ("fn main", 4));
    assert_eq!((tokens[1023], kinds[1023]), ("[PAD1023]", 5));
    assert_eq!((tokens[1], kinds[1], kinds[3]), ("<s>", 3, 1));
    let mut merges = gguf.get_array("tokenizer.ggml.merges").unwrap().strs().unwrap();
    assert_eq!((merges.next(), merges.count()), (Some("Ġ Ġ"), 762));
}
