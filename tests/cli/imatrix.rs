//! `xielu imatrix` and `quantize --imatrix`.

use std::fs;
use std::path::Path;

use xielu::checkpoint::gguf::Gguf;
use xielu::checkpoint::{Checkpoint, LayerRole, Role};
use xielu::imatrix::ImportanceMatrix;
use xielu::kernels::{Blocks, DType};
use xielu::quant::{WEIGHTED, encode_row, encode_row_weighted};

use crate::quantize_k::{row, wide};
use crate::support::{MODEL, TEXT, arg, fails, in_repository, succeeds, text, xielu};

const SOURCE: &str = "tests/data/tiny-bf16.gguf";
/// llama-imatrix's, see `tests/data/imatrix.py`.
const LLAMA_CPPS: &str = "tests/data/imatrix.gguf";

fn matrix(path: &Path) -> ImportanceMatrix {
    ImportanceMatrix::parse(&fs::read(path).unwrap()).unwrap()
}

#[test]
fn the_matrix_is_llama_cpps() {
    let dir = tempfile::tempdir().unwrap();
    let output = dir.path().join("imatrix.gguf");
    let args = ["imatrix", SOURCE, "--text", TEXT, "-o", arg(&output), "--window", "128"];
    let said = succeeds(&[&args[..], &["--windows", "16"]].concat());
    assert!(said.contains("24 matrices, 16 windows of 128 tokens"), "{said}");
    let (ours, theirs) = (matrix(&output), matrix(&in_repository(LLAMA_CPPS)));
    assert_eq!(ours.datasets, [TEXT]);
    assert_eq!((ours.chunks, ours.chunk_size), (theirs.chunks, theirs.chunk_size));
    let names = |m: &ImportanceMatrix| m.entries().map(|(n, _)| n.to_owned()).collect::<Vec<_>>();
    assert_eq!(names(&ours), names(&theirs));
    for ((name, ours), (_, theirs)) in ours.entries().zip(theirs.entries()) {
        assert_eq!(ours.counts, theirs.counts, "{name}");
        // Each of the two rounds in its own way (keys and values to f16, among others).
        let total: f32 = theirs.sums.iter().sum();
        for (a, b) in ours.sums.iter().zip(&theirs.sums) {
            let worst = 0.01 * b + 1e-5 * total;
            assert!((a - b).abs() < worst, "{name}: {a} {b} of {total}");
        }
    }
    // A file that is read and written again is the same, to the byte.
    for path in [output, in_repository(LLAMA_CPPS)] {
        let bytes = fs::read(&path).unwrap();
        let again = matrix(&path).write(Vec::new()).unwrap();
        assert!(
            Gguf::parse(&again).unwrap().metadata().eq(Gguf::parse(&bytes).unwrap().metadata())
        );
        assert!(again == bytes, "{}", path.display());
    }
}

#[test]
fn quantizing_takes_its_weights() {
    let dir = tempfile::tempdir().unwrap();
    let output = dir.path().join("out.gguf");
    let weights = matrix(&in_repository(LLAMA_CPPS));
    let source = fs::read(in_repository(SOURCE)).unwrap();
    let source = Gguf::parse(&source).unwrap();
    for (kind, dtype) in [
        ("q4_0", DType::Q4_0),
        ("q4_1", DType::Q4_1),
        ("q5_0", DType::Q5_0),
        ("q5_1", DType::Q5_1),
        ("iq4_nl", DType::IQ4_NL),
        ("q8_0", DType::Q8_0),
    ] {
        let args = ["quantize", SOURCE, arg(&output), "--type", kind, "--imatrix", LLAMA_CPPS];
        let run = xielu(&[&args[..], &["--force"]].concat()).output().unwrap();
        let said = text(&run.stderr);
        assert!(run.status.success(), "{said}");
        let embedding = "note: token_embd.weight: written without weights";
        assert_eq!(said.contains(embedding), dtype != DType::Q8_0, "{kind}: {said}");
        let unused =
            if dtype == DType::Q8_0 { "note: 26 tensors (" } else { "note: output.weight: of" };
        assert!(said.contains(unused) && said.contains("has no use for weights"), "{kind}: {said}");
        let bytes = fs::read(&output).unwrap();
        let gguf = Gguf::parse(&bytes).unwrap();
        assert_eq!(gguf.get_str("quantize.imatrix.file"), Some(LLAMA_CPPS));
        assert_eq!(gguf.get_u32("quantize.imatrix.entries_count"), Some(24));
        let mut weighted = 0;
        for role in Role::all(&gguf.config().unwrap()) {
            let (before, after) = [&source, &gguf].map(|g| g.tensor(role).unwrap().unwrap()).into();
            if after.dtype != dtype {
                continue;
            }
            let mut values = vec![0.0; before.rows * before.cols];
            Blocks::new(before.dtype, before.data).unwrap().dequantize(&mut values);
            let mut expected = vec![0; after.data.len()];
            let rows = expected.chunks_mut(dtype.row_bytes(before.cols).unwrap());
            let weights = weights.weights(&role.to_string());
            for (row, out) in values.chunks(before.cols).zip(rows) {
                match &weights {
                    Some(weights) => encode_row_weighted(dtype, row, weights, out).unwrap(),
                    None => encode_row(dtype, row, out).unwrap(),
                }
            }
            weighted += usize::from(weights.is_some());
            assert!(expected == after.data, "{kind}: {role}");
        }
        assert_eq!(weighted, 24, "{kind}");
        // What was made with a matrix says so, and with another one, of that.
        let next = dir.path().join("next.gguf");
        succeeds(&["quantize", arg(&output), arg(&next), "--type", "f16", "--force"]);
        let bytes = fs::read(&next).unwrap();
        let kept = Gguf::parse(&bytes).unwrap().get_u32("quantize.imatrix.chunks_count");
        assert_eq!(kept, Some(16));
    }
    let args = ["quantize", arg(&output), arg(&output), "--type", "q4_0", "--imatrix", LLAMA_CPPS];
    succeeds(&[&args[..], &["--force"]].concat());
}

#[test]
fn activations_that_are_no_numbers_are_left_out_and_named() {
    let dir = tempfile::tempdir().unwrap();
    let (model, output) = (dir.path().join("model.gguf"), dir.path().join("imatrix.gguf"));
    let mut bytes = fs::read(in_repository(SOURCE)).unwrap();
    let gguf = Gguf::parse(&bytes).unwrap();
    let role = Role::Layer(2, LayerRole::FfnUp);
    let data = gguf.tensor(role).unwrap().unwrap().data;
    let at = data.as_ptr() as usize - bytes.as_ptr() as usize;
    // One hidden value of each token becomes about 1e25, whose square f32 does not hold.
    bytes[at..at + 256].copy_from_slice(&[0x05, 0x68].repeat(128));
    fs::write(&model, bytes).unwrap();
    let args = ["imatrix", arg(&model), "--text", TEXT, "-o", arg(&output), "--window", "64"];
    let run = xielu(&[&args[..], &["--windows", "3"]].concat()).output().unwrap();
    let said = text(&run.stderr);
    assert!(run.status.success(), "{said}");
    let expected =
        "warning: blk.2.ffn_down.weight: the activations of 192 tokens are NaN, infinite";
    assert!(said.contains(expected), "{said}");
    assert!(said.contains("warning: 3 windows were not read to their end: layer 2"), "{said}");
    let matrix = matrix(&output);
    assert_eq!(matrix.chunks, 0);
    assert!(matrix.weights("blk.2.ffn_up.weight").is_some());
    for missing in ["blk.2.ffn_down.weight", "blk.3.attn_q.weight"] {
        assert_eq!(matrix.weights(missing), None, "{missing}");
    }
    assert!(matrix.entries().all(|(_, entry)| entry.counts == [192.0]));
}

#[test]
fn what_is_no_matrix_is_refused() {
    let quantize = |matrix: &str| {
        fails(&["quantize", SOURCE, "never-written.gguf", "--type", "q4_0", "--imatrix", matrix])
    };
    let error = quantize("no-such-file");
    assert!(error.contains("cannot read no-such-file"), "{error}");
    let error = quantize(TEXT);
    assert!(error.contains("not a GGUF file"), "{error}");
    let error = quantize(MODEL);
    assert!(error.contains("there is no key imatrix.chunk_count"), "{error}");
    // Of another model.
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("other.gguf");
    let mut other = matrix(&in_repository(LLAMA_CPPS));
    let (_, entry) = other.entries().next().unwrap();
    let mut entry = entry.clone();
    entry.sums.truncate(96);
    for (name, said) in [
        ("blk.0.attn_q.weight", "tensor blk.0.attn_q.weight: a row of 128 values has 96 weights"),
        ("transformer.h.0", "has no entry for this model's matrices"),
    ] {
        let mut matrix = ImportanceMatrix::default();
        matrix.insert(name.to_owned(), entry.clone());
        fs::write(&path, matrix.write(Vec::new()).unwrap()).unwrap();
        let error = quantize(arg(&path));
        assert!(error.contains(said), "{error}");
    }
    for (sum, said) in [(f32::NAN, "NaN"), (-1.0, "negative")] {
        entry.sums[3] = sum;
        other.insert("blk.0.attn_q.weight".to_owned(), entry.clone());
        fs::write(&path, other.write(Vec::new()).unwrap()).unwrap();
        let error = quantize(arg(&path));
        assert!(error.contains(said), "{error}");
    }
    assert!(!in_repository("never-written.gguf").exists());
    let args = ["imatrix", MODEL, "--text", TEXT, "-o", LLAMA_CPPS, "--windows", "1"];
    let error = fails(&args);
    assert!(error.contains("exists; give --force"), "{error}");
    let error = fails(&["imatrix", MODEL, "--text", TEXT, "-o", "no/such/folder/x.gguf"]);
    assert!(error.contains("cannot write no/such/folder/x.gguf"), "{error}");
    let output = xielu(&["imatrix", MODEL, "--text", TEXT]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn a_report_shows_what_weights_gain() {
    let (model, dir) = (wide(), tempfile::tempdir().unwrap());
    let matrix = dir.path().join("imatrix.gguf");
    let windows = ["--text", TEXT, "--windows", "8"];
    let imatrix = ["imatrix", arg(model.path()), "-o", arg(&matrix), "--window", "256"];
    succeeds(&[&imatrix[..], &windows].concat());
    let report = ["quantize", arg(model.path()), "--report", "--imatrix", arg(&matrix)];
    let types = ["--types", "q8_0,iq4_xs,q3_k,q2_k"];
    let out = succeeds(&[&report[..], &windows, &types].concat());
    let [_, iq4, iq4_i, q3, q3_i, q2, q2_i] = row(&out, "all     both")[..] else {
        panic!("{out}")
    };
    // Of the text that the weights were made of.
    assert!(iq4_i < iq4 && q3_i < q3 && q2_i < q2, "{out}");
    let perplexity = |name: &str| row(&out, &format!("{name:<20}"))[2];
    for kind in ["q3_k", "q2_k"] {
        let (without, with) = (perplexity(kind), perplexity(&format!("{kind}+i")));
        assert!(with < without, "{kind}: {without} {with}");
    }
    assert!(!out.contains("q8_0+i") && WEIGHTED.contains(&DType::IQ4_XS));
}
