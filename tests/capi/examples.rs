//! The C examples: built as a user would, by every C compiler of this machine, without a warning;
//! they give Rust's results, and address sanitizer and valgrind find nothing.

use std::path::{Path, PathBuf};
use std::process::Command;

use xielu::activation::{Elementwise as _, Form};
use xielu::checkpoint::Checkpoint as _;
use xielu::checkpoint::gguf::Gguf;
use xielu::llama::{Decoder, DecoderOptions, KvCache, KvType, Layer, Model};
use xielu::llama::{Generation, Sampler, SamplerOptions};
use xielu::{Backend, Mlp, RawXielu};
use xielu_testing::require;

use crate::support::compiled::{compile, errors, libraries, static_library, succeeds};
use crate::support::functions;

const MODEL: &str = "tests/data/tiny-Q8_0.gguf";
const PROMPT: &str = "The `Vec<T>` type";

/// Compiles a file of `examples/c`.
fn example(compiler: &str, name: &str, flags: &[&str], library: &[&str]) -> PathBuf {
    compile(compiler, &Path::new("examples/c").join(name), flags, library)
}

/// The C examples and their arguments.
const EXAMPLES: [(&str, &[&str]); 3] = [
    ("activation.c", &[]),
    ("mlp.c", &[MODEL, "2"]),
    ("generate.c", &[MODEL, PROMPT, "40", "0.7"]),
];

/// Builds the examples with each of `compilers` and compares what they print.
fn examples_print_what_rust_computes(compilers: &[&str], flags: &[&str]) {
    let expected = [activation(), mlp(), generation()];
    for compiler in require::programs("cc", compilers) {
        for ((source, args), expected) in EXAMPLES.iter().zip(&expected) {
            let program = example(compiler, source, flags, &[&static_library()]);
            let out = succeeds(Command::new(program).args(*args));
            assert_eq!(&out, expected, "{compiler} {source}");
        }
    }
}

#[test]
fn every_compiler_takes_the_examples() {
    examples_print_what_rust_computes(&["gcc", "clang"], &["-std=c99"]);
}

/// clang's are a package of their own.
#[test]
fn sanitizers_find_nothing() {
    examples_print_what_rust_computes(&["gcc"], &["-std=c99", "-fsanitize=address,undefined"]);
}

#[test]
fn the_shared_library_does_too() {
    let directory = libraries().to_str().unwrap();
    let library = ["-L", directory, "-Wl,-rpath", directory, "-lxielu"];
    if let Some(compiler) = require::any_program("cc", &["gcc", "clang"]) {
        // The linker takes the shared library where both lie.
        let program = example(compiler, "generate.c", &["-std=c99", "-fPIE"], &library);
        let out = succeeds(Command::new(&program).args([MODEL, PROMPT, "40", "0.7"]));
        assert_eq!(out, generation());
        let needed = succeeds(Command::new("readelf").arg("-d").arg(&program));
        assert!(needed.contains("libxielu.so"), "{needed}");
    }
}

#[test]
fn the_header_compiles_as_cpp() {
    for compiler in require::programs("cc", &["g++", "clang++"]) {
        for standard in ["-std=c++17", "-std=c++20"] {
            let program = example(compiler, "header.cpp", &[standard], &[&static_library()]);
            let f = RawXielu::PAPER_INIT.freeze(Form::Ideal);
            let expected = format!(
                "xielu {}: f(1) = {:.4}, f(-1) = {:.4}\n",
                env!("CARGO_PKG_VERSION"),
                f.apply(1.0),
                f.apply(-1.0)
            );
            assert_eq!(succeeds(&mut Command::new(program)), expected);
        }
    }
}

/// The functions of the header and nothing else.
#[test]
fn the_shared_library_exports_the_header() {
    if require::program("cc", "nm") {
        let library = libraries().join("libxielu.so");
        let listed = succeeds(Command::new("nm").args(["-D", "--defined-only"]).arg(library));
        let mut exported: Vec<&str> =
            listed.lines().filter_map(|line| line.split_whitespace().last()).collect();
        let header = std::fs::read_to_string("include/xielu.h").unwrap();
        let mut declared = functions(&header);
        exported.sort_unstable();
        declared.sort_unstable();
        assert_eq!(exported, declared);
    }
}

/// With a library that is built already, so that cargo is not asked twice.
#[test]
fn the_cmake_project_builds_and_passes() {
    if require::program("cc", "cmake") {
        let directory = libraries().join("cmake");
        // CMake refuses a folder that it made for a checkout in another place.
        let _ = std::fs::remove_dir_all(&directory);
        let directory = directory.to_str().unwrap();
        let library = format!("-DXIELU_LIBRARY={}", static_library());
        succeeds(Command::new("cmake").args(["-S", "examples/c", "-B", directory, &library]));
        succeeds(Command::new("cmake").args(["--build", directory]));
        let out = succeeds(Command::new("ctest").args(["--test-dir", directory]));
        // Newer versions name failures only where there are any.
        assert!(out.contains("100% tests passed") && out.contains("out of 4"), "{out}");
    }
}

#[test]
fn valgrind_finds_nothing() {
    if !require::program("valgrind", "valgrind") {
        return;
    }
    if let Some(compiler) = require::any_program("cc", &["gcc", "clang"]) {
        for (source, args) in EXAMPLES {
            let program = example(compiler, source, &["-std=c99"], &[&static_library()]);
            let mut command = Command::new("valgrind");
            command.args(["-q", "--error-exitcode=9", "--leak-check=full"]).arg(program);
            // Its machine has fewer instructions, so the last bits may differ: not compared.
            assert!(!succeeds(command.args(args)).is_empty());
        }
    }
}

#[test]
fn a_bad_file_is_explained() {
    if let Some(compiler) = require::any_program("cc", &["gcc", "clang"]) {
        let program = example(compiler, "mlp.c", &["-std=c99"], &[&static_library()]);
        for (args, problem) in [
            (&["Cargo.toml"][..], "it does not begin with \"GGUF\" (at byte 0)"),
            (&["nowhere.gguf"], "No such file"),
            (&[MODEL, "4"], "the model has no such layer"),
        ] {
            let mut command = Command::new(&program);
            let output =
                command.args(args).current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
            assert_eq!(output.status.code(), Some(1));
            assert!(errors(&output).contains(problem), "{}", errors(&output));
        }
    }
}

/// What activation.c prints.
fn activation() -> String {
    let f = RawXielu::PAPER_INIT.freeze(Form::Ideal);
    let mut text = String::from("alpha_p 0.8, alpha_n 0.8, beta 0.5\n");
    for i in 0..9 {
        let x = 0.5 * (i - 4) as f32;
        let y = f.apply(x);
        let bf16 = half::bf16::from_f32(y).to_bits();
        let half = half::f16::from_f32(y).to_bits();
        text += &format!("f({x:4.1}) = {y:.7}, as bfloat16 {bf16:#06x}, as half {half:#06x}\n");
    }
    text
}

/// What mlp.c prints of layer 2.
fn mlp() -> String {
    let bytes = std::fs::read(MODEL).unwrap();
    let gguf = Gguf::parse(&bytes).unwrap();
    let config = gguf.config().unwrap();
    let mlp = Mlp::load(&gguf, &config, 2).unwrap();
    // C's sinf, from the same library that C takes it from.
    let x: Vec<f32> = (0..config.hidden_size).map(|i| (0.1 * i as f32).sin()).collect();
    let mut text = String::new();
    for (name, tile) in [("whole", config.intermediate_size), ("tiled", 32)] {
        let mut scratch = vec![0.0; mlp.scratch_len(tile, 1)];
        let mut y = vec![0.0; config.hidden_size];
        mlp.forward_tiled(&Backend::default(), tile, &x, &mut y, &mut scratch).unwrap();
        let size = 4 * scratch.len();
        text += &format!("{name}: {:.5} {:.5} {:.5}, {size} bytes of scratch\n", y[0], y[1], y[2]);
    }
    text + "they agree: yes\n"
}

/// What generate.c prints of 40 tokens at a temperature of 0.7: the text, and their ids.
fn generation() -> String {
    // The prompt as the `tokenizers` crate cuts it.
    const IDS: [u32; 9] = [443, 372, 56, 539, 30, 54, 32, 66, 459];
    let bytes = std::fs::read(MODEL).unwrap();
    let gguf = Gguf::parse(&bytes).unwrap();
    let config = gguf.config().unwrap();
    let mut layers = vec![Layer::EMPTY; config.num_layers];
    let model = Model::load(&gguf, &mut layers).unwrap();
    let options = DecoderOptions { batch: 4, mlp_tile: 32 };
    let mut cache = vec![0; KvCache::bytes_needed(&config, 50, KvType::F16)];
    let cache = KvCache::new(&config, 50, KvType::F16, &mut cache).unwrap();
    let mut scratch = vec![0.0; Decoder::scratch_len(&config, &options)];
    let mut decoder =
        Decoder::new(&model, Backend::default(), options, cache, &mut scratch).unwrap();
    let sampling = SamplerOptions { temperature: 0.7, top_k: 40, top_p: 1.0, seed: 1 };
    let mut generation = Generation::new(Sampler::new(sampling), 40);
    let mut logits = vec![0.0; config.output_vocab_size];
    decoder.prompt(&IDS).unwrap();
    decoder.logits(&mut logits).unwrap();
    let next = || generation.next_token(&mut decoder, &mut logits, |_| false).unwrap();
    let ids: Vec<u32> = std::iter::from_fn(next).collect();
    let tokens = gguf.get_array("tokenizer.ggml.tokens").and_then(|a| a.strs()).unwrap();
    let vocabulary: Vec<&str> = tokens.collect();
    let text: String = ids.iter().map(|&id| vocabulary[id as usize]).collect();
    assert!(text.is_ascii() || text.chars().all(|c| c.is_ascii() || "ĠĊ".contains(c)));
    let text = text.replace('Ġ', " ").replace('Ċ', "\n");
    let shown: Vec<String> = ids.iter().map(u32::to_string).collect();
    format!("{PROMPT}{text}\n{}\n", shown.join(" "))
}

/// A prompt of every script, one that is no UTF-8, and none.
#[test]
fn a_prompt_typed_on_the_command_line_is_what_the_model_sees() {
    use std::os::unix::ffi::OsStrExt;
    if let Some(compiler) = require::any_program("cc", &["gcc", "clang"]) {
        let program = example(compiler, "generate.c", &["-std=c99"], &[&static_library()]);
        let run = |prompt: &[u8]| {
            let mut command = Command::new(&program);
            let prompt = std::ffi::OsStr::from_bytes(prompt);
            command.arg(MODEL).arg(prompt).args(["0", "0"]);
            command.current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap()
        };
        for prompt in ["naïve → 日本語 🙂 e\u{301} end", "</s> is parsed", "x"] {
            let out = run(prompt.as_bytes());
            assert!(out.status.success(), "{}", errors(&out));
            let shown = prompt.replace("</s>", "");
            assert_eq!(String::from_utf8(out.stdout).unwrap(), format!("{shown}\n\n"));
        }
        let out = run(b"caf\xe9");
        assert!(errors(&out).contains("text is not UTF-8"), "{}", errors(&out));
        let out = run(b"");
        assert!(errors(&out).contains("the prompt is empty"), "{}", errors(&out));
    }
}
