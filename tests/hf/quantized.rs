//! Quantized Hugging Face directories: FP8 as compressed-tensors and transformers widen it
//! (`tests/data/fp8.py`), and the names of what is not read.

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;

use safetensors::tensor::{Dtype, SafeTensors};
use serde_json::{Value, json};
use tempfile::TempDir;
use xielu::checkpoint::gguf::Gguf;
use xielu::checkpoint::hf::{HfDir, HfError};
use xielu::checkpoint::{Checkpoint, LayerRole, Role};
use xielu::convert::{Progress, Types, convert_hf};
use xielu::kernels::DType;
use xielu_testing::hf::{Tensors, directory, fixture_config, fixture_tensors};

use crate::open_error::open_error;

const UP: Role = Role::Layer(0, LayerRole::FfnUp);
const UP_NAME: &str = "model.layers.0.mlp.up_proj.weight";

/// A matrix of the data, and how its directory names it.
struct Case {
    name: String,
    suffix: String,
    quantization: Value,
    weight: (Dtype, Vec<usize>, Vec<u8>),
    scale: (Dtype, Vec<usize>, Vec<u8>),
    expected: (Dtype, Vec<usize>, Vec<u8>),
}

fn cases() -> Vec<Case> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/fp8.safetensors");
    let bytes = fs::read(path).unwrap();
    let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let tensor = |name: &str, part: &str| {
        let t = file.tensor(&format!("{name}.{part}")).unwrap();
        (t.dtype(), t.shape().to_vec(), t.data().to_vec())
    };
    let settings = header.metadata().clone().unwrap();
    let case = |(name, text): (String, String)| {
        let settings: Value = serde_json::from_str(&text).unwrap();
        Case {
            suffix: settings["suffix"].as_str().unwrap().into(),
            quantization: settings["quantization_config"].clone(),
            weight: tensor(&name, "weight"),
            scale: tensor(&name, "scale"),
            expected: tensor(&name, "expected"),
            name,
        }
    };
    settings.into_iter().map(case).collect()
}

/// A model of one layer whose `up_proj` is 48 x 64.
fn model() -> (Value, Tensors) {
    let mut config = fixture_config();
    for (key, value) in [
        ("vocab_size", 32),
        ("hidden_size", 64),
        ("intermediate_size", 48),
        ("num_hidden_layers", 1),
        ("num_attention_heads", 2),
        ("num_key_value_heads", 1),
    ] {
        config[key] = value.into();
    }
    let mut tensors = Tensors::new();
    let mut add = |name: &str, shape: &[usize]| {
        let count: usize = shape.iter().product();
        let data = (0..count).flat_map(|i| (0x3c00 + (i * 37 % 1024) as u16).to_le_bytes());
        tensors.insert(name.into(), (Dtype::BF16, shape.to_vec(), data.collect()));
    };
    add("model.embed_tokens.weight", &[32, 64]);
    add("lm_head.weight", &[32, 64]);
    add("model.norm.weight", &[64]);
    for (name, shape) in [
        ("self_attn.q_proj.weight", &[64, 64][..]),
        ("self_attn.k_proj.weight", &[32, 64]),
        ("self_attn.v_proj.weight", &[32, 64]),
        ("self_attn.o_proj.weight", &[64, 64]),
        ("self_attn.q_norm.weight", &[32]),
        ("self_attn.k_norm.weight", &[32]),
        ("attention_layernorm.weight", &[64]),
        ("feedforward_layernorm.weight", &[64]),
        ("mlp.up_proj.weight", &[48, 64]),
        ("mlp.down_proj.weight", &[64, 48]),
        ("mlp.act_fn.alpha_p", &[1]),
        ("mlp.act_fn.alpha_n", &[1]),
    ] {
        add(&format!("model.layers.0.{name}"), shape);
    }
    (config, tensors)
}

fn in_fp8(case: &Case) -> TempDir {
    let (mut config, mut tensors) = model();
    config["quantization_config"] = case.quantization.clone();
    tensors.insert(UP_NAME.into(), case.weight.clone());
    let scale = UP_NAME.replace("weight", &case.suffix);
    tensors.insert(scale, case.scale.clone());
    // What quantizers leave for activations and caches.
    for name in ["self_attn.k_scale", "self_attn.v_scale", "mlp.up_proj.input_scale"] {
        let one = (Dtype::F32, vec![1], 1f32.to_le_bytes().to_vec());
        tensors.insert(format!("model.layers.0.{name}"), one);
    }
    directory(&config, &tensors)
}

fn convert(dir: &HfDir, dtype: DType) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("out.gguf");
    let go_on = |_: Progress<'_>| ControlFlow::Continue(());
    let types = Types::uniform(dtype);
    convert_hf(dir, &output, &types, None, go_on).unwrap();
    fs::read(output).unwrap()
}

#[test]
fn fp8_is_widened_as_compressed_tensors_and_transformers_do() {
    let cases = cases();
    assert!(cases.len() >= 11);
    for case in cases {
        let name = &case.name;
        let dir = in_fp8(&case);
        let model = HfDir::open(dir.path()).unwrap();
        let matrix = model.fp8(UP).unwrap();
        let dtype = match case.expected.0 {
            Dtype::F32 => DType::F32,
            Dtype::F16 => DType::F16,
            _ => DType::BF16,
        };
        assert_eq!((matrix.dtype, matrix.rows, matrix.cols), (dtype, 48, 64), "{name}");
        assert_eq!(matrix.widened_len(), Some(case.expected.2.len()), "{name}");
        assert_eq!(model.widened_bytes(), case.expected.2.len(), "{name}");
        assert!(model.notes().any(|note| note.contains("FP8")), "{name}");
        // A part, and all.
        let row = case.expected.2.len() / 48;
        let mut part = vec![0; 5 * row];
        assert!(matrix.widen(30..35, &mut part));
        assert!(part == case.expected.2[30 * row..35 * row], "{name}");
        assert!(!matrix.widen(44..49, &mut part) && !matrix.widen(0..4, &mut part));
        let whole = (&model).tensor(UP).unwrap().unwrap();
        assert_eq!(whole.dtype, dtype, "{name}");
        assert!(whole.data == case.expected.2, "{name}");

        // Converted: what the model with the widened weights becomes, in every type.
        let (config, tensors) = model_with(&case.expected);
        let plain = directory(&config, &tensors);
        let plain = HfDir::open(plain.path()).unwrap();
        for to in [dtype, DType::Q8_0] {
            let (ours, theirs) = (convert(&model, to), convert(&plain, to));
            let (ours, theirs) = (Gguf::parse(&ours).unwrap(), Gguf::parse(&theirs).unwrap());
            for role in Role::all(&ours.config().unwrap()) {
                let pair = (ours.tensor(role).unwrap(), theirs.tensor(role).unwrap());
                let (Some(a), Some(b)) = pair else { panic!("{role}") };
                assert!(a.dtype == b.dtype && a.data == b.data, "{name}: {role} as {to}");
            }
        }
    }
}

fn model_with(up: &(Dtype, Vec<usize>, Vec<u8>)) -> (Value, Tensors) {
    let (config, mut tensors) = model();
    tensors.insert(UP_NAME.into(), up.clone());
    (config, tensors)
}

#[test]
fn fp8_that_cannot_be_widened() {
    type Change = fn(&mut Tensors);
    let scale = "model.layers.0.mlp.up_proj.weight_scale";
    let cases: [(Change, &str); 9] = [
        (|t| drop(t.remove("model.layers.0.mlp.up_proj.weight_scale")), "no scales"),
        (
            |t| t.get_mut("model.layers.0.mlp.up_proj.weight_scale").unwrap().1 = vec![1, 48],
            "scales",
        ),
        (|t| change_scale(t, (Dtype::BF16, vec![2], vec![0; 4])), "scales"),
        (|t| change_scale(t, (Dtype::I8, vec![1], vec![1])), "I8"),
        (|t| change_scale(t, (Dtype::BF16, vec![1], vec![0xc0, 0x7f])), "NaN or infinite"),
        (|t| t.get_mut(UP_NAME).unwrap().0 = Dtype::F8_E5M2, "F8_E5M2"),
        (|t| t.get_mut(UP_NAME).unwrap().0 = Dtype::I8, "I8"),
        (
            |t| drop(t.insert("model.norm.weight".into(), (Dtype::F8_E4M3, vec![64], vec![0; 64]))),
            "F8_E4M3",
        ),
        (
            |t| {
                let zeros = (Dtype::BF16, vec![48, 1], vec![1; 96]);
                t.insert("model.layers.0.mlp.up_proj.weight_zero_point".into(), zeros);
            },
            "weight_zero_point",
        ),
    ];
    let case = cases_named("channel_bf16");
    for (change, named) in cases {
        let (mut config, mut tensors) = model_with(&case.weight);
        config["quantization_config"] = case.quantization.clone();
        tensors.insert(scale.into(), case.scale.clone());
        change(&mut tensors);
        let (_, text) = open_error(&directory(&config, &tensors));
        assert!(text.contains(named), "{named}: {text}");
    }
}

fn change_scale(tensors: &mut Tensors, scale: (Dtype, Vec<usize>, Vec<u8>)) {
    tensors.insert("model.layers.0.mlp.up_proj.weight_scale".into(), scale);
}

fn cases_named(name: &str) -> Case {
    cases().into_iter().find(|case| case.name == name).unwrap()
}

/// Formats that are not read: by `config.json`, by a file beside it, or by their tensors alone.
#[test]
fn other_formats_are_named() {
    let groups = |bits: u32, kind: &str| json!({"group_0": {"weights": {"num_bits": bits, "type": kind}, "input_activations": null}});
    let by_config = [
        (json!({"quant_method": "gptq", "bits": 4}), "GPTQ, 4 bits"),
        (json!({"quant_method": "awq", "bits": 4, "version": "gemm"}), "AWQ, 4 bits"),
        (json!({"quant_method": "bitsandbytes", "load_in_4bit": true}), "bitsandbytes, 4 bits"),
        (json!({"quant_method": "bitsandbytes", "load_in_8bit": true}), "bitsandbytes, 8 bits"),
        (
            json!({"quant_method": "compressed-tensors", "format": "pack-quantized",
                   "config_groups": groups(4, "int")}),
            "W4A16",
        ),
        (
            json!({"quant_method": "compressed-tensors", "format": "pack-quantized"}),
            "pack-quantized",
        ),
        (
            json!({"quant_method": "compressed-tensors", "format": "int-quantized",
                   "config_groups": groups(8, "int")}),
            "int-quantized",
        ),
        (json!({"quant_method": "compressed-tensors", "format": "nvfp4-pack-quantized"}), "NVFP4"),
        (
            json!({"quant_method": "compressed-tensors", "format": "dense",
                   "sparsity_config": {"format": "sparse-24-bitmask"}}),
            "sparse-24-bitmask",
        ),
        (json!({"quant_method": "modelopt", "quant_algo": "NVFP4"}), "NVFP4"),
        (json!({"quant_algo": "W4A8_AWQ"}), "W4A8_AWQ"),
        (json!({"quant_method": "fp8", "fmt": "e5m2"}), "E5M2"),
        (json!({"quant_method": "mxfp4"}), "MXFP4"),
        (json!({"quant_method": "hqq"}), "HQQ"),
        (json!({"quant_method": "something-new"}), "something-new"),
        (json!({"group_size": 64, "bits": 4}), "MLX, 4 bits"),
        (json!({"modules_to_not_convert": []}), "a format that is not named"),
        (
            json!({"quant_method": "compressed-tensors", "format": "float-quantized",
                   "config_groups": {"group_0": {"weights": {
                       "num_bits": 8, "type": "float", "symmetric": false}}}}),
            "asymmetric",
        ),
    ];
    let tensors = fixture_tensors();
    for (quantization, named) in &by_config {
        for key in ["quantization_config", "quantization"] {
            let mut config = fixture_config();
            config[key] = quantization.clone();
            refused(&directory(&config, &tensors), named);
        }
    }
    for (file, text, named) in [
        ("hf_quant_config.json", r#"{"quantization": {"quant_algo": "NVFP4"}}"#, "NVFP4"),
        ("quantize_config.json", r#"{"bits": 4, "group_size": 128}"#, "GPTQ, 4 bits"),
        ("quant_config.json", r#"{"w_bit": 4, "q_group_size": 128}"#, "AWQ, 4 bits"),
    ] {
        let dir = directory(&fixture_config(), &tensors);
        fs::write(dir.path().join(file), text).unwrap();
        refused(&dir, named);
    }
    for (end, named) in [
        ("qweight", "GPTQ or AWQ"),
        ("weight_packed", "pack-quantized"),
        ("weight_scale_2", "NVFP4"),
        ("weight.absmax", "bitsandbytes"),
    ] {
        let mut tensors = fixture_tensors();
        let name = format!("model.layers.0.mlp.up_proj.{end}");
        tensors.insert(name, (Dtype::U8, vec![4], vec![0; 4]));
        refused(&directory(&fixture_config(), &tensors), named);
    }
    // Nothing is quantized.
    for nothing in
        [json!(null), json!({}), json!({"quant_method": "compressed-tensors", "format": "dense"})]
    {
        let mut config = fixture_config();
        config["quantization_config"] = nothing;
        HfDir::open(directory(&config, &tensors).path()).unwrap();
    }
}

fn refused(dir: &TempDir, named: &str) {
    let (error, text) = open_error(dir);
    assert!(matches!(error, HfError::Quantized(_)) && text.contains(named), "{named}: {text}");
}
