//! What goes in and out as text: prompts from files and pipes, options of other programs, and
//! names in files that would control a terminal.

use std::io::Write as _;
use std::path::Path;
use std::process::{Output, Stdio};

use xielu::checkpoint::gguf::{GgmlType, Gguf, GgufWriter, Value};

use crate::support::{
    MODEL, PROMPT, TEXT, arg, fails, in_repository, patched, succeeds, text, xielu,
};
#[cfg(target_os = "linux")]
use crate::terminal::Terminal;

/// A run that reads `input`.
fn piped(args: &[&str], input: &[u8]) -> Output {
    let mut command = xielu(args);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    child.wait_with_output().unwrap()
}

#[test]
fn a_prompt_is_the_same_from_every_source() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("prompt.txt");
    std::fs::write(&file, PROMPT).unwrap();
    let expected = succeeds(&["generate", MODEL, "-p", PROMPT, "-n", "8"]);
    for source in ["--prompt-file", "-f"] {
        assert_eq!(succeeds(&["generate", MODEL, source, arg(&file), "-n", "8"]), expected);
        let output = piped(&["generate", MODEL, source, "-", "-n", "8"], PROMPT.as_bytes());
        assert_eq!(text(&output.stdout), expected);
    }
    // A byte order mark is said and left out.
    let output = piped(
        &["generate", MODEL, "--prompt-file", "-", "-n", "8"],
        format!("\u{feff}{PROMPT}").as_bytes(),
    );
    assert_eq!(text(&output.stdout), expected);
    assert!(text(&output.stderr).contains("byte order mark"));
    // A prompt may begin with a hyphen.
    assert!(succeeds(&["generate", MODEL, "-p", "-n 5", "-n", "2"]).starts_with("-n 5"));
    let perplexity = |file| ["perplexity", MODEL, "--windows", "1", "--text", file];
    let whole = std::fs::read(in_repository(TEXT)).unwrap();
    let from_pipe = text(&piped(&perplexity("-"), &whole).stdout);
    assert_eq!(from_pipe, succeeds(&perplexity(TEXT)));
}

#[test]
fn text_that_is_not_utf_8_is_named() {
    let utf16: Vec<u8> = "\u{feff}ab".encode_utf16().flat_map(u16::to_le_bytes).collect();
    for (bytes, parts) in [
        (&b"caf\xe9 au lait"[..], &["byte 3 is 0xe9", "save it as UTF-8"][..]),
        (&utf16, &["it is UTF-16", "save it as UTF-8"]),
        (b"cut short \xe2\x82", &["byte 10 is 0xe2"]),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("prompt.txt");
        std::fs::write(&file, bytes).unwrap();
        for args in [
            ["generate", MODEL, "--prompt-file", arg(&file)],
            ["perplexity", MODEL, "--text", arg(&file)],
        ] {
            let error = fails(&args);
            assert!(parts.iter().all(|part| error.contains(part)), "{error}");
            assert!(error.contains("prompt.txt"), "{error}");
        }
    }
}

#[test]
fn without_a_limit_generation_fills_the_context() {
    for n in ["-1", "none"] {
        let out = succeeds(&["generate", MODEL, "-p", PROMPT, "-n", n, "--context", "40", "--ids"]);
        // The prompt has 10 tokens, and the last token is not decoded any more.
        assert_eq!(out.split_whitespace().count(), 31, "{out}");
        let limited =
            succeeds(&["generate", MODEL, "-p", PROMPT, "-n", "30", "--context", "40", "--ids"]);
        assert!(out.starts_with(limited.trim_end()));
    }
    // Nobody asked for more than fits.
    let out = succeeds(&["generate", MODEL, "-p", PROMPT, "--context", "40", "--ids"]);
    assert_eq!(out.split_whitespace().count(), 31, "{out}");
    let error = fails(&["generate", MODEL, "-p", PROMPT, "-n", "64", "--context", "40"]);
    assert!(error.contains("context full"), "{error}");
    let error = fails(&["generate", MODEL, "-p", PROMPT, "-n", "-1", "--context", "10"]);
    assert!(error.contains("context full"), "{error}");
}

#[test]
fn habits_of_other_programs() {
    let plain = succeeds(&["generate", MODEL, "-p", PROMPT, "-n", "4"]);
    assert_eq!(succeeds(&["generate", "-m", MODEL, "-p", PROMPT, "-n", "4", "-c", "64"]), plain);
    let random = ["generate", MODEL, "-p", PROMPT, "--temp", "2", "--seed", "-1", "--ids"];
    let output = xielu(&random).output().unwrap();
    let errors = text(&output.stderr);
    let seed = errors.lines().find_map(|line| line.strip_prefix("seed ")).unwrap();
    let mut again = random;
    again[7] = seed;
    assert_eq!(succeeds(&again), text(&output.stdout));
    for (args, part) in [
        (&["-p", "x", "--temp", "-1"][..], "a temperature of -1 cannot be"),
        (&["-p", "x", "--context", "0"], "--context is 0"),
        (&["-p", ""], "the prompt is empty"),
        (&[], "--prompt-file FILE (`-` is standard input)"),
    ] {
        let error = fails(&[&["generate", MODEL], args].concat());
        assert!(error.contains(part), "{error}");
    }
    for (option, similar) in [("--mirostat", ""), ("--tok", "a similar one is --tokens")] {
        let output = xielu(&["generate", MODEL, "-p", "x", option, "1"]).output().unwrap();
        let error = text(&output.stderr);
        assert_eq!((output.status.code(), error.lines().count()), (Some(2), 1), "{error}");
        assert!(error.contains(option) && error.contains(similar), "{error}");
    }
}

/// A name that clears the screen and a key that sets the window's title.
#[test]
fn names_do_not_control_the_terminal() {
    let dir = tempfile::tempdir().unwrap();
    let is_clean = |text: &str| !text.chars().any(|c| c.is_control() && c != '\n');
    let (name, hostile) = (b"blk.0.attn_norm.weight", b"blk.0.\x1b[2J\x1b]0;\x07.weight");
    let path = patched(dir.path(), "GGUF", name, hostile);
    let out = succeeds(&["inspect", arg(&path), "--metadata"]);
    assert!(is_clean(&out) && out.contains("blk.0.\\u{1b}[2J\\u{1b}]0;\\u{7}"), "{out}");
    let path = patched(dir.path(), "general.architecture", b"apertus", b"\x1b[31m\x07\x08");
    let output = xielu(&["inspect", arg(&path), "--metadata"]).output().unwrap();
    let out = text(&output.stdout) + &text(&output.stderr);
    assert!(is_clean(&out) && out.contains("architecture \\u{1b}[31m\\u{7}\\u{8}"), "{out}");
    for command in ["generate", "perplexity"] {
        let text = if command == "generate" { ["-p", "x"] } else { ["--text", TEXT] };
        let error = fails(&[&[command, arg(&path)], &text[..]].concat());
        assert!(is_clean(&error) && error.contains("\\u{1b}[31m"), "{error}");
    }
    let error = fails(&["inspect", "no\x1b[2Jwhere"]);
    assert!(is_clean(&error) && error.contains("no\\u{1b}[2Jwhere"), "{error}");
}

/// What a terminal shows has no control characters; a pipe gets the text as it is.
#[cfg(target_os = "linux")]
#[test]
fn generated_text_does_not_control_the_terminal() {
    let prompt = "a\u{1b}[2Jb\u{9b}1mc";
    let raw = succeeds(&["generate", MODEL, "-p", prompt, "-n", "0"]);
    assert_eq!(raw, format!("{prompt}\n"));
    let program = xielu(&["generate", MODEL, "-p", prompt, "-n", "0"]);
    let (shown, status) = Terminal::start(&program, false).end();
    assert!(status.success(), "{status}: {shown:?}");
    assert_eq!(shown.trim_end(), "a\\u{1b}[2Jb\\u{9b}1mc", "{shown:?}");
}

/// A model of 2 MB whose keys and values take a quarter of a megabyte for each position.
fn wide_cache(path: &Path) {
    const LAYERS: u32 = 16;
    let mut w = GgufWriter::new();
    w.pair("general.architecture", Value::Str("llama")).unwrap();
    for (key, value) in [
        ("vocab_size", 8),
        ("embedding_length", 2),
        ("feed_forward_length", 2),
        ("block_count", LAYERS),
        ("attention.head_count", 64),
        ("attention.head_count_kv", 64),
        ("attention.key_length", 64),
        ("attention.value_length", 64),
        ("rope.dimension_count", 64),
        ("context_length", 131_072),
    ] {
        w.pair(&format!("llama.{key}"), Value::U32(value)).unwrap();
    }
    w.pair("llama.attention.layer_norm_rms_epsilon", Value::F32(1e-5)).unwrap();
    w.pair("llama.rope.freq_base", Value::F32(1e4)).unwrap();
    w.pair("tokenizer.ggml.model", Value::Str("gpt2")).unwrap();
    w.pair("tokenizer.ggml.pre", Value::Str("gpt-2")).unwrap();
    w.strings("tokenizer.ggml.tokens", ["a", "b", "c", "d", "e", "f", "g", "h"]).unwrap();
    w.strings("tokenizer.ggml.merges", [""; 0]).unwrap();
    let mut tensors = vec![("token_embd".to_owned(), vec![2, 8]), ("output_norm".into(), vec![2])];
    for layer in 0..LAYERS {
        for (name, dims) in [
            ("attn_norm", vec![2]),
            ("attn_q", vec![2, 4096]),
            ("attn_k", vec![2, 4096]),
            ("attn_v", vec![2, 4096]),
            ("attn_output", vec![4096, 2]),
            ("ffn_norm", vec![2]),
            ("ffn_gate", vec![2, 2]),
            ("ffn_up", vec![2, 2]),
            ("ffn_down", vec![2, 2]),
        ] {
            tensors.push((format!("blk.{layer}.{name}"), dims));
        }
    }
    for (name, dims) in &tensors {
        w.tensor(&format!("{name}.weight"), dims, GgmlType(0)).unwrap();
    }
    let mut data = w.begin(std::fs::File::create(path).unwrap()).unwrap();
    for (_, dims) in &tensors {
        data.write(&vec![0; dims.iter().product::<u64>() as usize * 4]).unwrap();
    }
    data.finish().unwrap();
}

#[test]
fn a_small_model_takes_little_memory_unasked() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("wide.gguf");
    wide_cache(&path);
    let bytes = std::fs::read(&path).unwrap();
    assert!(bytes.len() < 2_200_000 && Gguf::parse(&bytes).is_ok());
    let run = |extra: &[&str]| {
        let output = xielu(&[&["generate", arg(&path), "-p", "ab", "-n", "2"], extra].concat());
        let mut output = output;
        let output = output.output().unwrap();
        (output.status.success(), text(&output.stderr))
    };
    // 4096 positions would be 1 GiB; unasked it is no more than 256 MiB.
    let (good, errors) = run(&[]);
    let note = errors.lines().next().unwrap_or_default();
    assert!(
        good && note.starts_with("note: the context is ") && note.contains(" of 4096"),
        "{note}"
    );
    let shown: f64 =
        note.split("take ").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
    assert!(note.contains("MiB") && shown <= 256.0, "{note}");
    // Asked for, it is said.
    let (good, errors) = run(&["--context", "4097"]);
    // A machine that does not have so much says that.
    let said =
        if good { "note: a context of 4097 tokens takes 1.02 GiB" } else { "lower --context" };
    assert!(errors.contains(said), "{errors}");
    for context in ["9999999", "99999999999"] {
        let (good, errors) = run(&["--context", context]);
        assert!(!good && errors.lines().count() == 1, "{errors}");
        assert!(errors.contains("lower --context") && errors.contains("iB of memory"), "{errors}");
    }
}
