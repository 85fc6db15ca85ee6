//! Hugging Face directories that are wrong in one way each.

use std::fs;

use safetensors::tensor::Dtype;
use serde_json::{Value, json};
use xielu::checkpoint::hf::{HfDir, HfError};
use xielu_testing::hf::{
    Tensors, directory, fixture_config, fixture_tensors, shard_name, sharded, write_index,
    write_tensors,
};

use crate::open_error::open_error;

/// Each entry changes one key of `config.json`; the error names it.
#[test]
fn bad_configurations() {
    let cases = [
        ("/model_type", json!("mistral"), "model_type"),
        ("/model_type", Value::Null, "model_type"),
        ("/model_type", json!(3), "model_type"),
        ("/hidden_act", json!("gelu"), "hidden_act"),
        ("/hidden_act", json!("silu"), "hidden_act"),
        ("/attention_bias", json!(true), "attention_bias"),
        ("/mlp_bias", json!(true), "mlp_bias"),
        ("/partial_rotary_factor", json!(0.5), "partial_rotary_factor"),
        ("/rope_parameters/rope_type", json!("yarn"), "rope_type"),
        ("/rope_parameters/factor", json!(0.0), "factor"),
        ("/rope_parameters/factor", Value::Null, "factor"),
        ("/rope_parameters/low_freq_factor", json!(4.0), "high_freq_factor"),
        ("/rope_parameters/original_max_position_embeddings", json!(0), "original_max_position"),
        ("/rope_parameters/rope_theta", Value::Null, "rope_theta"),
        ("/rope_parameters/rope_theta", json!(-1.0), "theta"),
        ("/hidden_size", Value::Null, "hidden_size"),
        ("/hidden_size", json!("128"), "hidden_size"),
        ("/hidden_size", json!(-128), "hidden_size"),
        ("/hidden_size", json!(130), "head_dim"),
        ("/num_attention_heads", json!(0), "num_heads"),
        ("/num_key_value_heads", json!(3), "num_kv_heads"),
        ("/num_hidden_layers", json!(0), "num_layers"),
        ("/num_hidden_layers", json!(5), "model.layers.4.attention_layernorm.weight"),
        ("/num_hidden_layers", json!(3), "model.layers.3."),
        ("/num_hidden_layers", json!(1u64 << 40), "num_layers"),
        ("/intermediate_size", json!(640), "model.layers.0.mlp.up_proj.weight"),
        ("/vocab_size", json!(1000), "model.embed_tokens.weight"),
        ("/rms_norm_eps", json!(-1.0), "rms_norm_eps"),
        ("/max_position_embeddings", Value::Null, "max_position_embeddings"),
    ];
    let tensors = fixture_tensors();
    for (pointer, value, named) in cases {
        let mut config = fixture_config();
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        config.pointer_mut(parent).unwrap()[key] = value.clone();
        let (_, text) = open_error(&directory(&config, &tensors));
        assert!(text.contains(named), "{pointer} = {value}: {text}");
    }
}

/// Each entry changes one tensor; the error is of the right kind and names it.
#[test]
fn bad_tensors() {
    type Change = fn(&mut Tensors, String);
    type Kind = fn(&HfError) -> bool;
    let shape: Kind = |e| matches!(e, HfError::Shape { .. });
    let missing: Kind = |e| matches!(e, HfError::MissingTensor(_));
    let unused: Kind = |e| matches!(e, HfError::UnusedTensor(_));
    let dtype: Kind = |e| matches!(e, HfError::DType { .. });
    let remove: Change = |t, name| drop(t.remove(&name).unwrap());
    let zeros: Change = |t, name| drop(t.insert(name, (Dtype::F32, vec![2], vec![0; 8])));
    let empty: Change = |t, name| drop(t.insert(name, (Dtype::F32, vec![0], vec![])));
    let square: Change = |t, name| drop(t.insert(name, (Dtype::F32, vec![1, 1], vec![0; 4])));
    let retype: Change = |t, name| t.get_mut(&name).unwrap().0 = Dtype::I16;
    let nan: Change = |t, name| t.get_mut(&name).unwrap().2 = vec![0xc0, 0x7f];
    let infinite: Change = |t, name| t.get_mut(&name).unwrap().2 = vec![0x80, 0xff];
    let not_finite: Kind = |e| matches!(e, HfError::NotFinite(_));
    let transpose: Change = |t, name| t.get_mut(&name).unwrap().1.reverse();
    let flatten: Change = |t, name| {
        let shape = &mut t.get_mut(&name).unwrap().1;
        *shape = vec![shape.iter().product()];
    };
    let cases = [
        ("model.layers.0.mlp.act_fn.alpha_p", remove, missing),
        ("model.layers.3.mlp.act_fn.alpha_n", remove, missing),
        ("model.layers.1.mlp.act_fn.alpha_p", zeros, shape),
        ("model.layers.1.mlp.act_fn.alpha_n", empty, shape),
        ("model.layers.1.mlp.act_fn.alpha_n", square, shape),
        ("model.layers.2.mlp.act_fn.beta", zeros, shape),
        ("model.layers.2.mlp.act_fn.eps", retype, dtype),
        ("model.layers.2.mlp.act_fn.alpha_p", retype, dtype),
        ("model.layers.2.mlp.act_fn.alpha_n", nan, not_finite),
        ("model.layers.0.mlp.act_fn.beta", infinite, not_finite),
        ("model.layers.0.mlp.up_proj.weight", remove, missing),
        ("model.layers.0.mlp.down_proj.weight", transpose, shape),
        ("model.layers.0.mlp.down_proj.weight", flatten, shape),
        ("model.layers.0.mlp.up_proj.weight", retype, dtype),
        ("model.layers.0.self_attn.q_norm.weight", zeros, shape),
        ("model.layers.2.self_attn.k_norm.weight", remove, missing),
        ("model.norm.weight", remove, missing),
        ("model.embed_tokens.weight", remove, missing),
        ("lm_head.weight", retype, dtype),
        ("model.layers.0.self_attn.q_proj.bias", zeros, unused),
        ("model.layers.0.mlp.gate_proj.weight", zeros, unused),
        ("model.layers.4.mlp.up_proj.weight", zeros, unused),
    ];
    for (name, change, kind) in cases {
        let mut tensors = fixture_tensors();
        change(&mut tensors, name.into());
        let (error, text) = open_error(&directory(&fixture_config(), &tensors));
        assert!(kind(&error) && text.contains(name), "{name}: {text}");
    }
}

#[test]
fn bad_files() {
    let empty = tempfile::tempdir().unwrap();
    assert!(!HfDir::looks_like(empty.path()));
    let (error, text) = open_error(&empty);
    assert!(matches!(error, HfError::NoConfig { .. }) && text.contains("config.json"), "{text}");

    let config = fixture_config().to_string();
    fs::write(empty.path().join("config.json"), &config).unwrap();
    assert!(HfDir::looks_like(empty.path()));
    assert!(matches!(open_error(&empty).0, HfError::NoWeights(_)));

    let dir = directory(&fixture_config(), &fixture_tensors());
    for malformed in ["", "{", "[]", "{\"vocab_size\": 1e400}", "\u{0}"] {
        fs::write(dir.path().join("config.json"), malformed).unwrap();
        assert!(matches!(open_error(&dir).0, HfError::Json { .. }), "{malformed}");
    }
    fs::write(dir.path().join("config.json"), &config).unwrap();
    let weights = dir.path().join("model.safetensors");
    let whole = fs::read(&weights).unwrap();
    for cut in [0, 1, 7, 8, 9, 100, whole.len() / 2, whole.len() - 1] {
        fs::write(&weights, &whole[..cut]).unwrap();
        let (error, text) = open_error(&dir);
        let damaged = matches!(error, HfError::Safetensors { .. } | HfError::WrongLength { .. });
        assert!(damaged, "{cut}: {text}");
    }
    let mut huge_header = whole.clone();
    huge_header[..8].copy_from_slice(&u64::MAX.to_le_bytes());
    fs::write(&weights, &huge_header).unwrap();
    assert!(matches!(open_error(&dir).0, HfError::Safetensors { .. }));
    fs::remove_file(&weights).unwrap();
    fs::create_dir(&weights).unwrap();
    assert!(matches!(open_error(&dir).0, HfError::NotAFile(_)));
}

#[test]
fn bad_indexes() {
    let outside = tempfile::tempdir().unwrap();
    write_tensors(&fixture_tensors(), &outside.path().join("all.safetensors"));
    let absolute = outside.path().join("all.safetensors").display().to_string();
    let traversals =
        ["../x.safetensors", "..", ".", "", "/etc/passwd", "a/b", "./a", "a/", absolute.as_str()];
    let (dir, map) = sharded(3);
    for path in traversals {
        let mut bad = map.clone();
        bad.insert("lm_head.weight".into(), path.into());
        write_index(dir.path(), &bad);
        let (error, text) = open_error(&dir);
        assert!(matches!(&error, HfError::ShardPath(p) if p == path), "{path}: {text}");
    }

    let mut bad = map.clone();
    bad.insert("lm_head.weight".into(), shard_name(1, 3));
    write_index(dir.path(), &bad);
    assert!(matches!(open_error(&dir).0, HfError::NotInShard { .. }));
    bad.insert("lm_head.weight".into(), map["lm_head.weight"].clone());
    bad.insert("model.more".into(), shard_name(1, 3));
    write_index(dir.path(), &bad);
    let (error, text) = open_error(&dir);
    assert!(matches!(error, HfError::NotInShard { .. }) && text.contains("model.more"), "{text}");

    bad.insert("model.more".into(), "model-00004-of-00003.safetensors".into());
    write_index(dir.path(), &bad);
    let (error, text) = open_error(&dir);
    let missing = matches!(error, HfError::MissingShard { .. });
    assert!(missing && text.contains("model-00004"), "{text}");

    fs::write(dir.path().join("model.safetensors.index.json"), "{\"weight_map\": []}").unwrap();
    assert!(matches!(open_error(&dir).0, HfError::Json { .. }));

    write_index(dir.path(), &map);
    let second = dir.path().join(shard_name(1, 3));
    fs::copy(dir.path().join(shard_name(0, 3)), second).unwrap();
    assert!(matches!(open_error(&dir).0, HfError::DuplicateTensor { .. }));
}
