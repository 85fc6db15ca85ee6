//! `xielu bench`.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::{MODEL, arg, fails, succeeds, text, xielu};

const FEW: [&str; 6] = ["-p", "16", "-n", "4", "-r", "2"];
const MANY: [&str; 10] = ["-p", "33,16", "-n", "4", "-d", "0,80,3", "-r", "3", "-b", "24"];
/// Prompt, generated, depth of each row of [`MANY`].
const TESTS: [[u64; 3]; 5] = [[33, 0, 0], [16, 0, 0], [0, 4, 0], [0, 4, 80], [0, 4, 3]];

fn bench(more: &[&[&str]]) -> String {
    succeeds(&[&["bench", MODEL, "-t", "1"], &more.concat()[..]].concat())
}

fn json_rows(more: &[&[&str]]) -> Vec<Value> {
    serde_json::from_str(&bench(&[more, &[&["-o", "json"]]].concat())).unwrap()
}

/// The words of the line that begins with `name`.
fn words<'a>(out: &'a str, name: &str) -> Vec<&'a str> {
    let mut lines = out.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    lines.find(|words| words.first() == Some(&name)).unwrap_or_else(|| panic!("{name} in {out}"))
}

fn numbers<'a>(words: impl IntoIterator<Item = &'a str>) -> Vec<f64> {
    words.into_iter().map(|word| word.parse().unwrap()).collect()
}

fn test_of(row: &Value) -> [u64; 3] {
    ["n_prompt", "n_gen", "n_depth"].map(|key| row[key].as_u64().unwrap())
}

fn written(dir: &Path, rows: &Value) -> PathBuf {
    let path = dir.join("peer.json");
    fs::write(&path, rows.to_string()).unwrap();
    path
}

#[test]
fn both_rates_are_printed() {
    let out = succeeds(&["bench", MODEL, "--prompt", "16", "-n", "4", "--repeats", "2"]);
    for (row, tokens) in [("prompt", 16.0), ("generation", 4.0)] {
        let words = words(&out, row);
        let [n, median, slowest, fastest] = numbers(words[1..].iter().copied())[..] else {
            panic!("{words:?}")
        };
        assert_eq!(n, tokens);
        assert!(0.0 < slowest && slowest <= median && median <= fastest, "{words:?}");
    }
}

#[test]
fn several_lengths_and_depths_come_in_the_order_given() {
    let out = bench(&[&MANY]);
    let first = out.lines().skip(2).map(|line| line.split_whitespace().next().unwrap());
    let names = ["prompt", "prompt", "generation", "generation@80", "generation@3"];
    assert_eq!(first.collect::<Vec<_>>(), names);

    let out = bench(&[&MANY, &["--output", "markdown"]]);
    let rows: Vec<Vec<&str>> = out
        .lines()
        .filter(|line| line.starts_with('|'))
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    assert_eq!(rows[0], ["test", "tokens", "depth", "tokens/s", "slowest", "fastest"]);
    assert!(rows[1].iter().all(|cell| *cell == "---"));
    assert_eq!(rows.len(), 2 + TESTS.len());
    for (row, [prompt, generated, depth]) in rows[2..].iter().zip(TESTS) {
        assert_eq!(row[0], if generated == 0 { "prompt" } else { "generation" });
        let [tokens, at, median, least, most] = numbers(row[1..].iter().copied())[..] else {
            panic!("{row:?}")
        };
        assert_eq!([tokens, at], [(prompt + generated) as f64, depth as f64]);
        assert!(0.0 < least && least <= median && median <= most, "{row:?}");
    }
}

#[test]
fn json_has_llama_benchs_names_and_every_sample() {
    let rows = json_rows(&[&MANY]);
    assert_eq!(rows.iter().map(test_of).collect::<Vec<_>>(), TESTS);
    for row in &rows {
        assert_eq!(row["model_filename"], MODEL);
        assert_eq!([&row["type_k"], &row["type_v"]], ["f16", "f16"]);
        assert_eq!(row["n_threads"], 1);
        assert_eq!(row["n_batch"], 24);
        let samples = |key: &str| -> Vec<f64> {
            row[key].as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
        };
        let (ns, mut rates) = (samples("samples_ns"), samples("samples_ts"));
        let tokens = test_of(row)[0] + test_of(row)[1];
        assert_eq!([ns.len(), rates.len()], [3, 3]);
        for (ns, rate) in ns.iter().zip(&rates) {
            assert!((ns * rate / 1e9 - tokens as f64).abs() < 1e-3 * tokens as f64);
        }
        let mean = rates.iter().sum::<f64>() / 3.0;
        assert!((row["avg_ts"].as_f64().unwrap() - mean).abs() < 1e-6 * mean);
        rates.sort_by(f64::total_cmp);
        assert_eq!(row["median_ts"].as_f64().unwrap(), rates[1]);
        assert!(row.get("ratio").is_none());
    }
}

#[test]
fn a_peers_rows_are_compared_where_the_test_is_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let row = |[prompt, generated, depth]: [u64; 3], threads: u64, rate: f64| {
        json!({
            "build_commit": "abc", "model_filename": "elsewhere/other.gguf", "n_threads": threads,
            "n_prompt": prompt, "n_gen": generated, "n_depth": depth, "avg_ts": rate,
            "samples_ts": [rate, 9.0 * rate, 0.5 * rate],
        })
    };
    // The median of the samples counts; 2 threads do not, nor does a depth that is not ours.
    let rows = json!([
        row([16, 0, 0], 1, 10.0),
        row([16, 0, 0], 1, 20.0),
        row([0, 4, 80], 1, 7.0),
        row([0, 4, 0], 2, 8.0),
        row([0, 4, 81], 1, 8.0),
    ]);
    let peer = written(dir.path(), &rows);
    let found = json_rows(&[&MANY, &["--peer", arg(&peer)]]);
    let compared: Vec<_> = found.iter().map(|row| row["peer_ts"].as_f64()).collect();
    assert_eq!(compared, [None, Some(20.0), None, Some(7.0), None]);
    for row in found.iter().filter(|row| !row["peer_ts"].is_null()) {
        let expected = row["median_ts"].as_f64().unwrap() / row["peer_ts"].as_f64().unwrap();
        assert!((row["ratio"].as_f64().unwrap() / expected - 1.0).abs() < 1e-12);
    }

    let out = bench(&[&MANY, &["--peer", arg(&peer)]]);
    let words = words(&out, "generation@80");
    assert_eq!(words[5], "7.0");
    let [median, ratio] = [words[2], words[6]].map(|word| word.parse::<f64>().unwrap());
    assert!((ratio - median / 7.0).abs() <= 0.02, "{words:?}");
    assert!(out.lines().any(|line| line.starts_with("prompt ") && line.ends_with(" -")), "{out}");
    let out = bench(&[&MANY, &["--peer", arg(&peer), "--output", "md"]]);
    assert!(out.contains("| peer | ratio |\n|---|---|---|---|---|---|---|---|\n"), "{out}");
    assert!(out.lines().any(|line| line.contains("| - | - |")), "{out}");
}

/// A JSON reader that rounds carelessly is off in the last digit for one number in eight.
#[test]
fn a_peers_numbers_are_read_to_the_last_digit() {
    let dir = tempfile::tempdir().unwrap();
    let peer = dir.path().join("peer.json");
    for rate in ["9485.179735272457", "11667.275081737445", "11574.281863787319"] {
        let row = format!(r#"{{"n_prompt": 16, "n_gen": 0, "avg_ts": {rate}}}"#);
        fs::write(&peer, row).unwrap();
        let out = bench(&[&FEW, &["-o", "json", "--peer", arg(&peer)]]);
        assert!(out.contains(&format!("\"peer_ts\": {rate},")), "{rate}: {out}");
    }
}

#[test]
fn a_peer_may_be_this_program_and_know_several_models() {
    let dir = tempfile::tempdir().unwrap();
    let ours = json_rows(&[&FEW]);
    let peer = written(dir.path(), &json!(ours));
    let again = json_rows(&[&FEW, &["--peer", arg(&peer)]]);
    for (before, now) in ours.iter().zip(&again) {
        assert_eq!(now["peer_ts"], before["median_ts"]);
    }

    // One object after the other; of two models, the one whose file has our file's name.
    let mut lines = String::new();
    for (model, rate) in [("a/tiny-Q8_0.gguf", 5.0), ("a/tiny-Q4_0.gguf", 50.0)] {
        let row = json!({ "n_prompt": 16, "n_gen": 0, "avg_ts": rate, "model_filename": model });
        lines.push_str(&format!("{row}\n"));
    }
    fs::write(&peer, lines).unwrap();
    let found = json_rows(&[&FEW, &["--peer", arg(&peer)]]);
    assert_eq!([&found[0]["peer_ts"], &found[1]["peer_ts"]], [&json!(5.0), &Value::Null]);
}

#[test]
fn a_peer_without_a_common_test_is_said_to_have_none() {
    let dir = tempfile::tempdir().unwrap();
    let row = json!([{ "n_prompt": 17, "n_gen": 0, "avg_ts": 1.0 }]);
    let peer = written(dir.path(), &row);
    let args = [&["bench", MODEL, "-t", "1", "--peer", arg(&peer)][..], &FEW].concat();
    let output = xielu(&args).output().unwrap();
    let errors = text(&output.stderr);
    assert!(errors.contains("has none of these tests on 1 thread"), "{errors}");
    assert!(!text(&output.stdout).contains(" ratio"));
}

#[test]
fn what_cannot_be_measured_is_refused() {
    for (flag, message) in [
        ("--prompt=0", "--prompt is 0"),
        ("--prompt=4,0", "--prompt is 0"),
        ("-n=0", "-n is 0"),
        ("--batch=0", "--batch is 0"),
        ("--repeats=0", "--repeats is 0"),
        ("--depth=1,18446744073709551615", "--depth and -n are too large"),
    ] {
        let error = fails(&["bench", MODEL, flag]);
        assert!(error.contains(message), "{flag}: {error}");
    }
    for flag in ["--prompt=1,,2", "--depth=-1", "--prompt=18446744073709551616", "--output=yaml"] {
        let output = xielu(&["bench", MODEL, flag]).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{flag}");
    }
    let error = fails(&["bench", MODEL, "--depth", "4611686018427387904"]);
    assert!(error.contains("lower --prompt, --depth and -n"), "{error}");
}

#[test]
fn what_no_bench_wrote_is_no_peer() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("peer.json");
    for (content, message) in [
        ("", "it has no rows"),
        ("[]", "it has no rows"),
        ("| model | test |", "expected value"),
        ("[{\"n_prompt\": 16, \"n_gen\": 0}]", "missing field `avg_ts`"),
        ("[{\"n_prompt\": -1, \"n_gen\": 0, \"avg_ts\": 1.0}]", "invalid value"),
        ("[{\"n_prompt\": 1, \"n_gen\": 0, \"avg_ts\": 0.0}]", "a rate is 0 tokens/s"),
        ("[{\"n_prompt\": 1, \"n_gen\": 0, \"avg_ts\": 1.0}", "EOF"),
    ] {
        fs::write(&path, content).unwrap();
        let error = fails(&["bench", MODEL, "--peer", arg(&path)]);
        assert!(error.contains("peer.json is not what `llama-bench -o json` or"), "{error}");
        assert!(error.contains(message), "{content}: {error}");
    }
    // A model in the place of its results is not read whole.
    fs::File::create(&path).unwrap().set_len(1 << 40).unwrap();
    assert!(fails(&["bench", MODEL, "--peer", arg(&path)]).contains("larger than 16 MiB"));
    fs::remove_file(&path).unwrap();
    assert!(fails(&["bench", MODEL, "--peer", arg(&path)]).contains("cannot read"));
    assert!(fails(&["bench", MODEL, "--peer", MODEL]).contains("is not what"));
}
