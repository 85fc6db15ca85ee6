//! What the command says about tokenizers, and what it does with the options for them.

use std::fs;
use std::path::Path;

use serde_json::json;
use xielu_testing::hf::changed;

use crate::support::{arg, fails, succeeds, text, xielu};

/// The notes of a conversion.
fn notes(dir: &Path, more: &[&str]) -> Vec<String> {
    let output = dir.join("out.gguf");
    let args = ["quantize", arg(dir), arg(&output), "--type", "q8_0", "--force"];
    let output = xielu(&[&args, more].concat()).output().unwrap();
    let errors = text(&output.stderr);
    assert!(output.status.success(), "{errors}");
    errors.lines().map(String::from).collect()
}

#[test]
fn losses_are_told_one_by_one_and_are_not_ours() {
    let lower = json!({"type": "Lowercase"});
    let dir = changed(&[("tokenizer.json", json!({"normalizer": lower}))]);
    assert_eq!(
        notes(dir.path(), &[]),
        ["note: other programs leave out its normalizer (Lowercase): text that it changes gets \
          other tokens there"]
    );
    let output = dir.path().join("out.gguf");
    let ids = |model: &Path| {
        succeeds(&["generate", arg(model), "--prompt", "The VEC Type IS", "-n", "8", "--ids"])
    };
    assert_eq!(ids(&output), ids(dir.path()));
    notes(dir.path(), &["--no-tokenizer-json"]);
    assert_ne!(ids(&output), ids(dir.path()));
    let plain = changed(&[("tokenizer.json", json!({"normalizer": null}))]);
    assert_eq!(notes(plain.path(), &[]), [""; 0]);
}

#[test]
fn a_vocabulary_can_be_left_out_and_names_are_checked() {
    let dir = changed(&[]);
    assert_eq!(notes(dir.path(), &["--no-tokenizer"]), [""; 0]);
    let output = dir.path().join("out.gguf");
    let problem = fails(&["generate", arg(&output), "--prompt", "a"]);
    assert!(problem.contains("the file has no vocabulary"), "{problem}");
    let bare = changed(&[]);
    fs::remove_file(bare.path().join("tokenizer.json")).unwrap();
    let told = notes(bare.path(), &[]);
    assert!(told.len() == 1 && told[0].ends_with("the file gets no vocabulary"), "{told:?}");
    let quantize = ["quantize", arg(dir.path()), arg(&output), "--type", "q8_0", "--force"];
    let problem = fails(&[&quantize[..], &["--pre", "tekkken"]].concat());
    assert!(problem.contains("no pre-tokenizer is called \"tekkken\""), "{problem}");
    let again = dir.path().join("again.gguf");
    let quantize = ["quantize", arg(&output), arg(&again), "--type", "q8_0", "--pre", "tekken"];
    let problem = fails(&quantize);
    assert!(problem.contains("a GGUF file keeps the vocabulary"), "{problem}");
}

#[test]
fn inspect_names_templates_and_sampling() {
    let list =
        json!([{"name": "default", "template": "x"}, {"name": "tool\u{1b}", "template": "y"}]);
    let dir = changed(&[
        ("tokenizer_config.json", json!({"chat_template": list})),
        ("generation_config.json", json!({"do_sample": true, "temperature": 0.5, "top_k": 7})),
    ]);
    let shown = succeeds(&["inspect", arg(dir.path()), "--no-tensors"]);
    assert!(shown.contains("chat templates   default, tool\\u{1b}\n"), "{shown}");
    assert!(shown.contains("sampling         temperature 0.5, top-k 7\n"), "{shown}");
    notes(dir.path(), &[]);
    let output = dir.path().join("out.gguf");
    let shown = succeeds(&["inspect", arg(&output), "--no-tensors"]);
    assert!(shown.contains("chat templates   default, tool_\n"), "{shown}");
    assert!(shown.contains("sampling         temperature 0.5, top-k 7\n"), "{shown}");
    let shown = succeeds(&["inspect", "tests/data/tiny", "--no-tensors"]);
    assert!(!shown.contains("\nText\n"), "{shown}");
}

#[test]
fn generating_is_greedy_unless_asked_to_follow_the_model() {
    let card = json!({
        "do_sample": true, "temperature": 1.5, "top_k": 0, "min_p": 0.1, "typical_p": 0.9,
        "repetition_penalty": 1.3,
    });
    let dir = changed(&[("generation_config.json", card)]);
    notes(dir.path(), &[]);
    let output = dir.path().join("out.gguf");
    let run = |model: &Path, more: &[&str]| {
        let prompt = ["--prompt", "The `Vec<T>` type is", "-n", "12", "--ids"];
        let output =
            xielu(&[&["generate", arg(model)], &prompt[..], more].concat()).output().unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
        (text(&output.stdout), text(&output.stderr))
    };
    for model in [dir.path(), &output] {
        let (greedy, _) = run(model, &[]);
        let (same, _) =
            run(model, &["--model-sampling", "--temp", "0", "--repetition-penalty", "1"]);
        assert_eq!(greedy, same);
        let (theirs, _) = run(model, &["--model-sampling", "--seed", "4"]);
        let plain = ["--temp", "1.5", "--top-k", "0", "--top-p", "1", "--seed", "4"];
        let more = ["--min-p", "0.1", "--typical", "0.9", "--repeat-penalty", "1.3"];
        let all = ["--repeat-last-n", "-1"];
        assert_eq!(theirs, run(model, &[&plain[..], &more, &all].concat()).0);
        assert_ne!(theirs, run(model, &plain).0);
        assert_ne!(theirs, greedy);
    }
    let silent = ["generate", "tests/data/tiny", "--prompt", "a", "--model-sampling"];
    let problem = fails(&silent);
    assert!(problem.contains("recommend no sampling"), "{problem}");
}

/// What is subtracted and forbidden shows in the tokens.
#[test]
fn penalties_and_biases_change_what_is_written() {
    let run = |more: &[&str]| {
        let prompt = ["--prompt", "The `Vec<T>` type is", "-n", "60", "--ids"];
        let line = [&["generate", "models/tiny-Q8_0.gguf"], &prompt[..], more].concat();
        let shown = succeeds(&line);
        shown.split_whitespace().map(|id| id.parse().unwrap()).collect::<Vec<u32>>()
    };
    let distinct = |ids: &[u32]| ids.iter().collect::<std::collections::HashSet<_>>().len();
    let greedy = run(&[]);
    assert!(distinct(&greedy) < greedy.len());
    let never_again = ["--presence-penalty", "1000", "--repeat-last-n", "-1"];
    let other = run(&never_again);
    assert_eq!(distinct(&other), other.len());
    assert_ne!(run(&["--frequency-penalty", "2"]), greedy);
    assert_ne!(run(&["--repetition-penalty", "1.5"]), greedy);
    assert_eq!(run(&["--repetition-penalty", "1.5", "--repeat-last-n", "0"]), greedy);

    let (first, wanted) = (greedy[0], 7);
    let forbidden = run(&["--logit-bias", &format!("{first}-inf")]);
    assert!(!forbidden.contains(&first));
    assert_eq!(run(&["-l", &format!("{wanted}+1000")]), vec![wanted; 60]);
    for (bad, says) in [
        (["--min-p", "-1"], "error: --min-p: a min-p of -1 is no share from 0 to 1"),
        (["--typical-p", "0"], "error: --typical-p: a typical-p of 0 is no probability above 0"),
        (
            ["--repetition-penalty", "0"],
            "error: --repetition-penalty: a repetition penalty of 0 is no number above 0",
        ),
        (
            ["--presence-penalty", "nan"],
            "error: --presence-penalty: a penalty of NaN is not a finite number",
        ),
        (
            ["--logit-bias", "5000+1"],
            "error: --logit-bias: there is no token 5000 to bias: the model writes 1024",
        ),
        (["--logit-bias", "5+inf"], "error: --logit-bias: token 5 cannot have a bias of inf"),
        (["--frequency-penalty", "inf"], "error: --frequency-penalty: a penalty of inf is not"),
        (["--logit-bias", "5"], "no ID+VALUE or ID-VALUE"),
        (["--repeat-last-n", "-2"], "not a number of tokens, nor -1"),
        (["--temp", "-1"], "error: --temp: a temperature of -1 cannot be; it is 0 or more"),
        (["--top-p", "0"], "error: --top-p: a top-p of 0 is no probability above 0"),
    ] {
        let line = [&["generate", "models/tiny-Q8_0.gguf", "--prompt", "a"], &bad[..]].concat();
        let output = xielu(&line).output().unwrap();
        assert!(!output.status.success());
        let problem = text(&output.stderr);
        assert!(problem.contains(says), "{problem}");
    }
}

#[test]
fn the_bounds_on_texts_can_be_raised() {
    let dir = changed(&[]);
    let directory = arg(dir.path());
    let generate = ["generate", directory, "--prompt", "a", "-n", "1"];
    let cases = [
        ("config.json", 9, &["inspect", directory][..]),
        ("tokenizer_config.json", 129, &generate),
    ];
    for (name, mib, args) in cases {
        let path = dir.path().join(name);
        let before = fs::read(&path).unwrap_or_else(|_| b"{}".to_vec());
        fs::write(&path, [before.as_slice(), &vec![b' '; mib << 20]].concat()).unwrap();
        let said = fails(args);
        assert!(said.contains(name) && said.ends_with("XIELU_MAX_TEXT_MIB raises that"), "{said}");
        let raised = xielu(args).env("XIELU_MAX_TEXT_MIB", "200").output().unwrap();
        assert!(raised.status.success(), "{}", text(&raised.stderr));
        fs::write(&path, before).unwrap();
    }
}
