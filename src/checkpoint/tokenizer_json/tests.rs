use std::string::{String, ToString as _};
use std::vec::Vec;

use serde_json::{Value, json};

use super::*;

fn small() -> Value {
    json!({
        "version": "1.0", "truncation": {"max_length": 4}, "padding": {"strategy": {"Fixed": 9}},
        "added_tokens": [
            {"id": 0, "content": "<s>", "special": true},
            {"id": 9, "content": "<new>", "special": false},
        ],
        "normalizer": null,
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "use_regex": true},
        "post_processor": null,
        "decoder": {"type": "ByteLevel"},
        "model": {"type": "BPE", "dropout": 0.1, "vocab": {"<s>": 0, "a": 1, "b": 2, "ab": 3},
            "merges": [["a", "b"]]},
    })
}

fn parse(json: &Value) -> Result<TokenizerJson, String> {
    TokenizerJson::parse(json.to_string().as_bytes())
}

fn with(part: &str, value: Value) -> Result<TokenizerJson, String> {
    let mut json = small();
    json[part] = value;
    parse(&json)
}

#[test]
fn the_state_of_a_batch_is_cleared_and_ids_are_the_librarys() {
    let json = parse(&small()).unwrap();
    let text: Value = serde_json::from_str(&json.to_text()).unwrap();
    assert_eq!((&text["truncation"], &text["padding"]), (&Value::Null, &Value::Null));
    assert_eq!(text["model"]["dropout"], Value::Null);
    // The next after the vocabulary's four, whatever the file says.
    assert_eq!(json.id_of("<new>"), Some(4));
    assert_eq!(text["added_tokens"][1]["id"], 4);
    assert_eq!((json.id_of("ab"), json.id_of("c")), (Some(3), None));
    let again = TokenizerJson::parse(json.to_text().as_bytes()).unwrap();
    assert_eq!((again.to_text(), again.added()), (json.to_text(), json.added()));
}

#[test]
fn tokens_from_elsewhere_get_the_next_ids() {
    let mut json = parse(&small()).unwrap();
    json.add(Added::special("b")).unwrap();
    json.add(Added::special("<x>")).unwrap();
    json.add(Added { lstrip: true, ..Added::special("<new>") }).unwrap();
    json.add(Added::special("")).unwrap();
    let ids: Vec<_> = json.added().iter().map(|t| (t.content.as_str(), t.id, t.special)).collect();
    assert_eq!(ids, [("<s>", 0, true), ("<new>", 4, true), ("b", 2, true), ("<x>", 5, true)]);
}

#[test]
fn tokens_around_a_text() {
    let special = |name: &str| json!({"SpecialToken": {"id": name, "type_id": 0}});
    let (text, other) = (json!({"Sequence": {"id": "A"}}), json!({"Sequence": {"id": "B"}}));
    let ids = json!({"<s>": {"ids": [0]}, "</s>": {"ids": [2]}, "two": {"ids": [7, 8]}});
    let template = |single: Value| {
        let pair = [&text, &other];
        json!({"type": "TemplateProcessing", "single": single, "pair": pair, "special_tokens": ids})
    };
    let edges = |processor: Value| {
        let json = with("post_processor", processor)?;
        Ok::<_, String>((json.edges().prefix.clone(), json.edges().suffix.clone()))
    };
    let none = || Ok((Vec::new(), Vec::new()));
    assert_eq!(edges(json!(null)), none());
    assert_eq!(edges(json!({"type": "ByteLevel", "trim_offsets": true})), none());
    assert_eq!(edges(template(json!([text]))), none());
    let full = json!([special("<s>"), special("two"), text, special("</s>")]);
    assert_eq!(edges(template(full.clone())), Ok((std::vec![0, 7, 8], std::vec![2])));
    let nested = json!({"type": "Sequence", "processors": [
        {"type": "ByteLevel"}, template(json!([special("<s>"), text])),
        {"type": "RobertaProcessing", "cls": ["c", 5], "sep": ["s", 6]},
    ]});
    assert_eq!(edges(nested), Ok((std::vec![5, 0], std::vec![6])));
    for (bad, says) in [
        (template(json!([special("<x>"), text])), "\"<x>\""),
        (template(json!([])), "0 times"),
        (template(json!([text, text])), "2 times"),
        (json!({"type": "TemplateProcessing"}), "single"),
        (json!({"type": "Other"}), "\"Other\""),
        (json!({"type": "BertProcessing", "cls": ["c", -1], "sep": ["s", 6]}), "-1"),
    ] {
        let problem = edges(bad).unwrap_err();
        assert!(problem.contains(says) && problem.contains("post_processor"), "{problem}");
    }
}

/// What would panic, abort, hang or fill memory inside the library.
#[test]
fn rules() {
    let long = "a".repeat(2000);
    let replace = |pattern: Value, content: &str| json!({"type": "Replace", "pattern": pattern, "content": content});
    let mut deep = json!({"type": "NFC"});
    for _ in 0..60 {
        deep = json!({"type": "Sequence", "normalizers": [deep]});
    }
    let cases = [
        ("normalizer", replace(json!({"Regex": ""}), "a"), "empty pattern"),
        ("normalizer", replace(json!({"String": ""}), "a"), "empty pattern"),
        ("normalizer", replace(json!("a"), "a"), "neither"),
        ("normalizer", replace(json!({"String": "a"}), &long), "bytes in a text"),
        ("normalizer", json!({"type": "Prepend", "prepend": long}), "bytes in a text"),
        ("normalizer", json!({"type": "Precompiled"}), "precompiled_charsmap"),
        ("normalizer", json!({"type": "Precompiled", "precompiled_charsmap": "AAAA"}), "cut off"),
        (
            "normalizer",
            json!({"type": "Precompiled", "precompiled_charsmap": "/////w=="}),
            "cut off",
        ),
        ("normalizer", json!({"type": "Precompiled", "precompiled_charsmap": "BAAAAAAAAAAA"}), ""),
        ("normalizer", json!({"type": "Magic"}), "known are"),
        ("normalizer", json!({"lowercase": true}), "without a type"),
        ("normalizer", json!([1]), "without a type"),
        ("normalizer", deep, "sequences in each other"),
        ("pre_tokenizer", json!({"type": "FixedLength", "length": 0}), "length 0"),
        ("pre_tokenizer", json!({"type": "Split", "pattern": {"Regex": "("}, "behavior": "x"}), ""),
        ("pre_tokenizer", json!({"type": "Sequence"}), "pretokenizers"),
        (
            "pre_tokenizer",
            json!({"type": "Sequence", "pretokenizers": std::vec![json!({"type": "ByteLevel"}); 3]}),
            "ByteLevel steps",
        ),
        ("decoder", json!({"type": "Strip", "content": "a", "start": 0, "stop": 1e12}), "strips"),
        (
            "decoder",
            json!({"type": "Strip", "content": "a", "start": 1u64 << 40, "stop": 0}),
            "strips",
        ),
        (
            "decoder",
            json!({"type": "Sequence", "decoders": std::vec![replace(json!({"String": "a"}), "aaaaaaaaaa"); 5]}),
            "times the length",
        ),
        ("model", json!({"type": "BPE", "vocab": {"a": 1, "b": 1}, "merges": []}), "the id 1"),
        ("model", json!({"type": "BPE", "vocab": {"a": u32::MAX}, "merges": []}), "4294967295"),
        ("model", json!({"type": "BPE", "merges": []}), "no vocabulary"),
        ("model", json!({"type": "BPE", "vocab": {"a": 1}, "merges": [["a", "b"]]}), "token \"b\""),
        ("model", json!({"type": "BPE", "vocab": {"a": 1}, "merges": ["a a"]}), "token \"aa\""),
        ("model", json!({"type": "BPE", "vocab": {"a": 1}, "merges": ["a a a"]}), "not a pair"),
        ("model", json!({"type": "Unigram", "vocab": []}), "empty"),
        ("model", json!({"type": "Unigram", "unk_id": 7, "vocab": [["a", 0.0]]}), "unk_id 7"),
        ("model", json!({"type": "Unigram", "vocab": [["a"]]}), "score"),
        ("added_tokens", json!([{"id": 1}]), "added_tokens"),
        ("added_tokens", json!([{"content": "x".repeat(70_000)}]), "bytes in one token"),
    ];
    for (part, value, says) in cases {
        match with(part, value.clone()) {
            Ok(_) => assert_eq!(says, "", "{part} {:.100}", value.to_string()),
            Err(problem) => {
                assert!(!says.is_empty() && problem.contains(says), "{problem}");
                assert_eq!(problem.lines().count(), 1, "{problem}");
            }
        }
    }
    for text in ["", "[]", "{\"model\": \u{1}}", "{", &"[".repeat(1_000_000)] {
        let problem = TokenizerJson::parse(text.as_bytes()).unwrap_err();
        assert!(problem.contains("JSON"), "{problem}");
    }
}
