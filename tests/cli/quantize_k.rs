//! `xielu quantize` in the K-quants, and `--report`. The model is the trained one in widths that
//! these types can have (`xielu_testing::widened`).

use std::fs;
use std::path::Path;

use tempfile::TempDir;
use xielu::checkpoint::gguf::Gguf;
use xielu::checkpoint::hf::HfDir;
use xielu::checkpoint::{Checkpoint, Role, Tensor};
use xielu::kernels::{Blocks, DType};
use xielu::quant::encode_row;
use xielu_testing::widened;

use crate::support::{MODEL, TEXT, arg, fails, in_repository, succeeds, text, xielu};

pub fn wide() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    widened::write_widened(&in_repository("tests/data/tiny"), dir.path());
    dir
}

fn values(t: &Tensor<'_>) -> Vec<f32> {
    let mut values = vec![0.0; t.rows * t.cols];
    assert!(Blocks::new(t.dtype, t.data).unwrap().dequantize(&mut values));
    values
}

/// Quantizes `model` and looks at every tensor of the result.
fn quantized(model: &Path, options: &str, look: impl Fn(Role, &Tensor<'_>, &[f32])) -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    let output = dir.path().join("out.gguf");
    let mut args = vec!["quantize", arg(model), arg(&output)];
    args.extend(options.split(' '));
    succeeds(&args);
    let bytes = fs::read(&output).unwrap();
    let gguf = Gguf::parse(&bytes).unwrap();
    let source = HfDir::open(model).unwrap();
    let config = gguf.config().unwrap();
    for role in Role::all(&config) {
        let before = (&source).tensor(role).unwrap().unwrap();
        let after = gguf.tensor(role).unwrap().unwrap();
        assert_eq!((before.rows, before.cols), (after.rows, after.cols), "{role}");
        look(role, &after, &values(&before));
    }
    bytes
}

fn perplexity(model: &Path) -> f64 {
    let out = succeeds(&["perplexity", arg(model), "--text", TEXT, "--windows", "4"]);
    out.split(' ').nth(1).unwrap().parse().unwrap()
}

#[test]
fn the_widened_model_is_the_trained_one() {
    let (wide, tiny) = (perplexity(wide().path()), perplexity(&in_repository("tests/data/tiny")));
    assert!((wide / tiny - 1.0).abs() < 1e-4, "{wide} {tiny}");
}

#[test]
fn recipes_give_every_part_its_type_and_the_encoders_bytes() {
    let model = wide();
    for (recipe, up, down, v, rest, embeddings) in [
        ("q4_k", DType::Q4_K, DType::Q4_K, DType::Q4_K, DType::Q4_K, DType::Q4_K),
        ("q5_k", DType::Q5_K, DType::Q5_K, DType::Q5_K, DType::Q5_K, DType::Q5_K),
        ("Q6_K", DType::Q6_K, DType::Q6_K, DType::Q6_K, DType::Q6_K, DType::Q6_K),
        ("q2_k", DType::Q2_K, DType::Q2_K, DType::Q2_K, DType::Q2_K, DType::Q2_K),
        ("q3_k", DType::Q3_K, DType::Q3_K, DType::Q3_K, DType::Q3_K, DType::Q3_K),
        ("IQ4_NL", DType::IQ4_NL, DType::IQ4_NL, DType::IQ4_NL, DType::IQ4_NL, DType::IQ4_NL),
        ("iq4_xs", DType::IQ4_XS, DType::IQ4_XS, DType::IQ4_XS, DType::IQ4_XS, DType::IQ4_XS),
        ("mxfp4", DType::MXFP4, DType::MXFP4, DType::MXFP4, DType::MXFP4, DType::MXFP4),
        ("q4_k_m", DType::Q4_K, DType::Q5_K, DType::Q6_K, DType::Q5_K, DType::Q6_K),
        ("q5_k_m", DType::Q5_K, DType::Q5_K, DType::Q6_K, DType::Q6_K, DType::Q6_K),
    ] {
        quantized(model.path(), &format!("--type {recipe}"), |role, after, before| {
            let name = role.to_string();
            let expected = match name.as_str() {
                "output.weight" => DType::Q6_K,
                "token_embd.weight" => embeddings,
                _ if name.contains("norm") => DType::F32,
                _ if name.contains("ffn_up") => up,
                _ if name.contains("ffn_down") => down,
                _ if name.contains("attn_v") => v,
                _ => rest,
            };
            assert_eq!(after.dtype, expected, "{recipe}: {name}");
            let mut bytes = vec![0; after.data.len()];
            encode_row(expected, before, &mut bytes).unwrap();
            assert!(bytes == after.data, "{recipe}: {name}");
        });
    }
}

#[test]
fn options_for_single_parts_go_before_the_recipe() {
    let model = wide();
    let options = "--type q4_k_m --up q8_0 --down q6_k --attn-v F16 --embeddings q4_0";
    quantized(model.path(), options, |role, after, _| {
        let name = role.to_string();
        let expected = match name.as_str() {
            "output.weight" => DType::Q6_K,
            "token_embd.weight" => DType::Q4_0,
            _ if name.contains("norm") => DType::F32,
            _ if name.contains("ffn_up") => DType::Q8_0,
            _ if name.contains("ffn_down") => DType::Q6_K,
            _ if name.contains("attn_v") => DType::F16,
            _ => DType::Q5_K,
        };
        assert_eq!(after.dtype, expected, "{name}");
    });
    let options = "--mlp q5_k --down q4_k --rest q8_0";
    quantized(model.path(), options, |role, after, _| {
        let name = role.to_string();
        if name.contains("ffn_") && !name.contains("norm") {
            let down = name.contains("down");
            assert_eq!(after.dtype, if down { DType::Q4_K } else { DType::Q5_K }, "{name}");
        }
    });
}

#[test]
fn threads_do_not_change_the_file() {
    let model = wide();
    let with = |n| quantized(model.path(), &format!("--type q5_k_m --threads {n}"), |_, _, _| ());
    assert!(with(1) == with(3));
    let error = xielu(&["quantize", MODEL, "x.gguf", "--type", "f16", "--threads", "0"]);
    assert_eq!({ error }.output().unwrap().status.code(), Some(2));
}

#[test]
fn rows_that_do_not_fit_become_q8_0_and_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let output = dir.path().join("out.gguf");
    let args = ["quantize", "tests/data/tiny", arg(&output), "--type", "q4_k"];
    let result = xielu(&args).output().unwrap();
    assert!(result.status.success());
    let notes = text(&result.stderr);
    assert_eq!(notes.matches("note: ").count(), 3, "{notes}");
    for part in [
        "21 tensors (token_embd.weight and others): Q8_0, not Q4_K: rows of 128",
        "4 tensors (blk.0.ffn_down.weight and others): Q8_0, not Q4_K: rows of 672 are not whole \
         blocks of 256",
        "note: output.weight: Q8_0, not Q6_K: rows of 128",
    ] {
        assert!(notes.contains(part), "{part}:\n{notes}");
    }
    let bytes = fs::read(&output).unwrap();
    let gguf = Gguf::parse(&bytes).unwrap();
    assert!(gguf.tensors().all(|t| ["Q8_0", "F32"].contains(&t.ggml_type.to_string().as_str())));
}

#[test]
fn unknown_types_are_listed() {
    for option in ["--type", "--down"] {
        let output = xielu(&["quantize", MODEL, "x.gguf", option, "q3_x"]).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        let error = text(&output.stderr);
        assert!(error.contains("q5_k") && error.contains("q4_0"), "{error}");
        assert_eq!(error.contains("q4_k_m"), option == "--type", "{error}");
    }
    assert!(!in_repository("x.gguf").exists());
}

/// The numbers of the first row of a report that starts with `name`.
pub fn row(report: &str, name: &str) -> Vec<f64> {
    let line = report.lines().find(|line| line.starts_with(name));
    let line = line.unwrap_or_else(|| panic!("no {name} in\n{report}"));
    line[name.len()..].split_whitespace().map(|n| n.parse().unwrap()).collect()
}

#[test]
fn the_report_measures_every_type() {
    let model = wide();
    let out =
        succeeds(&["quantize", arg(model.path()), "--report", "--text", TEXT, "--windows", "4"]);
    // The less bits, the larger the error, of every layer.
    for layer in ["0", "1", "2", "3", "all"] {
        for part in ["up", "down", "both"] {
            let errors = row(&out, &format!("{layer:<7} {part:<5}"));
            assert_eq!(errors.len(), 5);
            assert!(errors.is_sorted() && errors[0] > 0.1 && errors[4] < 20.0, "{errors:?}");
        }
    }
    let source = row(&out, "source")[0];
    assert!((source - perplexity(model.path())).abs() < 2e-4);
    let dir = tempfile::tempdir().unwrap();
    for kind in ["q8_0", "q6_k", "q5_k_m", "q5_k", "q4_k_m", "q4_k", "q4_0"] {
        let [bytes, bits, perplexity, increase, error] = row(&out, &format!("{kind:<20}"))[..]
        else {
            panic!("{out}")
        };
        assert!((4.5..9.0).contains(&bits) && bytes > 1e6, "{kind}: {bits} {bytes}");
        assert!((perplexity / source - 1.0 - increase / 100.0).abs() < 2e-4, "{kind}");
        assert!(increase.abs() < 4.0 && error > 0.0 && error < 1.5, "{kind}: {increase} {error}");
        if kind == "q4_k_m" {
            let output = dir.path().join("out.gguf");
            succeeds(&["quantize", arg(model.path()), arg(&output), "--type", kind]);
            assert!((perplexity - self::perplexity(&output)).abs() < 2e-4);
        }
    }
    for part in ["up", "down", "attention: v", "attention: q, k, o", "embedding", "output head"] {
        let [_, bits, _, increase, _] = row(&out, &format!("{part:<20}"))[..] else {
            panic!("{out}")
        };
        assert!((9.0..16.0).contains(&bits) && increase.abs() < 4.0, "{part}: {bits} {increase}");
    }
}

/// Widths that the K-quants cannot have, a model that is quantized already, odd windows.
#[test]
fn the_report_says_what_does_not_fit() {
    let args = ["--report", "--text", TEXT, "--windows", "1", "--window", "65", "--threads", "1"];
    let out = succeeds(&[&["quantize", MODEL][..], &args].concat());
    let line = out.lines().find(|line| line.starts_with("all     both")).unwrap();
    assert_eq!(line.split_whitespace().filter(|&n| n == "-").count(), 3, "{line}");
    assert!(out.contains("\nq4_k* ") && out.contains("\n* "), "{out}");
    assert!(out.contains("rows of 672 are not whole blocks of 256"), "{out}");
    // The same type again changes nothing.
    assert_eq!(row(&out, "q8_0  ")[3..], [0.0, 0.0]);
}

#[test]
fn a_report_needs_a_text_and_writes_nothing() {
    let error = fails(&["quantize", MODEL, "--report"]);
    assert!(error.contains("--text"), "{error}");
    let error = fails(&["quantize", MODEL, "--report", "--text", "no-such-file"]);
    assert!(error.contains("no-such-file"), "{error}");
    let error = fails(&["quantize", MODEL, "--report", "--text", TEXT, "--window", "99999"]);
    assert!(error.contains("less than one window"), "{error}");
    for args in [&["out.gguf", "--report", "--text", TEXT][..], &["--type", "q4_k"]] {
        let output = xielu(&[&["quantize", MODEL][..], args].concat()).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{args:?}");
    }
    let error = fails(&["quantize", MODEL, "out.gguf", "--type", "f16", "--text", TEXT]);
    assert!(error.contains("--report"), "{error}");
    assert!(!in_repository("out.gguf").exists());
}
