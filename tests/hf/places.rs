//! What stands where a model's files should be, each with its own sentence; names that wrappers
//! and other layouts give to the same tensors.

use std::fs;
use std::path::Path;

use safetensors::tensor::Dtype;
use serde_json::json;
use tempfile::TempDir;
use xielu::checkpoint::hf::{HfDir, HfError};
use xielu::checkpoint::{Checkpoint, Role};
use xielu_testing::hf::{
    Tensors, directory, fixture, fixture_config, fixture_tensors, shard_name, sharded,
    write_tensors,
};

use crate::open_error::open_error;

const POINTER: &str =
    "version https://git-lfs.github.com/spec/v1\noid sha256:4cac19f9b6b0e5f3\nsize 2302680\n";
const PAGE: &str = "<!DOCTYPE html><html><head><title>Access to model is restricted</title>";

fn model() -> TempDir {
    directory(&fixture_config(), &fixture_tensors())
}

/// Opening `dir` fails, and the one line says all of `words`.
fn says(dir: &TempDir, words: &[&str]) {
    let (_, text) = open_error(dir);
    for word in words {
        assert!(text.contains(word), "{word}: {text}");
    }
}

#[test]
fn stand_ins_for_files() {
    for file in ["config.json", "model.safetensors"] {
        for (content, words) in [
            (POINTER, ["Git LFS pointer", "git lfs pull"]),
            (PAGE, ["web page", "download it again"]),
        ] {
            let dir = model();
            fs::write(dir.path().join(file), content).unwrap();
            says(&dir, &[file, words[0], words[1]]);
        }
        let dir = model();
        fs::remove_file(dir.path().join(file)).unwrap();
        fs::create_dir(dir.path().join(file)).unwrap();
        says(&dir, &[file, "not a plain file"]);
    }
    let dir = model();
    fs::write(dir.path().join("config.json"), " ".repeat(9 << 20)).unwrap();
    says(&dir, &["config.json", "bytes, and at most"]);
}

#[cfg(unix)]
#[test]
fn pipes_devices_and_links() {
    use std::os::unix::fs::symlink;
    for file in ["config.json", "model.safetensors"] {
        let dir = model();
        let path = dir.path().join(file);
        fs::remove_file(&path).unwrap();
        let made = std::process::Command::new("mkfifo").arg(&path).status().unwrap();
        assert!(made.success());
        says(&dir, &[file, "not a plain file"]);
        fs::remove_file(&path).unwrap();
        symlink("/dev/zero", &path).unwrap();
        says(&dir, &[file, "not a plain file"]);
        fs::remove_file(&path).unwrap();
        symlink("../../blobs/0123", &path).unwrap();
        says(&dir, &[file, "link to ../../blobs/0123", "download the model again"]);
    }
    let (dir, _) = sharded(2);
    let shard = dir.path().join(shard_name(1, 2));
    fs::remove_file(&shard).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(&shard).status().unwrap().success());
    says(&dir, &[&shard_name(1, 2), "not a plain file"]);
}

#[test]
fn directories_of_another_kind() {
    type Fill = fn(&Path);
    let cases: [(Fill, &[&str]); 9] = [
        (|_| {}, &["without config.json", "give a GGUF file"]),
        (
            |d| {
                fs::create_dir(d.join("tiny")).unwrap();
                fs::write(d.join("tiny/config.json"), "{}").unwrap();
            },
            &["without config.json", "tiny"],
        ),
        (
            |d| fs::create_dir_all(d.join("models--swiss-ai--Tiny/snapshots/0123")).unwrap(),
            &["cache", "models--swiss-ai--Tiny/snapshots/0123"],
        ),
        (|d| fs::create_dir_all(d.join("snapshots/0123")).unwrap(), &["cache", "snapshots/0123"]),
        (
            |d| {
                fs::create_dir_all(d.join("snapshots/aaaa")).unwrap();
                fs::create_dir_all(d.join("snapshots/bbbb")).unwrap();
                fs::create_dir_all(d.join("refs")).unwrap();
                fs::write(d.join("refs/main"), "bbbb").unwrap();
            },
            &["2 snapshots", "snapshots/bbbb"],
        ),
        (|d| fs::create_dir(d.join("snapshots")).unwrap(), &["without a snapshot"]),
        (|d| fs::write(d.join("tiny.gguf"), "GGUF").unwrap(), &["GGUF file", "tiny.gguf"]),
        (
            |d| {
                let text = r#"{"base_model_name_or_path": "swiss-ai/Apertus-8B"}"#;
                fs::write(d.join("adapter_config.json"), text).unwrap();
            },
            &["adapter (LoRA) of swiss-ai/Apertus-8B", "merge_and_unload"],
        ),
        (|d| fs::write(d.join("model.safetensors.incomplete"), "").unwrap(), &["has not ended"]),
    ];
    for (fill, words) in cases {
        let dir = tempfile::tempdir().unwrap();
        fill(dir.path());
        assert!(!HfDir::looks_like(dir.path()));
        says(&dir, words);
    }
}

/// A snapshot in a cache is called by its repository.
#[test]
fn the_name_of_a_model() {
    let cache = tempfile::tempdir().unwrap();
    let snapshot = cache.path().join("models--swiss-ai--Apertus-Tiny/snapshots/0123abcd");
    fs::create_dir_all(&snapshot).unwrap();
    let model = model();
    for file in ["config.json", "model.safetensors"] {
        fs::copy(model.path().join(file), snapshot.join(file)).unwrap();
    }
    assert_eq!(HfDir::open(&snapshot).unwrap().name(), "Apertus-Tiny");
    assert_eq!(HfDir::open(fixture()).unwrap().name(), "tiny");
}

#[test]
fn weights_that_are_not_there() {
    let cases: [(&str, &[&str]); 6] = [
        ("pytorch_model.bin", &["pickled", "save_pretrained"]),
        ("pytorch_model-00001-of-00002.bin", &["pickled", "save_pretrained"]),
        ("consolidated.00.pth", &["pickled"]),
        ("consolidated.safetensors", &["consolidated.safetensors", "Hugging Face's layout"]),
        ("adapter_model.safetensors", &["adapter"]),
        ("model.safetensors.part", &["has not ended"]),
    ];
    for (file, words) in cases {
        let dir = model();
        fs::rename(dir.path().join("model.safetensors"), dir.path().join(file)).unwrap();
        says(&dir, words);
    }
    let dir = model();
    fs::remove_file(dir.path().join("model.safetensors")).unwrap();
    assert!(matches!(open_error(&dir).0, HfError::NoWeights(_)));
    let unfinished = dir.path().join(".cache/huggingface/download");
    fs::create_dir_all(&unfinished).unwrap();
    fs::write(unfinished.join("abc.incomplete"), "").unwrap();
    says(&dir, &["abc.incomplete", "has not ended"]);
}

#[test]
fn shards_without_an_index_and_missing_ones() {
    let (dir, _) = sharded(3);
    fs::remove_file(dir.path().join("model.safetensors.index.json")).unwrap();
    assert_is_the_fixture(&HfDir::open(dir.path()).unwrap());
    fs::remove_file(dir.path().join(shard_name(1, 3))).unwrap();
    says(&dir, &[&shard_name(1, 3), "download it too"]);
    let (dir, _) = sharded(3);
    fs::remove_file(dir.path().join(shard_name(2, 3))).unwrap();
    says(&dir, &[&shard_name(2, 3), "download it too"]);
    // A name that promises more shards than there can be is no reason to look for them all.
    let dir = model();
    let huge = dir.path().join("model-00001-of-99999999999.safetensors");
    fs::rename(dir.path().join("model.safetensors"), huge).unwrap();
    says(&dir, &["model-00001-of-99999999999.safetensors"]);
}

/// A header as it stands before `data`, which is zeros.
fn file(header: &str, data: usize) -> Vec<u8> {
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    bytes.resize(bytes.len() + data, 0);
    bytes
}

#[test]
fn headers() {
    let one = r#""a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}"#;
    let dims = "1,".repeat(9);
    let cases = [
        (format!("{{{one}, {one}}}"), 4, &["names tensor a twice"][..]),
        (r#"{"__metadata__": {}, "__metadata__": {}}"#.into(), 0, &["__metadata__ twice"]),
        (format!("{{{}}}", one.replace("F32", "F3_NEW")), 4, &["\"F3_NEW\"", "does not know"]),
        (format!("{{{one}}}"), 3, &["bytes of", "download it again"]),
        (format!("{{{one}}}"), 5, &["but its header describes"]),
        (format!("{{{}}}", one.replace("[1]", &format!("[{dims}1]"))), 4, &["malformed"]),
        (format!("{{{}}}", one.replace("[1]", "[-1]")), 4, &["malformed"]),
        (format!("{{{}}}", one.replace("[0, 4]", "[0, 4, 8]")), 4, &["malformed"]),
        (format!("{{{}}}", one.replace("[0, 4]", "[4, 8]")), 8, &["malformed"]),
        (format!("{{{}}}", one.replace("[1]", "[4294967296, 4294967296]")), 4, &["malformed"]),
        (format!("{{\"a\": {}", "[".repeat(1 << 20)), 4, &["malformed"]),
        (format!("{{\"__metadata__\": {}", "[".repeat(1 << 20)), 4, &["malformed"]),
        ("[]".into(), 0, &["malformed"]),
    ];
    for (header, data, words) in cases {
        let dir = model();
        fs::write(dir.path().join("model.safetensors"), file(&header, data)).unwrap();
        says(&dir, words);
    }
}

/// The same tensors, bit for bit.
fn assert_is_the_fixture(dir: &HfDir) {
    let original = HfDir::open(fixture()).unwrap();
    let config = (&original).config().unwrap();
    assert_eq!(dir.config().unwrap(), config);
    for role in Role::all(&config) {
        let pair = (dir.tensor(role).unwrap().unwrap(), (&original).tensor(role).unwrap().unwrap());
        assert!(pair.0.dtype == pair.1.dtype && pair.0.data == pair.1.data, "{role}");
    }
    for layer in 0..config.num_layers {
        assert_eq!(dir.raw_xielu(layer).unwrap(), (&original).raw_xielu(layer).unwrap());
    }
}

fn renamed(rename: impl Fn(&str) -> String) -> Tensors {
    fixture_tensors().into_iter().map(|(name, tensor)| (rename(&name), tensor)).collect()
}

#[test]
fn names_with_prefixes() {
    let prefixed: [fn(&str) -> String; 9] = [
        |name| format!("module.{name}"),
        |name| format!("_orig_mod.{name}"),
        |name| format!("module._orig_mod.{name}"),
        |name| {
            format!("_fsdp_wrapped_module.{}", name.replace(".mlp.", "._fsdp_wrapped_module.mlp."))
        },
        |name| name.replace(".self_attn.", "._checkpoint_wrapped_module.self_attn."),
        |name| format!("base_model.model.{name}"),
        |name| name.strip_prefix("model.").unwrap_or(name).into(),
        |name| name.replacen("model.", "model.language_model.", 1),
        |name| format!("language_model.{name}"),
    ];
    for (i, rename) in prefixed.into_iter().enumerate() {
        let mut tensors = renamed(rename);
        if i >= 7 {
            // Parts of the model that text does not need.
            let conv = (Dtype::F32, vec![2, 3, 3, 3], vec![0; 216]);
            tensors.insert("model.vision_tokenizer.encoder.conv_in.weight".into(), conv.clone());
            tensors.insert("vision_tower.conv_in.bias".into(), conv);
        }
        let dir = directory(&fixture_config(), &tensors);
        assert_is_the_fixture(&HfDir::open(dir.path()).unwrap());
    }
    // Twice the same, once with a prefix.
    let mut tensors = fixture_tensors();
    let norm = tensors["model.norm.weight"].clone();
    tensors.insert("module.model.norm.weight".into(), norm);
    says(&directory(&fixture_config(), &tensors), &["model.norm.weight twice"]);
}

#[test]
fn tensors_that_would_be_left_out() {
    let vector = || (Dtype::F32, vec![2], vec![0; 8]);
    for name in [
        "model.norm.bias",
        "lm_head.bias",
        "model.embed_positions.weight",
        "model.layers.0.input_layernorm.weight",
        "model.layers.00.mlp.act_fn.alpha_p",
        "model.layers.0.post_norm.weight",
        "model.layers.0.self_attn.k_scale",
        "model.layers.0.mlp.up_proj.weight_scale",
    ] {
        let mut tensors = fixture_tensors();
        tensors.insert(name.into(), vector());
        let (error, text) = open_error(&directory(&fixture_config(), &tensors));
        assert!(matches!(error, HfError::UnusedTensor(_)) && text.contains(name), "{text}");
    }
    let lora = "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight";
    let mut tensors = fixture_tensors();
    tensors.insert(lora.into(), vector());
    says(&directory(&fixture_config(), &tensors), &["adapter (LoRA)", "merge_and_unload"]);
    let mut fused = fixture_tensors();
    let q = fused.remove("model.layers.0.self_attn.q_proj.weight").unwrap();
    fused.insert("model.layers.0.self_attn.qkv_proj.weight".into(), q);
    says(&directory(&fixture_config(), &fused), &["qkv_proj.weight", "no part of this model"]);
    let foreign = renamed(|name| name.replace("model.", "transformer.").replace("lm_head", "head"));
    says(&directory(&fixture_config(), &foreign), &["head.weight", "not named as"]);
    // RoPE's frequencies are computed.
    let mut tensors = fixture_tensors();
    tensors.insert("model.rotary_emb.inv_freq".into(), vector());
    tensors.insert("model.layers.1.self_attn.rotary_emb.inv_freq".into(), vector());
    assert_is_the_fixture(&HfDir::open(directory(&fixture_config(), &tensors).path()).unwrap());
}

/// As transformers writes it: more rows of the embedding than of the head, which stands outside;
/// parts for images and sound beside the language model.
#[test]
fn the_layout_of_apertus_15() {
    let rows = 1152;
    let mut tensors = renamed(|name| name.replacen("model.", "model.language_model.", 1));
    let embedding = tensors.get_mut("model.language_model.embed_tokens.weight").unwrap();
    embedding.1[0] = rows;
    embedding.2.resize(rows * 128 * 2, 0);
    let image = (Dtype::F32, vec![4, 3, 3, 3], vec![0; 432]);
    tensors.insert("model.vision_tokenizer.encoder.conv_in.weight".into(), image);
    let sound = (Dtype::F32, vec![4, 3, 3], vec![0; 144]);
    tensors.insert("model.audio_tokenizer.encoder.conv.weight".into(), sound);
    let mut text = fixture_config();
    text["model_type"] = "apertus1p5_text".into();
    text["vocab_size"] = rows.into();
    text["output_vocab_size"] = 1024.into();
    let config = json!({
        "architectures": ["Apertus1p5ForConditionalGeneration"],
        "model_type": "apertus1p5",
        "tie_word_embeddings": false,
        "text_config": text,
        "vision_config": {"model_type": "apertus1p5_vision_tokenizer"},
        "audio_config": {"model_type": "wavtokenizer_encoder"},
    });
    let dir = directory(&config, &tensors);
    let model = HfDir::open(dir.path()).unwrap();
    let config = (&model).config().unwrap();
    assert_eq!((config.vocab_size, config.output_vocab_size), (rows, 1024));
    assert_eq!((&model).tensor(Role::TokenEmbd).unwrap().unwrap().rows, rows);
    assert_eq!((&model).tensor(Role::Output).unwrap().unwrap().rows, 1024);
    // A head of as many rows as the embedding contradicts the configuration.
    let head = tensors.get_mut("lm_head.weight").unwrap();
    head.1[0] = rows;
    head.2.resize(rows * 128 * 2, 0);
    says(
        &directory(&json!({"model_type": "apertus1p5", "text_config": text}), &tensors),
        &["lm_head"],
    );
}

#[test]
fn several_files_of_the_same_names() {
    let (dir, map) = sharded(2);
    let twice = map.keys().next().unwrap();
    let mut second: Tensors = fixture_tensors();
    second.retain(|name, _| map[name] == shard_name(1, 2) || name == twice);
    write_tensors(&second, &dir.path().join(shard_name(1, 2)));
    let (error, text) = open_error(&dir);
    assert!(matches!(error, HfError::DuplicateTensor { .. }) && text.contains(twice), "{text}");
}
