//! `--json`: what a script reads is what is printed for people.

use serde_json::{Value, json};
use xielu_testing::hf::changed;

use crate::support::{MODEL, arg, succeeds, text, xielu};

fn object(args: &[&str]) -> Value {
    serde_json::from_str(&succeeds(args)).unwrap()
}

#[test]
fn inspect_tells_a_script_what_it_shows() {
    for (model, format) in [("tests/data/tiny", "hf"), (MODEL, "gguf")] {
        let all = object(&["inspect", model, "--json"]);
        assert_eq!((&all["model"], &all["format"]["name"]), (&json!(model), &json!(format)));
        assert_eq!(all["problems"], json!([]));
        let config = &all["config"];
        for (key, value) in [
            ("hidden_act", json!("xielu")),
            ("num_hidden_layers", json!(4)),
            ("hidden_size", json!(128)),
            ("intermediate_size", json!(672)),
            ("num_attention_heads", json!(4)),
            ("num_key_value_heads", json!(2)),
            ("head_dim", json!(32)),
            ("qk_norm", json!(true)),
            ("rms_norm_eps", json!(1e-5)),
        ] {
            assert_eq!(config[key], value, "{key} of {model}");
        }
        let layers = all["activations"].as_array().unwrap();
        assert_eq!(layers.len(), 4);
        // Layer 3: softplus(0.972656) and 0.5 + softplus(-0.621094).
        let near = |key: &str, expected: f64| {
            let value = layers[3][key].as_f64().unwrap();
            assert!((value - expected).abs() < 1e-4, "{key} {value}");
        };
        near("stored_alpha_p", 0.972656);
        near("stored_alpha_n", -0.621094);
        near("alpha_p", 1.2933);
        near("alpha_n", 0.9301);
        near("beta", 0.5);

        let tensors = all["tensors"].as_array().unwrap();
        let bytes = |key: &str| tensors.iter().map(|t| t[key].as_u64().unwrap()).sum::<u64>();
        assert_eq!(all["bytes"], json!(bytes("bytes")));
        let mlp = tensors.iter().find(|t| t["shape"] == json!([672, 128])).unwrap();
        let (kind, size) = if format == "hf" { ("BF16", 2 * 672 * 128) } else { ("Q8_0", 91392) };
        assert_eq!((&mlp["type"], &mlp["bytes"]), (&json!(kind), &json!(size)));
        let values = |t: &Value| -> u64 {
            t["shape"].as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).product()
        };
        assert_eq!(all["values"], json!(tensors.iter().map(values).sum::<u64>()));
        let short = object(&["inspect", model, "--json", "--no-tensors"]);
        assert_eq!((&short["tensors"], &short["bytes"]), (&Value::Null, &all["bytes"]));
    }
}

#[test]
fn inspect_tells_what_it_cannot_read() {
    let card = json!({"do_sample": true, "temperature": 0.5, "top_k": 7});
    let dir = changed(&[("generation_config.json", card)]);
    let all = object(&["inspect", arg(dir.path()), "--json"]);
    assert_eq!(all["sampling"], json!({"temperature": 0.5, "top_k": 7}));
    let dir = changed(&[("generation_config.json", json!({"top_p": 7}))]);
    let all = object(&["inspect", arg(dir.path()), "--json"]);
    assert_eq!(all["sampling"], Value::Null);
    let problem = all["problems"][0].as_str().unwrap();
    assert!(problem.contains("`top_p` is 7"), "{problem}");
    for more in ["--memory", "--metadata"] {
        let output = xielu(&["inspect", MODEL, "--json", more]).output().unwrap();
        assert!(!output.status.success());
        assert!(text(&output.stderr).contains("cannot be used with"));
    }
}

#[test]
fn perplexity_tells_a_script_what_it_measured() {
    let line = ["perplexity", MODEL, "--text", "models/heldout.txt", "--windows", "6"];
    let shown = succeeds(&line);
    let found = object(&[&line[..], &["--json"]].concat());
    let number = |key: &str| found[key].as_f64().unwrap();
    let expected = format!(
        "perplexity {:.4} +/- {:.4} (loss {:.5}, {} windows of {}, {} predictions)\n",
        number("perplexity"),
        number("standard_error"),
        number("loss"),
        found["windows"],
        found["window"],
        found["predictions"]
    );
    assert_eq!(shown, expected);
    assert_eq!((&found["windows"], &found["tokens"]), (&json!(6), &json!(6 * 256)));
    assert!((number("loss").exp() - number("perplexity")).abs() < 1e-9);
    assert!(number("standard_error") > 0.0);
}
