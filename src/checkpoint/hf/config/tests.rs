//! Every spelling of `config.json`, against what transformers made of it
//! (`tests/data/hf_configs.py`).

use serde_json::Value;
use std::string::ToString;

use super::*;
use crate::llama::rope::inverse_frequencies;

/// Which of RoPE's frequencies are recorded, but for the last.
const SAMPLE: [usize; 3] = [1, 4, 7];

fn read(config: &Value) -> Result<Config, HfError> {
    let json = ConfigJson(config.as_object().unwrap().clone());
    json.config(false, json.ties_embeddings()?)
}

#[test]
fn every_spelling_is_read_as_transformers_reads_it() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/hf_configs.json");
    let cases: Vec<Value> = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    assert!(cases.len() > 200);
    for case in &cases {
        let (name, result) = (case["name"].as_str().unwrap(), read(&case["config"]));
        let refused = case["refused"].as_str();
        match (result, case.get("expected")) {
            (Err(e), _) if refused.is_some_and(|named| e.to_string().contains(named)) => {}
            (Ok(config), Some(expected)) if refused.is_none() => compare(name, &config, expected),
            (Err(_), None) if case.get("lenient").is_none() => {}
            (Ok(_), None) if case.get("lenient").is_some() => {}
            (result, expected) => panic!("{name}: {result:?}, recorded: {expected:?}"),
        }
    }
}

fn compare(name: &str, config: &Config, expected: &Value) {
    let sizes = [
        ("vocab_size", config.vocab_size),
        ("output_vocab_size", config.output_vocab_size),
        ("hidden_size", config.hidden_size),
        ("intermediate_size", config.intermediate_size),
        ("num_layers", config.num_layers),
        ("num_heads", config.num_heads),
        ("num_kv_heads", config.num_kv_heads),
        ("head_dim", config.head_dim),
        ("context_length", config.context_length),
    ];
    for (key, ours) in sizes {
        assert_eq!(expected[key], ours, "{name}: {key}");
    }
    assert_eq!(expected["rms_norm_eps"].as_f64().unwrap() as f32, config.rms_norm_eps, "{name}");
    assert_eq!(expected["tied"], config.tie_word_embeddings, "{name}");
    let act = match expected["hidden_act"].as_str().unwrap() {
        "xielu" => ActivationKind::Xielu,
        "relu2" => ActivationKind::Relu2,
        "silu" | "swish" => ActivationKind::Swiglu,
        other => panic!("{name}: {other}"),
    };
    assert_eq!(config.hidden_act, act, "{name}");
    let mut ours = std::vec![0.0; config.head_dim / 2];
    inverse_frequencies(&config.rope, None, &mut ours).unwrap();
    let recorded = expected["inv_freq"].as_array().unwrap();
    for (i, truth) in SAMPLE.into_iter().chain([ours.len() - 1]).zip(recorded) {
        let relative = f64::from(ours[i]) / truth.as_f64().unwrap() - 1.0;
        // transformers computes the power in f32.
        assert!(relative.abs() < 2e-6, "{name}: frequency {i} is {}, not {truth}", ours[i]);
    }
}

#[test]
fn numbers_that_f32_does_not_hold_are_refused() {
    let good = || {
        serde_json::json!({
            "model_type": "apertus",
            "rms_norm_eps": 1e-5,
            "rope_parameters": {
                "rope_type": "llama3", "rope_theta": 5e5, "factor": 8, "low_freq_factor": 1,
                "high_freq_factor": 4, "original_max_position_embeddings": 64,
            },
        })
    };
    read(&good()).unwrap();
    for key in ["/rms_norm_eps", "/rope_parameters/rope_theta", "/rope_parameters/factor"]
        .into_iter()
        .chain(["/rope_parameters/low_freq_factor", "/rope_parameters/high_freq_factor"])
    {
        for value in [1e-60, -1e-60, 1e39, -1e39, 1e-45, 1e300, -1.0] {
            let mut config = good();
            *config.pointer_mut(key).unwrap() = value.into();
            let error = read(&config).expect_err(key).to_string();
            let named = key.rsplit('/').next().unwrap().trim_start_matches("rope_");
            assert!(error.contains(named) && !error.contains('\n'), "{key} = {value}: {error}");
        }
    }
    let mut config = good();
    for size in [-1.0, 0.5, 1e20, 1e300] {
        config["hidden_size"] = size.into();
        assert!(read(&config).unwrap_err().to_string().contains("hidden_size"), "{size}");
    }
}

#[test]
fn what_is_not_computed_is_refused() {
    for (key, value) in [
        ("num_experts", serde_json::json!(8)),
        ("final_logit_softcapping", 30.0.into()),
        ("logits_scaling", 8.0.into()),
        ("embedding_multiplier", 12.0.into()),
        ("per_layer_config", serde_json::json!({"1": {"hidden_size": 64}})),
        ("attention_chunk_size", 8192.into()),
        ("rotary_pct", 0.25.into()),
        ("qk_norm", "yes".into()),
    ] {
        let config = |value: &Value| serde_json::json!({"model_type": "apertus", key: value});
        let error = read(&config(&value)).expect_err(key).to_string();
        assert!(error.contains(key), "{error}");
        read(&config(&Value::Null)).expect(key);
    }
}
