//! What stands beside a model's weights and vocabulary: stop tokens in every place, sampling,
//! chat templates; from the directory, and from the GGUF file made of it.

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;

use serde_json::{Value, json};
use xielu::checkpoint::Sampling;
use xielu::checkpoint::gguf::{Gguf, GgufWriter};
use xielu::checkpoint::hf::{HfDir, Vocabulary, VocabularyOptions};
use xielu::convert::{Progress, Types, convert_hf};
use xielu::kernels::DType;
use xielu::tokenizer::{Special, Tokenizer};
use xielu_testing::hf::{changed, fixture};

fn vocabulary(dir: &Path) -> Vocabulary {
    let options = VocabularyOptions::default();
    HfDir::open(dir).unwrap().vocabulary(options).unwrap().unwrap()
}

fn gguf(dir: &Path) -> Vec<u8> {
    let source = HfDir::open(dir).unwrap();
    let output = dir.join("out.gguf");
    let types = Types::uniform(DType::BF16);
    let go_on = |_: Progress<'_>| ControlFlow::Continue(());
    convert_hf(&source, &output, &types, Some(&vocabulary(dir)), go_on).unwrap();
    fs::read(output).unwrap()
}

const NO_IDS: Value = Value::Null;

#[test]
fn all_places_name_stop_tokens_and_files_of_both_kinds_stop_at_all() {
    let in_config = |top: Value, text: Value| {
        ("config.json", json!({"eos_token_id": top, "text_config": {"eos_token_id": text}}))
    };
    let generation = |ids: Value| ("generation_config.json", json!({"eos_token_id": ids}));
    let tokenizer = |name: Value| ("tokenizer_config.json", json!({"eos_token": name}));
    let all = |a, b, c| vec![a, b, c];
    let cases = [
        (
            all(generation(json!([2, 353])), in_config(json!(2), NO_IDS), tokenizer(json!("</s>"))),
            vec![2, 353],
        ),
        (
            all(generation(NO_IDS), in_config(json!([2, 353]), NO_IDS), tokenizer(NO_IDS)),
            vec![2, 353],
        ),
        (
            all(
                generation(json!(353)),
                in_config(json!(400), json!([401])),
                tokenizer(json!("</s>")),
            ),
            vec![2, 353, 400, 401],
        ),
        (all(generation(NO_IDS), in_config(NO_IDS, json!(353)), tokenizer(NO_IDS)), vec![353]),
        (
            all(
                generation(json!(-1)),
                in_config(NO_IDS, NO_IDS),
                tokenizer(json!({"content": "<s>"})),
            ),
            vec![1],
        ),
        // Nothing says so: by its text.
        (all(generation(NO_IDS), in_config(NO_IDS, NO_IDS), tokenizer(NO_IDS)), vec![2]),
    ];
    for (changes, stops) in cases {
        let mut changes = changes;
        // Only text models have such a part; its keys are the whole configuration's.
        let text = changes[1].1["text_config"]["eos_token_id"].take();
        let mut config: Value =
            serde_json::from_slice(&fs::read(fixture().join("config.json")).unwrap()).unwrap();
        config["eos_token_id"] = text;
        changes[1].1["text_config"] = config;
        let dir = changed(&changes);
        let tokenizer = Tokenizer::from_hf_dir(dir.path()).unwrap();
        assert_eq!(tokenizer.ends(), stops);
        let bytes = gguf(dir.path());
        let gguf = Gguf::parse(&bytes).unwrap();
        assert_eq!(Tokenizer::from_gguf(&gguf).unwrap().ends(), stops);
        let keys = ["eos", "eot", "eom"]
            .map(|name| gguf.get_u32(&format!("tokenizer.ggml.{name}_token_id")));
        let key = |place: usize| stops.get(place).copied();
        assert_eq!(keys, [key(0), key(1), key(2)]);
        let lost = vocabulary(dir.path()).lost;
        assert_eq!(lost.iter().any(|lost| lost.contains("do not stop at")), stops.len() > 3);
    }
}

#[test]
fn unreadable_settings_are_errors_that_name_the_file() {
    let cases = [
        ("generation_config.json", "{", "is not valid"),
        ("generation_config.json", "[]", "not a JSON object"),
        ("generation_config.json", r#"{"eos_token_id": -5}"#, "-5"),
        ("generation_config.json", r#"{"eos_token_id": ["</s>"]}"#, "</s>"),
        ("generation_config.json", r#"{"temperature": -1}"#, "`temperature` is -1"),
        ("generation_config.json", r#"{"top_p": "a"}"#, "not a number"),
        ("tokenizer_config.json", "nonsense", "is not valid"),
        ("tokenizer_config.json", r#"{"chat_template": 7}"#, "chat_template"),
        ("tokenizer_config.json", r#"{"chat_template": [{"name": "a"}]}"#, "chat_template"),
        ("special_tokens_map.json", "[1]", "not a JSON object"),
    ];
    for (file, text, says) in cases {
        let dir = changed(&[]);
        fs::write(dir.path().join(file), text).unwrap();
        let options = VocabularyOptions::default();
        let problem = HfDir::open(dir.path()).unwrap().vocabulary(options).unwrap_err().to_string();
        assert!(problem.contains(says) && problem.contains(file), "{problem}");
        if !text.contains("chat_template") {
            let problem = Tokenizer::from_hf_dir(dir.path()).err().unwrap().to_string();
            assert!(problem.contains(says) && problem.contains(file), "{problem}");
            assert_eq!(problem.lines().count(), 1);
        }
    }
    let dir = changed(&[]);
    fs::remove_file(dir.path().join("generation_config.json")).unwrap();
    fs::create_dir(dir.path().join("generation_config.json")).unwrap();
    let problem = Tokenizer::from_hf_dir(dir.path()).err().unwrap().to_string();
    assert!(problem.contains("is not a plain file"), "{problem}");
}

#[test]
fn sampling_comes_along() {
    let card = json!({
        "do_sample": true, "temperature": 0.8, "top_k": 50, "top_p": 0.9, "min_p": 0.05,
        "repetition_penalty": 1.1, "typical_p": 0.95,
    });
    let dir = changed(&[("generation_config.json", card)]);
    let expected = Sampling {
        temperature: Some(0.8),
        top_k: Some(50),
        top_p: Some(0.9),
        min_p: Some(0.05),
        repetition_penalty: Some(1.1),
        // transformers counts all tokens.
        penalty_last_n: Some(-1),
        typical_p: Some(0.95),
    };
    assert_eq!(vocabulary(dir.path()).sampling, expected);
    let bytes = gguf(dir.path());
    let gguf = Gguf::parse(&bytes).unwrap();
    assert_eq!(Sampling::from_gguf(&gguf), Ok(expected));
    // llama.cpp's types.
    assert_eq!(gguf.get_f32("general.sampling.temp"), Some(0.8));
    let top_k = gguf.get("general.sampling.top_k").unwrap();
    assert_eq!(top_k, xielu::checkpoint::gguf::Value::I32(50));
    assert_eq!(gguf.get_f32("general.sampling.penalty_repeat"), Some(1.1));
    let last_n = gguf.get("general.sampling.penalty_last_n").unwrap();
    assert_eq!(last_n, xielu::checkpoint::gguf::Value::I32(-1));
    let plain = changed(&[]);
    assert!(vocabulary(plain.path()).sampling.is_empty());
}

#[test]
fn chat_templates_are_kept_and_files_replace_the_key() {
    let named = |list: &[(&str, &str)]| -> Vec<(String, String)> {
        list.iter().map(|(name, text)| ((*name).into(), (*text).into())).collect()
    };
    let list = json!([
        {"name": "tool_use", "template": "T"},
        {"name": "default", "template": "D"},
        {"name": "a-b", "template": "A"},
        {"name": "a b", "template": "B"},
    ]);
    let with =
        |template: Value| changed(&[("tokenizer_config.json", json!({"chat_template": template}))]);
    let check = |dir: &tempfile::TempDir, expected: &[(&str, &str)], keys: &[&str]| {
        let kept = vocabulary(dir.path()).chat_templates;
        let kept: Vec<_> = kept.into_iter().map(|t| (t.name, t.text)).collect();
        assert_eq!(kept, named(expected));
        let bytes = gguf(dir.path());
        let gguf = Gguf::parse(&bytes).unwrap();
        let default = expected.iter().find(|(name, _)| *name == "default").map(|(_, text)| *text);
        assert_eq!(gguf.get_str("tokenizer.chat_template"), default);
        let names = gguf.get_array("tokenizer.chat_templates");
        let names: Vec<&str> = names.iter().flat_map(|names| names.strs().unwrap()).collect();
        assert_eq!(names, keys);
        for name in names {
            assert!(gguf.get_str(&format!("tokenizer.chat_template.{name}")).is_some());
        }
    };
    check(&with(json!(null)), &[], &[]);
    check(&with(json!("D")), &[("default", "D")], &[]);
    let sorted = [("default", "D"), ("tool_use", "T"), ("a-b", "A"), ("a b", "B")];
    check(&with(list.clone()), &sorted, &["tool_use", "a_b", "a_b_"]);
    let dir = with(list);
    fs::write(dir.path().join("chat_template.jinja"), "J").unwrap();
    fs::create_dir(dir.path().join("additional_chat_templates")).unwrap();
    fs::write(dir.path().join("additional_chat_templates/rag.jinja"), "R").unwrap();
    // As in transformers, what stands in files makes the key count for nothing.
    check(&dir, &[("default", "J"), ("rag", "R")], &["rag"]);
}

/// The fixture's GGUF file with one pair of metadata in another type.
fn retyped(key: &str, write: impl Fn(&mut GgufWriter, &Gguf<'_>)) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/tiny-Q8_0.gguf");
    let bytes = fs::read(path).unwrap();
    let gguf = Gguf::parse(&bytes).unwrap();
    let mut writer = GgufWriter::new();
    for (name, value) in gguf.metadata().filter(|(name, _)| *name != key) {
        writer.pair(name, value).unwrap();
    }
    write(&mut writer, &gguf);
    let data = writer.begin(Vec::new()).unwrap();
    data.finish().unwrap()
}

#[test]
fn vocabulary_keys_are_read_by_their_meaning_or_refused() {
    let types = "tokenizer.ggml.token_type";
    let numbers = |gguf: &Gguf<'_>| -> Vec<u32> {
        gguf.get_array(types).unwrap().i32s().unwrap().map(|kind| kind as u32).collect()
    };
    let bytes = retyped(types, |writer, gguf| writer.u32s(types, &numbers(gguf)).unwrap());
    let tokenizer = Tokenizer::from_gguf(&Gguf::parse(&bytes).unwrap()).unwrap();
    assert_eq!(tokenizer.encode("<s></s>", Special::Parse).unwrap(), [1, 2]);
    let refused = |key: &str, write: &dyn Fn(&mut GgufWriter)| {
        let bytes = retyped(key, |writer, _| write(writer));
        let problem = Tokenizer::from_gguf(&Gguf::parse(&bytes).unwrap()).err().unwrap();
        assert!(problem.to_string().contains(key), "{problem}");
    };
    refused(types, &|writer| writer.f32s(types, &[1.0]).unwrap());
    let text = xielu::checkpoint::gguf::Value::Str("yes");
    for key in
        ["tokenizer.ggml.eos_token_id", "tokenizer.ggml.add_bos_token", "tokenizer.ggml.merges"]
    {
        refused(key, &|writer| writer.pair(key, text).unwrap());
    }
}
