//! Models whose weights are damaged: every command stops with the place, `selftest` names the
//! tensor.

use std::path::{Path, PathBuf};

use xielu::checkpoint::gguf::Gguf;
use xielu::checkpoint::{Checkpoint as _, Role};

use crate::support::{TEXT, arg, fails, in_repository, succeeds, text, xielu};

/// A copy of `model` with `bytes` in the tensor `name`, `offset` after the beginning of `row`.
fn damaged(
    dir: &Path,
    model: &str,
    name: &str,
    (row, offset): (usize, usize),
    bytes: &[u8],
) -> PathBuf {
    let mut file = std::fs::read(in_repository(model)).unwrap();
    let at = {
        let gguf = Gguf::parse(&file).unwrap();
        let tensor = gguf.tensor(Role::from_gguf_name(name).unwrap()).unwrap().unwrap();
        let row_bytes = tensor.dtype.row_bytes(tensor.cols).unwrap();
        tensor.data.as_ptr().addr() - file.as_ptr().addr() + row * row_bytes + offset
    };
    file[at..at + bytes.len()].copy_from_slice(bytes);
    let path = dir.join("damaged.gguf");
    std::fs::write(&path, file).unwrap();
    path
}

#[test]
fn damage_is_named_by_every_command() {
    const Q8_0: &str = "tests/data/tiny-Q8_0.gguf";
    const BF16: &str = "tests/data/tiny-bf16.gguf";
    const Q4_0: &str = "tests/data/tiny-Q4_0.gguf";
    let (half, upper) = (&0xfc00u16.to_le_bytes()[..], &0x7fc0u16.to_le_bytes()[..]);
    for (model, name, at, bytes, place) in [
        (Q8_0, "blk.2.ffn_down.weight", (5, 34), half, "layer 2: values of its MLP"),
        (Q4_0, "blk.1.attn_v.weight", (3, 0), half, "layer 1: values of its attention"),
        (BF16, "blk.3.attn_norm.weight", (0, 6), upper, "layer 3: values of its attention"),
        (BF16, "output.weight", (900, 0), upper, "the logit of token 900"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let path = damaged(dir.path(), model, name, at, bytes);
        for command in [
            &["generate", arg(&path), "-p", "fn main", "--temp", "1"][..],
            &["generate", arg(&path), "-p", "fn main"],
            &["perplexity", arg(&path), "--text", TEXT, "--windows", "1"],
            &["bench", arg(&path), "--prompt", "4", "-n", "1", "--repeats", "1"],
        ] {
            let error = fails(command);
            assert!(error.contains(place) && error.contains("xielu selftest"), "{error}");
        }
        let output = xielu(&["selftest", arg(&path)]).output().unwrap();
        let found = text(&output.stdout);
        let line = format!("tensor {name}: row {}, column ", at.0);
        assert!(output.status.code() == Some(1) && found.contains(&line), "{found}");
        let out = dir.path().join("out.gguf");
        for dtype in ["q8_0", "bf16", "f32"] {
            let error = fails(&["quantize", arg(&path), arg(&out), "--type", dtype]);
            assert!(error.contains(name) && error.contains(&format!("row {}", at.0)), "{error}");
        }
    }
    let found = succeeds(&["selftest", Q8_0]);
    assert!(found.contains("ok      weights of tests/data/tiny-Q8_0.gguf: "), "{found}");
}

/// The keys are finite: it is the cache that cannot hold them.
#[test]
fn a_cache_that_is_too_narrow_names_the_one_that_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let norm = "blk.2.attn_k_norm.weight";
    let large = 1e9f32.to_le_bytes();
    let path = damaged(dir.path(), "tests/data/tiny-Q8_0.gguf", norm, (0, 8), &large);
    let with = |kv_type| ["generate", arg(&path), "-p", "fn main", "--kv-type", kv_type];
    for kv_type in ["f16", "q8_0"] {
        let error = fails(&with(kv_type));
        for part in ["layer 2", kv_type, "--kv-type bf16"] {
            assert!(error.contains(part), "{error}");
        }
    }
    succeeds(&with("bf16"));
    succeeds(&with("f32"));
}
