//! Split models and other ways in, on the command line.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use crate::support::{MODEL, PROMPT, arg, fails, fails_of, in_repository, succeeds, text, xielu};

fn ids(model: &str, more: &[&str]) -> String {
    succeeds(&[&["generate", model, "--prompt", PROMPT, "-n", "8", "--ids"], more].concat())
}

/// The bundled model in parts of at most `size`, and their paths.
fn split(dir: &Path, size: &str) -> Vec<PathBuf> {
    let output = dir.join("out.gguf");
    let args = ["quantize", MODEL, arg(&output), "--type", "q8_0", "--split-max-size", size];
    let said = succeeds(&args);
    let mut paths: Vec<_> = fs::read_dir(dir).unwrap().map(|e| e.unwrap().path()).collect();
    paths.sort();
    let wrote = format!("wrote {} ({} in all)", paths[0].display(), paths.len());
    assert!(said.ends_with(&format!("{wrote}\n")), "{said}");
    // What is there is not replaced unasked.
    let message = fails(&args);
    assert!(message.contains("exists; give --force"), "{message}");
    succeeds(&[&args[..], &["--force"]].concat());
    paths
}

#[test]
fn a_model_in_parts_is_the_same_model() {
    let dir = tempfile::tempdir().unwrap();
    let paths = split(dir.path(), "400K");
    assert!(paths.len() == 4, "{paths:?}");
    assert!(paths[0].ends_with("out-00001-of-00004.gguf"), "{paths:?}");
    for path in &paths {
        assert!(fs::metadata(path).unwrap().len() < 450_000);
        assert_eq!(ids(arg(path), &[]), ids(MODEL, &[]));
        assert!(succeeds(&["inspect", arg(path)]).contains("in 4 parts"));
    }
    assert_eq!(ids(arg(&paths[2]), &["--no-mmap"]), ids(MODEL, &[]));
    let tensors = |model| {
        let listed = succeeds(&["inspect", model]);
        listed.lines().filter(|line| line.contains(".weight")).map(String::from).collect::<Vec<_>>()
    };
    let (mut whole, mut parts) = (tensors(MODEL), tensors(arg(&paths[3])));
    whole.sort();
    parts.sort();
    assert_eq!(whole, parts);
    // Back to one file: the bytes of one that was never split.
    let [again, once] = ["again", "once"].map(|name| dir.path().join(name));
    succeeds(&["quantize", arg(&paths[1]), arg(&again), "--type", "q8_0"]);
    succeeds(&["quantize", MODEL, arg(&once), "--type", "q8_0"]);
    assert!(fs::read(again).unwrap() == fs::read(once).unwrap());
    // Over its own parts.
    let output = dir.path().join("out");
    let own = ["--type", "q8_0", "--split-max-size", "400K", "--force"];
    succeeds(&[&["quantize", arg(&paths[3]), arg(&output)], &own[..]].concat());
    assert_eq!(ids(arg(&paths[2]), &[]), ids(MODEL, &[]));
    // A missing part.
    fs::remove_file(&paths[1]).unwrap();
    let message = fails(&["generate", arg(&paths[0]), "--prompt", PROMPT]);
    assert!(message.contains("part 2 of 4 of the model is missing"), "{message}");
    assert!(message.contains("out-00002-of-00004.gguf"), "{message}");
}

#[test]
fn one_part_is_called_so() {
    let dir = tempfile::tempdir().unwrap();
    let paths = split(dir.path(), "2G");
    assert!(paths.len() == 1 && paths[0].ends_with("out-00001-of-00001.gguf"), "{paths:?}");
    assert_eq!(ids(arg(&paths[0]), &[]), ids(MODEL, &[]));
}

#[test]
fn sizes_that_are_none() {
    for size in ["0", "G", "2T", "99999999999999999999G", "1.5G", ""] {
        let args = ["quantize", MODEL, "x.gguf", "--type", "q8_0", "--split-max-size", size];
        let output = xielu(&args).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{size}");
        assert!(text(&output.stderr).contains("split-max-size"), "{size}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_model_on_a_pipe_is_read() {
    let args = ["generate", "/dev/stdin", "--prompt", PROMPT, "-n", "8", "--ids"];
    let piped = |args: &[&str], from: &str| {
        let mut cat = std::process::Command::new("cat");
        let mut cat = cat.arg(from).stdout(Stdio::piped()).spawn().unwrap();
        let output = xielu(args).stdin(cat.stdout.take().unwrap()).output().unwrap();
        cat.wait().unwrap();
        output
    };
    let output = piped(&args, arg(&in_repository(MODEL)));
    assert_eq!(text(&output.stdout), ids(MODEL, &[]));
    // What is no model is not read to its end: there may be none.
    for stream in ["/dev/zero", arg(&in_repository("README.md"))] {
        let message = fails_of(&args, piped(&args, stream));
        assert!(message.contains("does not begin with \"GGUF\""), "{message}");
    }
    let output = xielu(&args).stdin(Stdio::null()).output().unwrap();
    assert!(fails_of(&args, output).contains("it ends too early"));
}

/// A file that shrinks after it was opened.
#[cfg(unix)]
#[test]
fn a_file_that_was_read_may_shrink() {
    use xielu::checkpoint::{self, Access};
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model.gguf");
    fs::copy(in_repository(MODEL), &path).unwrap();
    let file = checkpoint::open_with(&path, Access::Read).unwrap();
    File::options().write(true).open(&path).unwrap().set_len(0).unwrap();
    file.view().unwrap().checkpoint().config().unwrap();
    let hf = in_repository("tests/data/tiny");
    checkpoint::open_with(&hf, Access::Read).unwrap();
    assert_eq!(ids(arg(&hf), &["--no-mmap"]), ids(arg(&hf), &[]));
}
