//! Conversions that must fail, and what they leave behind: nothing.

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use xielu::checkpoint::gguf::{GgmlType, Gguf, GgufWriter};
use xielu::checkpoint::hf::{HfDir, VocabularyOptions};
use xielu::checkpoint::{Checkpoint as _, Role};
use xielu::convert::{ConvertError, Output, Progress, Types, convert_gguf, convert_hf};
use xielu::kernels::DType;
use xielu::quant::EncodeError;
use xielu_testing::hf::{directory, fixture, fixture_config, fixture_tensors};

const Q8_0: Types = Types::uniform(DType::Q8_0);

fn go_on(_: Progress<'_>) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

fn bf16_fixture() -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/tiny-bf16.gguf");
    fs::read(path).unwrap()
}

/// A folder with a file that a failed conversion must leave alone.
struct Guarded {
    dir: tempfile::TempDir,
    output: PathBuf,
}

impl Guarded {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let output = dir.path().join("out.gguf");
        fs::write(&output, "what was here before").unwrap();
        Guarded { dir, output }
    }

    /// The error, after checking that it left nothing.
    fn error<T>(&self, result: Result<T, ConvertError>) -> (ConvertError, String) {
        let Err(error) = result else { panic!("must fail") };
        assert_eq!(fs::read(&self.output).unwrap(), b"what was here before");
        assert_eq!(fs::read_dir(self.dir.path()).unwrap().count(), 1, "a file was left");
        let text = error.to_string();
        assert!(!text.contains('\n'), "one line: {text}");
        (error, text)
    }
}

#[test]
fn cancelling_leaves_nothing() {
    let bytes = bf16_fixture();
    let gguf = Gguf::parse(&bytes).unwrap();
    for chunks in [1, 10, 44] {
        let guarded = Guarded::new();
        let mut seen = 0;
        let stop = |_: Progress<'_>| {
            seen += 1;
            if seen == chunks { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let (error, _) = guarded.error(convert_gguf(&gguf, &guarded.output, &Q8_0, stop));
        assert!(matches!(error, ConvertError::Cancelled));
    }
}

/// Parts appear together or not at all, and replace nothing unasked.
#[test]
fn parts_appear_together_or_not_at_all() {
    let bytes = bf16_fixture();
    let gguf = Gguf::parse(&bytes).unwrap();
    let guarded = Guarded::new();
    let output = Output { path: &guarded.output, max_part: Some(300_000), replace: false };
    let mut seen = 0;
    let stop_late = |_: Progress<'_>| {
        seen += 1;
        if seen == 40 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let (error, _) = guarded.error(convert_gguf(&gguf, output, &Q8_0, stop_late));
    assert!(matches!(error, ConvertError::Cancelled));
    let last = guarded.output.with_file_name("out-00005-of-00005.gguf");
    fs::write(&last, "in the way").unwrap();
    let error = convert_gguf(&gguf, output, &Q8_0, go_on).unwrap_err();
    assert!(matches!(&error, ConvertError::Exists(path) if *path == last), "{error}");
    assert_eq!(fs::read_dir(guarded.dir.path()).unwrap().count(), 2, "a file was left");
    fs::remove_file(&last).unwrap();
    // A directory in the place of a part: those that had their names lose them again.
    fs::create_dir(guarded.output.with_file_name("out-00002-of-00005.gguf")).unwrap();
    let error = convert_gguf(&gguf, output, &Q8_0, go_on).unwrap_err().to_string();
    assert!(error.contains("out-00002-of-00005.gguf"), "{error}");
    assert_eq!(fs::read_dir(guarded.dir.path()).unwrap().count(), 2, "a file was left");
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_and_a_missing_folder() {
    let bytes = bf16_fixture();
    let gguf = Gguf::parse(&bytes).unwrap();
    for output in ["/dev/full", "/nonexistent/out.gguf"] {
        let error = convert_gguf(&gguf, Path::new(output), &Q8_0, go_on).unwrap_err();
        assert!(matches!(error, ConvertError::Io { .. }));
        assert!(error.to_string().contains(output), "{error}");
    }
}

#[test]
fn a_file_may_replace_its_own_source() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model.gguf");
    fs::write(&path, bf16_fixture()).unwrap();
    let source = xielu::kernels::MappedFile::open(&path).unwrap();
    convert_gguf(&Gguf::parse(&source).unwrap(), &path, &Q8_0, go_on).unwrap();
    let now = fs::read(&path).unwrap();
    assert!(now.len() < source.len());
    assert!(Gguf::parse(&now).is_ok() && Gguf::parse(&source).is_ok());
}

#[test]
fn damaged_values_are_named() {
    let name = "model.layers.1.mlp.up_proj.weight";
    for (bits, dtype) in [
        (0x7fc0u16, DType::Q8_0),
        (0xff80, DType::Q4_0),
        (0x7f80, DType::F16),
        (0x7f80, DType::BF16),
    ] {
        let mut tensors = fixture_tensors();
        let data = &mut tensors.get_mut(name).unwrap().2;
        // Row 600 is in the second chunk of rows.
        let at = (600 * 128 + 77) * 2;
        data[at..at + 2].copy_from_slice(&bits.to_le_bytes());
        let dir = directory(&fixture_config(), &tensors);
        let source = HfDir::open(dir.path()).unwrap();
        let guarded = Guarded::new();
        let types = Types::uniform(dtype);
        let result = convert_hf(&source, &guarded.output, &types, None, go_on);
        let (error, text) = guarded.error(result);
        assert!(
            matches!(&error, ConvertError::NotFinite { tensor, row: 600, col: 77 }
                if tensor == "blk.1.ffn_up.weight"),
            "{text}"
        );
    }
}

/// A tensor that keeps its type is copied, and checked all the same.
#[test]
fn damage_is_not_copied() {
    let bytes = bf16_fixture();
    let up = "blk.1.ffn_up.weight";
    for (dtype, name, row, col) in [
        (DType::Q8_0, up, 600, 64),
        (DType::Q4_0, up, 600, 64),
        (DType::F16, up, 600, 64),
        (DType::F32, up, 600, 64),
        (DType::Q8_0, "blk.2.ffn_norm.weight", 0, 64), // F32, as norms are
    ] {
        let guarded = Guarded::new();
        let types = Types::uniform(dtype);
        convert_gguf(&Gguf::parse(&bytes).unwrap(), &guarded.output, &types, go_on).unwrap();
        let mut converted = fs::read(&guarded.output).unwrap();
        let at = {
            let gguf = Gguf::parse(&converted).unwrap();
            let tensor = gguf.tensor(Role::from_gguf_name(name).unwrap()).unwrap().unwrap();
            let start = tensor.data.as_ptr().addr() - converted.as_ptr().addr();
            let blocks = (row * tensor.cols + col) / tensor.dtype.block_len();
            start + blocks * tensor.dtype.block_bytes()
        };
        // An infinite f16, and the upper half of one in f32.
        let wide = dtype == DType::F32 || row == 0;
        let (skip, infinity) = if wide { (2, 0x7f80u16) } else { (0, 0x7c00) };
        converted[at + skip..at + skip + 2].copy_from_slice(&infinity.to_le_bytes());
        fs::write(&guarded.output, "what was here before").unwrap();
        let gguf = Gguf::parse(&converted).unwrap();
        let (error, text) = guarded.error(convert_gguf(&gguf, &guarded.output, &types, go_on));
        let ConvertError::NotFinite { tensor, row: r, col: c } = error else { panic!("{text}") };
        assert_eq!((tensor.as_str(), r, c), (name, row, col), "{dtype}");
    }
}

#[test]
fn values_beyond_the_type_are_refused() {
    let mut tensors = fixture_tensors();
    let data = &mut tensors.get_mut("lm_head.weight").unwrap().2;
    data[..2].copy_from_slice(&0x7f00u16.to_le_bytes());
    let dir = directory(&fixture_config(), &tensors);
    let source = HfDir::open(dir.path()).unwrap();
    for dtype in [DType::F16, DType::Q8_0] {
        let guarded = Guarded::new();
        let types = Types::uniform(dtype);
        let result = convert_hf(&source, &guarded.output, &types, None, go_on);
        let (error, text) = guarded.error(result);
        let overflow = |e: &ConvertError| {
            matches!(e, ConvertError::Encode { source: EncodeError::Overflow { .. }, .. })
        };
        assert!(overflow(&error) && text.contains("output.weight"), "{text}");
    }
}

/// The fixture with one more tensor, or without its metadata.
fn rewritten(extra: Option<&str>, keys: impl Fn(&str) -> bool) -> Vec<u8> {
    let bytes = bf16_fixture();
    let gguf = Gguf::parse(&bytes).unwrap();
    let mut writer = GgufWriter::new();
    for (key, value) in gguf.metadata().filter(|(key, _)| keys(key)) {
        writer.pair(key, value).unwrap();
    }
    for info in gguf.tensors() {
        writer.tensor(info.name, info.dims(), info.ggml_type).unwrap();
    }
    if let Some(name) = extra {
        writer.tensor(name, &[32], GgmlType(0)).unwrap();
    }
    let mut data = writer.begin(Vec::new()).unwrap();
    for info in gguf.tensors() {
        data.write(gguf.tensor_data(&info).unwrap()).unwrap();
    }
    if extra.is_some() {
        data.write(&[0; 128]).unwrap();
    }
    data.finish().unwrap()
}

#[test]
fn unusable_sources() {
    let guarded = Guarded::new();
    for extra in ["rope_factors_long.weight", "blk.4.ffn_up.weight", "blk.0.ffn_gate.weight"] {
        let bytes = rewritten(Some(extra), |_| true);
        let gguf = Gguf::parse(&bytes).unwrap();
        let result = convert_gguf(&gguf, &guarded.output, &Q8_0, go_on);
        let (error, text) = guarded.error(result);
        assert!(matches!(error, ConvertError::UnknownTensor(_)) && text.contains(extra), "{text}");
    }
    let bytes = rewritten(None, |key| !key.ends_with("block_count"));
    let gguf = Gguf::parse(&bytes).unwrap();
    let (error, text) = guarded.error(convert_gguf(&gguf, &guarded.output, &Q8_0, go_on));
    assert!(matches!(error, ConvertError::Source(_)) && text.contains("block_count"), "{text}");
}

/// Each entry replaces a part of `tokenizer.json`; the error, or the note on what other programs
/// do otherwise, says what is wrong.
#[test]
fn unusable_tokenizers() {
    use serde_json::{Value, json};
    let original: Value =
        serde_json::from_slice(&fs::read(fixture().join("tokenizer.json")).unwrap()).unwrap();
    let cases = [
        ("/model/type", json!("Unigram"), Err("no vocabulary of its type")),
        ("/model/type", json!("Trie"), Err("the type \"Trie\"")),
        ("/model/byte_fallback", json!(true), Ok("not byte-level BPE")),
        ("/model/vocab/!", json!(1024), Ok("\"!\" with id 1024")),
        ("/model/vocab/!", json!(4), Err("the id 4")),
        ("/model/vocab/!", json!(-1), Err("-1 for the id")),
        ("/model/merges/0", json!("ab"), Err("merge")),
        ("/model/merges/0", json!(["a b", "c"]), Err("merge")),
        ("/model/merges/0", json!(["a", "b", "c"]), Err("merge")),
        ("/model", json!(null), Err("no vocabulary")),
        ("/normalizer", json!({"type": "Lowercase"}), Ok("normalizer (Lowercase)")),
        ("/normalizer", json!({"type": "Sequence", "normalizers": []}), Ok("")),
        ("/pre_tokenizer", json!(null), Ok("not byte-level BPE")),
        ("/pre_tokenizer/use_regex", json!(false), Ok("no name in GGUF files")),
        ("/pre_tokenizer/add_prefix_space", json!(true), Ok("add_prefix_space")),
        ("/model/ignore_merges", json!(true), Ok("ignore_merges")),
        ("/added_tokens/0/lstrip", json!(true), Ok("lstrip")),
        ("/decoder/type", json!("Fuse"), Ok("decoder (Fuse)")),
        ("/truncation", json!({"max_length": 8}), Ok("")),
    ];
    let dir = directory(&fixture_config(), &fixture_tensors());
    let path = dir.path().join("tokenizer.json");
    let read = |options| HfDir::open(dir.path()).unwrap().vocabulary(options);
    for (pointer, value, expected) in cases {
        let mut json = original.clone();
        *json.pointer_mut(pointer).unwrap() = value.clone();
        fs::write(&path, json.to_string()).unwrap();
        let result = read(VocabularyOptions::default());
        match (result, expected) {
            (Ok(Some(kept)), Ok("")) => assert_eq!(kept.lost, [""; 0], "{pointer}"),
            (Ok(Some(kept)), Ok(says)) => {
                assert!(kept.lost.len() == 1 && kept.lost[0].contains(says), "{:?}", kept.lost);
            }
            (Err(e), Err(says)) => {
                let text = e.to_string();
                assert!(text.contains(says) && text.contains("tokenizer.json"), "{text}");
                assert_eq!(text.lines().count(), 1, "{text}");
            }
            (result, _) => panic!("{pointer}: {result:?}"),
        }
    }
    // A name given by the caller takes the place of recognition, if it is one.
    let mut json = original;
    json["pre_tokenizer"]["use_regex"] = false.into();
    fs::write(&path, json.to_string()).unwrap();
    let named = |pre| VocabularyOptions { pre: Some(pre), without_json: true };
    let kept = read(named("tekken")).unwrap().unwrap();
    assert_eq!((kept.pre.as_deref(), kept.json), (Some("tekken"), None));
    let text = read(named("tekkken")).unwrap_err().to_string();
    assert!(text.contains("\"tekkken\"") && text.contains("tekken,"), "{text}");
    let text = read(VocabularyOptions { pre: None, without_json: true }).unwrap_err().to_string();
    assert!(text.contains("--pre"), "{text}");
}
