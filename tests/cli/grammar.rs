//! Texts that follow a schema, a grammar or a regular expression.

use std::fs;

use crate::support::{MODEL, arg, fails, succeeds};

fn run(more: &[&str]) -> String {
    let prompt = ["-p", "a ", "-n", "60", "--temp", "1", "--seed", "5"];
    let out = succeeds(&[&["generate", MODEL], &prompt[..], more].concat());
    out.strip_prefix("a ").unwrap().trim_end().to_owned()
}

#[test]
fn texts_and_files_are_the_same_grammar() {
    let dir = tempfile::tempdir().unwrap();
    for (option, text) in [
        ("--json-schema", r#"{"type": "array", "items": {"enum": ["x", 12]}, "minItems": 2}"#),
        ("--grammar", "start: \"<\" /[a-f]{2,9}/ \">\"\n"),
    ] {
        let file = dir.path().join("file");
        fs::write(&file, text).unwrap();
        let out = run(&[option, text]);
        assert_eq!(run(&[&format!("{option}-file"), arg(&file)]), out);
        if option == "--grammar" {
            let name = out.strip_prefix('<').and_then(|out| out.strip_suffix('>')).unwrap();
            assert!((2..=9).contains(&name.len()), "{out}");
            assert!(name.bytes().all(|b| (b'a'..=b'f').contains(&b)), "{out}");
        } else {
            let items: Vec<serde_json::Value> = serde_json::from_str(&out).unwrap();
            assert!(items.len() >= 2 && items.iter().all(|i| *i == 12 || *i == "x"), "{out}");
        }
    }
    let out = run(&["--regex", "[0-9]{3}!"]);
    assert!(out.len() == 4 && out.ends_with('!'), "{out}");
}

#[test]
fn what_is_no_grammar_is_said_before_anything_is_printed() {
    for (option, text, says) in [
        ("--json-schema", "{", "error: the JSON schema is not JSON: "),
        ("--json-schema", r#"{"type": "nothing"}"#, "error: the grammar cannot be used: "),
        ("--grammar", "start: x", "error: the grammar cannot be used: "),
        ("--regex", "(", "error: the grammar cannot be used: "),
        ("--grammar-file", "nowhere.lark", "error: cannot read the grammar nowhere.lark: "),
    ] {
        let error = fails(&["generate", MODEL, "-p", "a", option, text]);
        assert!(error.starts_with(says), "{error}");
    }
}
