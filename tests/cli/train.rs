//! `xielu train` and `xielu export`: a small run from text to a model, and goes on after a kill.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use xielu::train::presets::Preset;

use crate::support::{TEXT, arg, fails, in_repository, succeeds, text, xielu};

/// A text to train on and one to measure on, cut from the bundled one.
fn corpus(dir: &Path) -> [PathBuf; 2] {
    let whole = fs::read_to_string(in_repository(TEXT)).unwrap();
    let at = whole[..15_000].rfind('\n').unwrap();
    let paths = ["train.txt", "validation.txt"].map(|name| dir.join(name));
    fs::write(&paths[0], &whole[..at]).unwrap();
    fs::write(&paths[1], &whole[at..]).unwrap();
    paths
}

/// `xielu train` with the smallest preset, one thread.
fn smoke<'a>(texts: &'a [PathBuf; 2], out: &'a Path, more: &[&'a str]) -> Vec<&'a str> {
    let [train, validation] = texts;
    let mut args = vec!["train", "--preset", "smoke", "--data", arg(train)];
    args.extend(["--validation", arg(validation), "--out", arg(out), "--threads", "1"]);
    args.extend(more);
    args
}

fn log(dir: &Path) -> Vec<Value> {
    let lines = fs::read_to_string(dir.join("log.jsonl")).unwrap();
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The loss of every step, and every validation loss.
fn losses(log: &[Value]) -> [Vec<f64>; 2] {
    ["loss", "validation_loss"]
        .map(|key| log.iter().filter_map(|record| record.get(key)?.as_f64()).collect())
}

/// The number after `loss` in what `xielu perplexity` prints.
fn perplexity_loss(model: &Path, file: &Path) -> f64 {
    let args = ["perplexity", arg(model), "--text", arg(file), "--window", "64", "--from-start"];
    let out = succeeds(&[&args[..], &["--kv-type", "f32"]].concat());
    let loss = out.split("(loss ").nth(1).unwrap().split(',').next().unwrap();
    loss.parse().unwrap()
}

#[test]
fn from_text_to_a_model() {
    let dir = tempfile::tempdir().unwrap();
    let texts = corpus(dir.path());
    let run = dir.path().join("run");
    let out = succeeds(&smoke(&texts, &run, &["--peak-tflops", "0.5"]));
    let log = log(&run);
    let config = Preset::find("smoke").unwrap().config().unwrap();
    let flops = config.model.flops_per_token(config.sequence_length()).unwrap();
    let value = |key: &str| log[1][key].as_f64().unwrap();
    let utilisation = flops * value("tokens_per_second") / 0.5e12;
    assert!((value("utilisation") / utilisation - 1.0).abs() < 1e-9, "{}", log[1]);
    let [steps, validation] = losses(&log);
    assert_eq!((steps.len(), validation.len()), (30, 4));
    assert!(steps[29] < steps[0] - 1.0, "{steps:?}");
    assert!(validation[3] < 4.8 && validation[0] > 5.7, "{validation:?}");
    assert!(out.contains(&format!("validation loss {:.5}", validation[3])), "{out}");
    let alphas = log.last().unwrap()["alpha_p"].as_array().unwrap();
    assert!(alphas.len() == 2 && alphas.iter().all(|a| a.as_f64().unwrap() > 0.1));
    for drawing in ["loss.svg", "alphas.svg"] {
        let svg = fs::read_to_string(run.join(drawing)).unwrap();
        assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"), "{drawing}");
    }

    // The exported model predicts as the one in training did, quantized nearly so.
    let model = run.join("model");
    let exported = perplexity_loss(&model, &texts[1]);
    assert!((exported - validation[3]).abs() < 5e-5, "{exported}, {}", validation[3]);
    let gguf = dir.path().join("model.gguf");
    succeeds(&["quantize", arg(&model), arg(&gguf), "--type", "q8_0"]);
    let quantized = perplexity_loss(&gguf, &texts[1]);
    assert!((quantized - exported).abs() < 0.02, "{quantized}, {exported}");
    let small = dir.path().join("bf16");
    let out = succeeds(&["export", arg(&run), arg(&small), "--dtype", "bf16"]);
    assert!(out.contains("wrote step 30"), "{out}");
    assert!((perplexity_loss(&small, &texts[1]) - exported).abs() < 0.01);
    assert!(fails(&["export", arg(&run), arg(&small)]).contains("exists already"));

    // Nothing is overwritten; what is finished stays finished.
    assert!(fails(&smoke(&texts, &run, &[])).contains("give --resume"));
    let before = fs::read(model.join("model.safetensors")).unwrap();
    succeeds(&["train", "--resume", "--out", arg(&run)]);
    assert!(before == fs::read(model.join("model.safetensors")).unwrap());
}

#[cfg(not(xielu_train_cuda))]
#[test]
fn a_device_that_the_build_does_not_have_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let texts = corpus(dir.path());
    let run = dir.path().join("run");
    for (more, says) in [
        (["--device", "cuda"], "this build trains on the CPU only"),
        (["--peak-tflops", "-1"], "is no speed"),
        (["--peak-tflops", "inf"], "is no speed"),
    ] {
        let mut args = smoke(&texts, &run, &more);
        assert!(fails(&args).contains(says), "{more:?}");
        args[0] = "compare";
        assert!(fails(&args).contains(says), "{more:?}");
        assert!(!run.exists());
    }
    succeeds(&smoke(&texts, &run, &["--device", "cpu", "--steps", "2"]));
}

/// Waits until the log of a running command has `lines` lines.
fn wait_for(child: &mut Child, run: &Path, lines: usize) {
    let start = Instant::now();
    let count = || fs::read_to_string(run.join("log.jsonl")).map_or(0, |text| text.lines().count());
    while count() < lines {
        assert!(start.elapsed() < Duration::from_secs(120), "the run does not get on");
        assert!(child.try_wait().unwrap().is_none(), "the run has ended");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_killed_run_goes_on_to_the_same_bits() {
    let dir = tempfile::tempdir().unwrap();
    let texts = corpus(dir.path());
    let more =
        ["--steps", "60", "--set", "run.checkpoint_every=7", "--set", "batch.accumulation=2"];
    let (whole, killed) = (dir.path().join("whole"), dir.path().join("killed"));
    succeeds(&smoke(&texts, &whole, &more));
    for lines in [2, 9, 20, 31, 44] {
        let resumed = killed.exists();
        let args = match resumed {
            false => smoke(&texts, &killed, &more),
            // Another number of threads gives the same bits.
            true => vec!["train", "--resume", "--out", arg(&killed), "--threads", "2"],
        };
        let mut child = xielu(&args).stderr(Stdio::null()).spawn().unwrap();
        wait_for(&mut child, &killed, lines);
        // A second process is told who is at work.
        let error = fails(&["train", "--resume", "--out", arg(&killed)]);
        assert!(error.contains(&format!("in use by process {}", child.id())), "{error}");
        child.kill().unwrap();
        child.wait().unwrap();
    }
    // What a killed process has left half-written goes with the next start.
    let left = killed.join("checkpoints/.step-0000000099.safetensors.tmp");
    fs::write(&left, "half").unwrap();
    // The text is not needed any more.
    fs::remove_file(&texts[0]).unwrap();
    succeeds(&["train", "--resume", "--out", arg(&killed)]);
    assert!(!left.exists());
    assert_eq!(losses(&log(&whole)), losses(&log(&killed)));
    let weights = |run: &Path| fs::read(run.join("model/model.safetensors")).unwrap();
    assert!(weights(&whole) == weights(&killed));
}

#[cfg(unix)]
#[test]
fn an_interrupted_run_saves_and_says_how_to_go_on() {
    let dir = tempfile::tempdir().unwrap();
    let texts = corpus(dir.path());
    let run = dir.path().join("run");
    let args = smoke(&texts, &run, &["--steps", "100000", "--set", "run.checkpoint_every=0"]);
    let mut child = xielu(&args).stderr(Stdio::piped()).spawn().unwrap();
    wait_for(&mut child, &run, 3);
    let id = child.id().to_string();
    assert!(std::process::Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    let errors = text(&output.stderr);
    let command = format!("xielu train --resume --out {}", run.display());
    assert!(errors.contains(&command), "{errors}");
    let step: u64 =
        errors.split("at step ").nth(1).unwrap().split(';').next().unwrap().parse().unwrap();
    let out = succeeds(&["export", arg(&run), arg(&dir.path().join("model"))]);
    assert!(out.contains(&format!("wrote step {step}")), "{out}");
}

#[test]
fn presets_are_listed_and_named() {
    let out = succeeds(&["train", "--list"]);
    for name in ["smoke", "tiny", "100m", "apertus-0.5b", "paper-1.1b", "paper-3b"] {
        assert!(out.lines().any(|line| line.starts_with(name)), "{name} in {out}");
    }
    for command in ["train", "export", "compare"] {
        let help = succeeds(&[command, "--help"]);
        assert!(help.contains("Examples:\n") && help.contains(&format!("xielu {command} ")));
    }
}

#[test]
fn bad_input_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let texts = corpus(dir.path());
    let at = |name: &str| dir.path().join(name);
    let out = at("run");
    let write = |name: &str, bytes: &[u8]| {
        fs::write(at(name), bytes).unwrap();
        at(name)
    };
    let missing = [at("missing.txt"), texts[1].clone()];
    assert!(fails(&smoke(&missing, &out, &[])).contains("missing.txt"));
    let empty = [write("empty.txt", b""), texts[1].clone()];
    assert!(fails(&smoke(&empty, &out, &[])).contains("no text"));
    assert!(!out.exists(), "a run that cannot begin leaves nothing");
    let twice = [texts[0].clone(), texts[0].clone()];
    assert!(fails(&smoke(&twice, &at("twice"), &[])).contains("trained on too"));
    let binary = [write("binary.txt", b"text \xff\xfe"), texts[1].clone()];
    assert!(fails(&smoke(&binary, &at("binary"), &[])).contains("not UTF-8: byte 5 "));
    let short = [write("short.txt", b"short"), texts[1].clone()];
    assert!(fails(&smoke(&short, &at("short"), &[])).contains("less than one sequence"));

    let with = |more: &[&str]| fails(&smoke(&texts, &out, more));
    assert!(with(&["--set", "model.vocab_size=200"]).contains("259"));
    fs::remove_dir_all(&out).unwrap();
    let tokenizer = in_repository("tests/data/tiny/tokenizer.json");
    let error = with(&["--tokenizer", arg(&tokenizer)]);
    assert!(error.contains("less than the 1024 tokens of the tokenizer"), "{error}");
    fs::remove_dir_all(&out).unwrap();
    assert!(with(&["--set", "model.hidden=3"]).contains("hidden"));
    assert!(with(&["--steps", "0"]).contains("total_steps"));
    let toml = write("bad.toml", b"[model]\nvocab_size = 'many'\n");
    let error = fails(&["train", arg(&toml), "--out", arg(&out)]);
    assert!(error.contains("bad.toml") && error.contains("vocab_size"), "{error}");
    let error = fails(&["train", "--preset", "huge", "--out", arg(&out)]);
    assert!(error.contains("no preset huge"), "{error}");
    assert!(fails(&["train", "--resume", "--out", arg(&out)]).contains("there is no run"));
    let error = fails(&["train", "--preset", "smoke", "--out", arg(&out)]);
    assert!(error.contains("no text"), "{error}");
    let error = fails(&["export", arg(&out), arg(&at("model"))]);
    assert!(error.contains("there is no run"), "{error}");
}

#[test]
fn damage_to_a_run_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let texts = corpus(dir.path());
    let run = dir.path().join("run");
    succeeds(&smoke(&texts, &run, &["--steps", "1"]));
    let resume = ["train", "--resume", "--out", arg(&run)];
    #[cfg(target_os = "linux")]
    {
        // Without checkpoints it begins again, and draws the loss onto a full disk.
        fs::remove_dir_all(run.join("checkpoints")).unwrap();
        let drawing = run.join("loss.svg");
        fs::remove_file(&drawing).unwrap();
        std::os::unix::fs::symlink("/dev/full", &drawing).unwrap();
        let error = fails_after_notes(&resume);
        assert!(error.contains("loss.svg") && error.contains("No space left"), "{error}");
        fs::remove_file(&drawing).unwrap();
        succeeds(&resume);
    }
    let shard = run.join("data/train/tokens-00000.bin");
    let tokens = fs::read(&shard).unwrap();
    fs::write(&shard, &tokens[..tokens.len() - 1]).unwrap();
    assert!(fails(&resume).contains("its index says"));
    fs::write(&shard, &tokens).unwrap();
    let mut changed = fs::read(&texts[0]).unwrap();
    changed.push(b'.');
    fs::write(&texts[0], changed).unwrap();
    assert!(fails(&resume).contains("has changed since its tokens were written"));
}

/// The last line of standard error of a run that must fail.
#[cfg(target_os = "linux")]
fn fails_after_notes(args: &[&str]) -> String {
    let output = xielu(args).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    text(&output.stderr).lines().last().unwrap().to_owned()
}

#[test]
fn a_comparison_goes_on_and_is_not_repeated() {
    let dir = tempfile::tempdir().unwrap();
    let texts = corpus(dir.path());
    let out = dir.path().join("comparison");
    let mut args = smoke(&texts, &out, &["--steps", "2", "--set", "run.evaluate_every=1"]);
    args[0] = "compare";
    let first = succeeds(&[&args[..], &["--seeds", "3", "--activations", "xielu,swiglu"]].concat());
    assert!(first.contains("| swiglu |"), "{first}");
    let log = out.join("xielu-seed3/log.jsonl");
    let before = fs::metadata(&log).unwrap().modified().unwrap();
    let all = succeeds(&[&args[..], &["--seeds", "3,4"]].concat());
    assert_eq!(before, fs::metadata(&log).unwrap().modified().unwrap());
    for activation in ["xielu", "xiprelu", "relu2", "swiglu"] {
        let row = all.lines().find(|line| line.starts_with(&format!("| {activation} |"))).unwrap();
        assert!(row.contains("| 3, 4 | "), "{row}");
    }
    assert_eq!(fs::read_to_string(out.join("comparison.csv")).unwrap().lines().count(), 9);
    for drawing in ["loss.svg", "perplexity.svg", "alphas.svg"] {
        assert!(fs::read_to_string(out.join(drawing)).unwrap().starts_with("<svg"));
    }
    let other = fails(&[&args[..], &["--set", "run.keep_checkpoints=1"]].concat());
    assert!(other.contains("another configuration"), "{other}");
}
