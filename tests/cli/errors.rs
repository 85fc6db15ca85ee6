//! What users meet: one clear line, and an exit code that is not 0.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use crate::support::{
    MODEL, PROMPT, TEXT, arg, fails, fails_of, in_repository, patched, succeeds, xielu,
};

/// Asserts that every one of `parts` is in the error of `args`.
fn fails_with(args: &[&str], parts: &[&str]) {
    let error = fails(args);
    for part in parts {
        assert!(error.contains(part), "{part:?} in {error:?}");
    }
}

fn generate(model: &Path) -> Vec<&str> {
    vec!["generate", arg(model), "--prompt", PROMPT]
}

#[test]
fn missing_files() {
    for command in [
        &["generate", "nowhere.gguf", "--prompt", "x"][..],
        &["perplexity", "nowhere.gguf", "--text", TEXT],
        &["inspect", "nowhere.gguf"],
        &["quantize", "nowhere.gguf", "out.gguf", "--type", "q8_0"],
        &["bench", "nowhere.gguf"],
    ] {
        fails_with(command, &["nowhere.gguf", "No such file"]);
    }
    fails_with(&["perplexity", MODEL, "--text", "nowhere.txt"], &["nowhere.txt", "No such file"]);
    fails_with(
        &["generate", MODEL, "--prompt-file", "nowhere.txt"],
        &["nowhere.txt", "No such file"],
    );
    fails_with(&["inspect", "src"], &["without config.json", "Hugging Face model directory"]);
    fails_with(&["inspect", "tests/data/tiny/model.safetensors"], &["give its directory"]);
    fails_with(&["inspect", "Cargo.toml"], &["does not begin with \"GGUF\"", "give a GGUF file"]);
}

#[test]
fn a_truncated_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("half.gguf");
    let bytes = fs::read(in_repository(MODEL)).unwrap();
    fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    fails_with(&generate(&path), &["beyond the end of the file", "half.gguf"]);
}

#[test]
fn an_unsupported_architecture() {
    let dir = tempfile::tempdir().unwrap();
    let path = patched(dir.path(), "general.architecture", b"apertus", b"unheard");
    fails_with(&generate(&path), &["\"unheard\"", "apertus (xIELU)"]);
    let out = succeeds(&["inspect", arg(&path)]);
    assert!(out.contains("cannot run the model") && out.contains("blk.0.ffn_up.weight"), "{out}");
}

#[test]
fn an_unsupported_tensor_type() {
    // n_dims 2, dimensions 128 and 672, then the type: Q8_0 (8) becomes I8 (24).
    let info = |kind: u8| {
        [
            2u32.to_le_bytes(),
            128u32.to_le_bytes(),
            [0; 4],
            672u32.to_le_bytes(),
            [0; 4],
            [kind, 0, 0, 0],
        ]
        .concat()
    };
    let dir = tempfile::tempdir().unwrap();
    let path = patched(dir.path(), "blk.0.ffn_up.weight", &info(8), &info(24));
    fails_with(&generate(&path), &["blk.0.ffn_up.weight", "I8", "xielu quantize"]);
    let out = succeeds(&["inspect", arg(&path)]);
    let line = out.lines().find(|l| l.contains("blk.0.ffn_up.weight")).unwrap();
    assert!(line.contains(" I8 "), "{line}");
    let output = dir.path().join("out.gguf");
    fails_with(&["quantize", arg(&path), arg(&output), "--type", "f16"], &["I8"]);
    assert!(!output.exists());
}

#[test]
fn no_tokenizer_or_an_unknown_one() {
    let dir = tempfile::tempdir().unwrap();
    let key = "tokenizer.ggml.token";
    let path = patched(dir.path(), "tokenizer.ggml.pre", key.as_bytes(), b"tokenizer.ggml.tokem");
    fails_with(&generate(&path), &["no vocabulary", "Hugging Face directory"]);
    let path = patched(dir.path(), "tokenizer.ggml.pre", b"gpt-2", b"gpt-9");
    fails_with(&generate(&path), &["\"gpt-9\"", "known are", "llama-bpe"]);
    let path = patched(dir.path(), "tokenizer.ggml.model", b"gpt2", b"bert");
    fails_with(&generate(&path), &["\"bert\"", "byte-level BPE"]);
    // A model without text can still be measured for speed.
    succeeds(&["bench", arg(&path), "--prompt", "2", "-n", "1", "--repeats", "1"]);

    let hf = tempfile::tempdir().unwrap();
    for name in ["config.json", "model.safetensors"] {
        fs::copy(in_repository("tests/data/tiny").join(name), hf.path().join(name)).unwrap();
    }
    fails_with(&generate(hf.path()), &["tokenizer.json is missing"]);
    fs::write(hf.path().join("tokenizer.json"), "{").unwrap();
    fails_with(&generate(hf.path()), &["tokenizer.json: it is not JSON"]);
    fs::remove_file(hf.path().join("model.safetensors")).unwrap();
    fails_with(&generate(hf.path()), &["neither model.safetensors", "download"]);
}

#[test]
fn a_full_context() {
    fails_with(
        &["generate", MODEL, "--prompt", PROMPT, "-n", "400"],
        &["context full", "410", "256", "--context"],
    );
    fails_with(&["generate", MODEL, "--prompt", PROMPT, "--context", "5"], &["context full"]);
}

#[test]
fn empty_and_short_input() {
    fails_with(&["generate", MODEL, "--prompt", ""], &["prompt is empty"]);
    let dir = tempfile::tempdir().unwrap();
    let short = dir.path().join("short.txt");
    fs::write(&short, "too short").unwrap();
    fails_with(&["perplexity", MODEL, "--text", arg(&short)], &["less than one window of 256"]);
    fails_with(&["perplexity", MODEL, "--text", TEXT, "--window", "2"], &["--window 2"]);
    fs::write(&short, [0xff, 0xfe]).unwrap();
    fails_with(&["perplexity", MODEL, "--text", arg(&short)], &["short.txt", "UTF-8"]);
}

#[test]
fn impossible_options() {
    let generate = |flag, value| fails(&["generate", MODEL, "--prompt", "x", flag, value]);
    assert!(generate("--temp", "nan").contains("--temp"));
    assert!(generate("--top-p", "0").contains("--top-p"));
    assert!(generate("--context", "99999999999999").contains("lower --context"));
    assert!(fails(&["bench", MODEL, "--repeats", "0"]).contains("--repeats is 0"));
    // Clap's own errors have the exit code 2 and name the values that are possible.
    let output = xielu(&["selftest", "--isa", "sse9"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("known are: scalar"), "{error}");
    let output = xielu(&["quantize", MODEL, "out.gguf"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn an_instruction_set_of_another_machine() {
    let mut all = xielu::kernels::Isa::ALL.into_iter();
    let missing = all.find(|isa| !isa.is_available()).expect("no machine is of all architectures");
    let error = fails(&["selftest", "--isa", missing.name()]);
    assert!(error.contains("does not run") && error.contains("scalar"), "{error}");
}

#[test]
fn a_reader_that_has_gone_is_no_error() {
    for args in [
        &["selftest"][..],
        &["inspect", MODEL],
        &["generate", MODEL, "--prompt", PROMPT],
        &["bench", MODEL, "--prompt", "2", "-n", "1", "--repeats", "1"],
    ] {
        let mut child = xielu(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success() && !error.contains("error"), "{args:?}: {error}");
        assert!(!error.contains("panicked"), "{args:?}: {error}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn output_that_cannot_be_written_is_one_line() {
    for args in [&["inspect", MODEL][..], &["selftest"]] {
        let full = fs::File::options().write(true).open("/dev/full").unwrap();
        let output = xielu(args).stdout(full).output().unwrap();
        let error = fails_of(args, output);
        assert!(error.contains("No space left"), "{error}");
    }
}

#[cfg(not(feature = "train"))]
#[test]
fn commands_of_training_name_the_feature() {
    for args in [
        &["train"][..],
        &["train", "--preset", "smoke", "--data", "x.txt", "--out", "run"],
        &["train", "--help"],
        &["export", "run", "model", "--dtype", "bf16"],
        &["compare", "--seeds", "0,1"],
    ] {
        let name = format!("`xielu {}` needs feature `train`", args[0]);
        fails_with(args, &[&name, "cargo install --path . --features cli,train"]);
    }
}
