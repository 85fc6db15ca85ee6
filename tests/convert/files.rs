//! Whole conversions, compared with the files llama.cpp wrote from the same values.

use std::collections::BTreeMap;
use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use xielu::checkpoint::Checkpoint;
use xielu::checkpoint::gguf::Gguf;
use xielu::checkpoint::hf::{HfDir, VocabularyOptions};
use xielu::config::RopeScaling;
use xielu::convert::{Progress, TensorReport, Types, convert_gguf, convert_hf};
use xielu::kernels::DType;
use xielu_testing::hf::{fixture, fixture_config, sharded};

fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn go_on(_: Progress<'_>) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

/// Type, dimensions and bytes of every tensor.
fn tensors<'a>(gguf: &Gguf<'a>) -> BTreeMap<&'a str, (String, Vec<u64>, &'a [u8])> {
    let entry = |info: xielu::checkpoint::gguf::TensorInfo<'a>| {
        let data = gguf.tensor_data(&info).unwrap();
        (info.name, (info.ggml_type.to_string(), info.dims().to_vec(), data))
    };
    gguf.tensors().map(entry).collect()
}

fn metadata(gguf: &Gguf<'_>) -> BTreeMap<String, String> {
    gguf.metadata()
        .map(|(key, value)| match value.as_array() {
            Some(array) => (key.into(), format!("{:?}", array.iter().collect::<Vec<_>>())),
            None => (key.into(), format!("{value:?}")),
        })
        .collect()
}

/// What llama.cpp's converter leaves out of this model's file: it says nothing where a tokenizer
/// adds no token, knows one stop token, and drops the file of the tokenizer.
const OURS: [&str; 4] = [
    "tokenizer.ggml.add_bos_token",
    "tokenizer.ggml.add_eos_token",
    "tokenizer.ggml.eos_token_ids",
    "tokenizer.huggingface.json",
];

/// Fails with names, not with megabytes.
fn assert_same_file(ours: &[u8], reference: &Path) {
    let reference_bytes = fs::read(reference).unwrap();
    let (ours, theirs) = (Gguf::parse(ours).unwrap(), Gguf::parse(&reference_bytes).unwrap());
    let (a, b) = (tensors(&ours), tensors(&theirs));
    assert_eq!(a.keys().collect::<Vec<_>>(), b.keys().collect::<Vec<_>>());
    for (name, (dtype, dims, data)) in &a {
        let (their_dtype, their_dims, their_data) = &b[name];
        assert_eq!((dtype, dims), (their_dtype, their_dims), "{name}");
        let differing = data.iter().zip(*their_data).position(|(x, y)| x != y);
        assert_eq!((differing, data.len()), (None, their_data.len()), "{name}");
    }
    let (mut a, b) = (metadata(&ours), metadata(&theirs));
    a.retain(|key, _| b.contains_key(key) || !OURS.contains(&key.as_str()));
    assert_eq!(a.keys().collect::<Vec<_>>(), b.keys().collect::<Vec<_>>());
    for (key, value) in &a {
        assert!(value == &b[key], "{key}: {:.80} / {:.80}", value, b[key]);
    }
}

fn from_gguf(path: &Path, types: &Types) -> (Vec<u8>, Vec<TensorReport>) {
    let bytes = fs::read(path).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let output = dir.path().join("out.gguf");
    let report = convert_gguf(&Gguf::parse(&bytes).unwrap(), &output, types, go_on).unwrap();
    (fs::read(output).unwrap(), report)
}

fn from_hf(path: &Path, types: &Types) -> (Vec<u8>, Vec<TensorReport>) {
    let dir = tempfile::tempdir().unwrap();
    let output = dir.path().join("out.gguf");
    let source = HfDir::open(path).unwrap();
    let vocabulary = source.vocabulary(VocabularyOptions::default()).unwrap();
    let report = convert_hf(&source, &output, types, vocabulary.as_ref(), go_on).unwrap();
    (fs::read(output).unwrap(), report)
}

const REFERENCES: [(DType, &str); 3] = [
    (DType::BF16, "tests/data/tiny-bf16.gguf"),
    (DType::Q8_0, "tests/data/tiny-Q8_0.gguf"),
    (DType::Q4_0, "tests/data/tiny-Q4_0.gguf"),
];

#[test]
fn hugging_face_directories_become_llama_cpps_files() {
    for (dtype, reference) in REFERENCES {
        let (ours, _) = from_hf(&fixture(), &Types::uniform(dtype));
        assert_same_file(&ours, &repository(reference));
    }
}

#[test]
fn gguf_files_become_llama_cpps_files() {
    let source = repository("tests/data/tiny-bf16.gguf");
    for (dtype, reference) in REFERENCES {
        let (ours, _) = from_gguf(&source, &Types::uniform(dtype));
        assert_same_file(&ours, &repository(reference));
    }
}

#[test]
fn f32_and_back_loses_nothing() {
    let bf16 = repository("tests/data/tiny-bf16.gguf");
    let (wide, report) = from_gguf(&bf16, &Types::uniform(DType::F32));
    assert!(report.iter().all(|t| t.to == DType::F32 && t.error.max_abs() == 0.0));
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("wide.gguf");
    fs::write(&path, &wide).unwrap();
    assert_same_file(&from_gguf(&path, &Types::uniform(DType::BF16)).0, &bf16);
}

#[test]
fn shards_give_the_same_tensors() {
    let (dir, _) = sharded(3);
    fs::copy(fixture().join("tokenizer.json"), dir.path().join("tokenizer.json")).unwrap();
    let types = Types::uniform(DType::Q4_0);
    let (whole, _) = from_hf(&fixture(), &types);
    let (shards, _) = from_hf(dir.path(), &types);
    let (whole, shards) = (Gguf::parse(&whole).unwrap(), Gguf::parse(&shards).unwrap());
    assert!(tensors(&whole) == tensors(&shards));
    let mut differences = metadata(&whole);
    differences.retain(|key, value| metadata(&shards).get(key) != Some(value));
    assert_eq!(differences.keys().collect::<Vec<_>>(), ["general.name"]);
}

#[test]
fn the_reader_sees_the_same_model() {
    let (bytes, _) = from_hf(&fixture(), &Types::uniform(DType::Q8_0));
    let gguf = Gguf::parse(&bytes).unwrap();
    let source = HfDir::open(fixture()).unwrap();
    let mut expected = (&source).config().unwrap();
    // The factors in `rope_freqs` take the place of the scaling.
    expected.rope.scaling = RopeScaling::None;
    assert_eq!(gguf.config().unwrap(), expected);
    for layer in 0..4 {
        let raw = (&source).raw_xielu(layer).unwrap();
        assert_eq!(gguf.raw_xielu(layer).unwrap(), raw);
    }
}

#[test]
fn parts_have_types_of_their_own() {
    let types = Types {
        rest: DType::Q8_0,
        attn_v: DType::Q8_0,
        embeddings: Some(DType::F16),
        output: Some(DType::BF16),
        ..Types::uniform(DType::Q4_0)
    };
    let (bytes, report) = from_hf(&fixture(), &types);
    let gguf = Gguf::parse(&bytes).unwrap();
    for (name, (dtype, ..)) in tensors(&gguf) {
        let expected = match name {
            "token_embd.weight" => "F16",
            "output.weight" => "BF16",
            _ if name.contains("norm") || name == "rope_freqs.weight" => "F32",
            _ if name.contains(".ffn_") => "Q4_0",
            _ => "Q8_0",
        };
        assert_eq!(dtype, expected, "{name}");
    }
    let of = |name: &str| report.iter().find(|t| t.name == name).unwrap();
    let (up, q) = (of("blk.0.ffn_up.weight"), of("blk.0.attn_q.weight"));
    assert_eq!((up.from, up.to, up.shape), (DType::BF16, DType::Q4_0, [672, 128]));
    assert_eq!((up.bytes_before, up.bytes_after), (672 * 256, 672 * 72));
    assert_eq!(up.error.count(), 672 * 128);
    // Usual signal-to-noise ratios of 4 and 8 bits a value.
    assert!((18.0..24.0).contains(&up.error.snr_db()), "{}", up.error.snr_db());
    assert!((40.0..50.0).contains(&q.error.snr_db()), "{}", q.error.snr_db());
    assert_eq!(of("output.weight").error.count(), 0);
}

#[test]
fn progress_ends_at_the_total() {
    let source = HfDir::open(fixture()).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let types = Types::uniform(DType::Q8_0);
    let (mut last, mut names) = (0, Vec::new());
    let mut sum = None;
    let report = convert_hf(&source, &dir.path().join("x"), &types, None, |p| {
        assert!(p.done > last && p.done <= p.total);
        last = p.done;
        sum = Some(p.total);
        if names.last().is_none_or(|name| name != p.tensor) {
            names.push(p.tensor.to_string());
        }
        ControlFlow::Continue(())
    })
    .unwrap();
    assert_eq!(sum, Some(last));
    assert_eq!(names, report.iter().map(|t| t.name.clone()).collect::<Vec<_>>());
    assert_eq!(report.iter().map(|t| t.bytes_before).sum::<u64>(), last);
}

#[test]
fn a_directory_without_a_tokenizer_has_no_vocabulary() {
    let (dir, _) = sharded(1);
    fs::write(dir.path().join("config.json"), fixture_config().to_string()).unwrap();
    let (bytes, _) = from_hf(dir.path(), &Types::uniform(DType::Q8_0));
    let keys = metadata(&Gguf::parse(&bytes).unwrap());
    let keys: Vec<_> = keys.iter().filter(|(key, _)| key.starts_with("tokenizer")).collect();
    // What llama.cpp wants to read in such a file.
    let none = ("tokenizer.ggml.model".to_string(), "Str(\"none\")".to_string());
    assert_eq!(keys, [(&none.0, &none.1)]);
}
