//! `xielu quantize`: good runs, and everything that may stop one.

use std::fs;
use std::path::Path;

use xielu::checkpoint::AtomicFile;
use xielu::checkpoint::gguf::Gguf;

use crate::support::{MODEL, TEXT, arg, fails, in_repository, succeeds, xielu};

/// Names in a folder.
fn files(dir: &Path) -> Vec<String> {
    let names = fs::read_dir(dir).unwrap().map(|f| f.unwrap().file_name().into_string().unwrap());
    names.collect()
}

/// Name, type and bytes of every tensor, by name.
fn tensors(path: &Path) -> Vec<(String, String, Vec<u8>)> {
    let bytes = fs::read(path).unwrap();
    let gguf = Gguf::parse(&bytes).unwrap();
    let mut all: Vec<_> = gguf
        .tensors()
        .map(|t| (t.name.into(), t.ggml_type.to_string(), gguf.tensor_data(&t).unwrap().to_vec()))
        .collect();
    all.sort();
    all
}

#[test]
fn the_tensors_are_those_of_llama_cpp() {
    let dir = tempfile::tempdir().unwrap();
    for (kind, theirs) in [("q8_0", MODEL), ("q4_0", "tests/data/tiny-Q4_0.gguf")] {
        for input in ["tests/data/tiny", "tests/data/tiny-bf16.gguf"] {
            let output = dir.path().join(kind);
            let out = succeeds(&["quantize", input, arg(&output), "--type", kind, "--force"]);
            assert!(out.contains(&format!("BF16 -> {}", kind.to_uppercase())), "{out}");
            assert!(out.contains("together") && out.contains("SNR"), "{out}");
            assert!(tensors(&output) == tensors(&in_repository(theirs)), "{input} to {kind}");
        }
    }
    assert_eq!(files(dir.path()).len(), 2);
}

#[test]
fn the_type_may_come_last_as_in_llama_cpp() {
    let dir = tempfile::tempdir().unwrap();
    let output = dir.path().join("out.gguf");
    succeeds(&["quantize", "tests/data/tiny-bf16.gguf", arg(&output), "Q4_0"]);
    assert!(tensors(&output) == tensors(&in_repository("tests/data/tiny-Q4_0.gguf")));
    let unknown = ["quantize", "tests/data/tiny-bf16.gguf", arg(&output), "--type", "q3_x"];
    let result = xielu(&unknown).output().unwrap();
    let said = String::from_utf8(result.stderr).unwrap();
    assert_eq!(result.status.code(), Some(2), "{said}");
    assert!(said.contains("--type does not know q3_x; it takes q2_k, "), "{said}");
    assert!(!said.trim_end().contains('\n'), "{said}");
}

#[test]
fn parts_get_the_types_they_are_given() {
    let dir = tempfile::tempdir().unwrap();
    let output = dir.path().join("mixed.gguf");
    let types = "--mlp q4_0 --rest q8_0 --embeddings f16 --output-type BF16";
    let mut args = vec!["quantize", "tests/data/tiny", arg(&output)];
    args.extend(types.split(' '));
    succeeds(&args);
    for (name, kind, _) in tensors(&output) {
        let expected = match name.as_str() {
            "token_embd.weight" => "F16",
            "output.weight" => "BF16",
            _ if name.contains("norm") || name.contains("rope") => "F32",
            _ if name.contains("ffn_") => "Q4_0",
            _ => "Q8_0",
        };
        assert_eq!(kind, expected, "{name}");
    }
    let out = succeeds(&["perplexity", arg(&output), "--text", TEXT, "--windows", "4"]);
    assert!(out.contains("4 windows of 256, 508 predictions"), "{out}");
}

#[test]
fn an_existing_file_needs_force() {
    let dir = tempfile::tempdir().unwrap();
    let output = dir.path().join("out.gguf");
    fs::write(&output, "precious").unwrap();
    let args = ["quantize", MODEL, arg(&output), "--type", "f16"];
    let error = fails(&args);
    assert!(error.contains("exists") && error.contains("--force"), "{error}");
    assert_eq!(fs::read(&output).unwrap(), b"precious");
    succeeds(&[&args[..], &["--force"]].concat());
    assert!(fs::read(&output).unwrap().starts_with(b"GGUF"));
    let error = fails(&["quantize", MODEL, arg(dir.path()), "--type", "f16"]);
    assert!(error.contains("is a directory"), "{error}");
    let error = fails(&["quantize", MODEL, "no/such/folder/x.gguf", "--type", "f16"]);
    assert!(error.contains("no/such/folder/x.gguf"), "{error}");
}

#[test]
fn every_part_needs_a_type() {
    let error = fails(&["quantize", MODEL, "never-written.gguf", "--mlp", "q4_0"]);
    assert!(error.contains("--rest"), "{error}");
    assert!(!in_repository("never-written.gguf").exists());
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_one_line() {
    let error = fails(&["quantize", MODEL, "/dev/full", "--type", "f32"]);
    assert!(error.contains("/dev/full") && error.contains("No space left"), "{error}");
    let error = fails(&["inspect", MODEL, "--svg", "/dev/full"]);
    assert!(error.contains("/dev/full") && error.contains("No space left"), "{error}");
}

/// A model whose embedding has two million rows, nearly all of them holes in the file: slow to
/// convert and quick to make.
#[cfg(unix)]
fn large_model(dir: &Path) {
    use serde_json::{Value, json};
    const VOCAB: u64 = 2 << 20;
    let source = in_repository("tests/data/tiny");
    let mut config: Value =
        serde_json::from_slice(&fs::read(source.join("config.json")).unwrap()).unwrap();
    config["vocab_size"] = VOCAB.into();
    config["tie_word_embeddings"] = true.into();
    fs::write(dir.join("config.json"), config.to_string()).unwrap();
    let bytes = fs::read(source.join("model.safetensors")).unwrap();
    let small = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let (mut header, mut data) = (json!({}), Vec::new());
    for (name, t) in small.iter() {
        if name != "lm_head.weight" && name != "model.embed_tokens.weight" {
            let begin = data.len();
            data.extend_from_slice(t.data());
            header[name] = json!({"dtype": format!("{:?}", t.dtype()), "shape": t.shape(),
                "data_offsets": [begin, data.len()]});
        }
    }
    let end = data.len() as u64 + VOCAB * 128 * 2;
    header["model.embed_tokens.weight"] =
        json!({"dtype": "BF16", "shape": [VOCAB, 128], "data_offsets": [data.len(), end]});
    let header = header.to_string();
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend_from_slice(header.as_bytes());
    let start = file.len() as u64;
    file.extend_from_slice(&data);
    let path = dir.join("model.safetensors");
    fs::write(&path, file).unwrap();
    fs::File::options().write(true).open(path).unwrap().set_len(start + end).unwrap();
}

#[cfg(unix)]
#[test]
fn an_interrupted_run_leaves_nothing() {
    use std::process::{Command, Stdio};
    use std::time::{Duration, Instant};
    let (input, output) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    large_model(input.path());
    let path = output.path().join("out.gguf");
    let args = ["quantize", arg(input.path()), arg(&path), "--type", "q4_0"];
    let child = xielu(&args).stderr(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let start = Instant::now();
    while files(output.path()).is_empty() {
        assert!(start.elapsed() < Duration::from_secs(30), "the conversion never began");
        std::thread::sleep(Duration::from_millis(1));
    }
    let kill = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(kill.success());
    let result = child.wait_with_output().unwrap();
    let error = String::from_utf8(result.stderr).unwrap();
    assert_eq!(result.status.code(), Some(130), "{error}");
    assert_eq!(error.lines().last(), Some("interrupted; nothing was written"), "{error}");
    assert_eq!(files(output.path()), [""; 0]);
}

#[cfg(unix)]
#[test]
fn an_interrupted_generation_stops() {
    use std::io::Read as _;
    use std::process::{Command, Stdio};
    let args = ["generate", MODEL, "--prompt", "x", "-n", "20000", "--context", "20001", "--ids"];
    let mut child = xielu(&args).stderr(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    // The first token is there: it is generating now.
    child.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
    let kill = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(kill.success());
    let result = child.wait_with_output().unwrap();
    let error = String::from_utf8(result.stderr).unwrap();
    assert_eq!(result.status.code(), Some(130), "{error}");
    assert_eq!(error.lines().last(), Some("interrupted"), "{error}");
    assert!(error.contains("generated "), "{error}");
}

/// One process writes a file; the next one that is killed leaves nothing for ever; a model may be
/// replaced by itself.
#[test]
fn two_at_once_and_into_itself() {
    let dir = tempfile::tempdir().unwrap();
    let output = dir.path().join("out.gguf");
    let quantize = ["quantize", "tests/data/tiny-bf16.gguf", arg(&output), "--type", "q8_0"];
    let other = AtomicFile::create(&output).unwrap();
    let error = fails(&quantize);
    assert!(error.contains("another process is writing it"), "{error}");
    assert!(error.contains("out.gguf"), "{error}");
    drop(other);
    fs::write(dir.path().join(".out.gguf.tmp"), "half").unwrap();
    succeeds(&quantize);
    assert_eq!(files(dir.path()), ["out.gguf"]);
    let itself = ["quantize", arg(&output), arg(&output), "--type", "q4_0"];
    assert!(fails(&itself).contains("--force"));
    succeeds(&[&itself[..], &["--force"]].concat());
    assert!(tensors(&output).iter().any(|(_, kind, _)| kind == "Q4_0"));
    assert_eq!(files(dir.path()), ["out.gguf"]);
    // Under another name of the same file too.
    #[cfg(unix)]
    {
        let link = dir.path().join("link.gguf");
        std::os::unix::fs::symlink(&output, &link).unwrap();
        succeeds(&["quantize", arg(&output), arg(&link), "--type", "q8_0", "--force"]);
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert!(tensors(&output).iter().all(|(_, kind, _)| kind != "Q4_0"));
    }
}
