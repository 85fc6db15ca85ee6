//! Weights in FP8, widened as the command opens the model.

use std::fs;

use safetensors::tensor::Dtype;
use serde_json::json;
use xielu_testing::hf::{directory, fixture, fixture_config, fixture_tensors};
/// Widening comes before the command makes its threads, and does not make them in its place.
#[test]
fn the_command_runs_fp8_on_the_threads_asked_for() {
    let (mut config, mut tensors) = (fixture_config(), fixture_tensors());
    config["quantization_config"] = json!({"quant_method": "fp8"});
    let name = "model.layers.0.self_attn.q_proj.weight";
    tensors.insert(name.into(), (Dtype::F8_E4M3, vec![128, 128], vec![0x20; 128 * 128]));
    let one = (Dtype::F32, vec![1], 0.05f32.to_le_bytes().to_vec());
    tensors.insert(format!("{name}_scale"), one);
    let dir = directory(&config, &tensors);
    fs::copy(fixture().join("tokenizer.json"), dir.path().join("tokenizer.json")).unwrap();
    for threads in ["1", "2"] {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_xielu"))
            .arg("generate")
            .arg(dir.path())
            .args(["--threads", threads, "--prompt", "fn", "-n", "2"])
            .output()
            .unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{error}");
        assert!(error.contains("note: weights in FP8"), "{error}");
    }
}
