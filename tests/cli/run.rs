//! Every command on the bundled model.

use xielu::kernels::Kernels;
use xielu_testing::goldens::Goldens;
use xielu_testing::kernels::every_kernel;

use crate::support::{MODEL, PROMPT, TEXT, arg, patched, succeeds, text, xielu};

/// Token ids that transformers generated greedily, in f32, from [`PROMPT`].
fn golden_greedy_ids() -> Vec<String> {
    let goldens = Goldens::open();
    let (prompt, greedy) = (goldens.ids("prompt_ids"), goldens.ids("greedy_ids"));
    greedy.strip_prefix(&prompt[..]).unwrap().iter().map(u32::to_string).collect()
}

#[test]
fn generate_gives_the_golden_ids_from_both_kinds_of_model() {
    let golden = golden_greedy_ids();
    assert_eq!(golden.len(), 64);
    for model in ["tests/data/tiny", "tests/data/tiny-bf16.gguf"] {
        for extra in
            [&["--kv-type", "f32"][..], &["--kv-type", "q8_0"], &["--tiled-mlp", "--threads", "1"]]
        {
            let mut args = vec!["generate", model, "--prompt", PROMPT, "--ids", "-n", "64"];
            args.extend(extra);
            let out = succeeds(&args);
            assert_eq!(out.split_whitespace().collect::<Vec<_>>(), golden, "{args:?}");
        }
    }
}

#[test]
fn generate_continues_the_prompt_and_reports_its_speed() {
    let args = ["generate", MODEL, "--prompt", PROMPT, "-n", "8"];
    let output = xielu(&args).output().unwrap();
    assert!(output.status.success());
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert!(out.starts_with(PROMPT) && out.trim_end().len() > PROMPT.len(), "{out}");
    assert!(err.contains("tokens/s") && err.lines().count() == 1, "{err}");
}

#[test]
fn a_seed_repeats_and_another_differs() {
    let sample = |seed: &str| {
        succeeds(&[
            "generate", MODEL, "-p", PROMPT, "--temp", "1.2", "--top-k", "0", "--seed", seed, "-n",
            "32",
        ])
    };
    let first = sample("1");
    assert_eq!(first, sample("1"));
    assert_ne!(first, sample("2"));
}

/// The number after the word `perplexity`.
fn perplexity(args: &[&str]) -> f64 {
    let mut all = vec!["perplexity"];
    all.extend(args);
    let out = succeeds(&all);
    let mut words = out.split_whitespace();
    assert_eq!(words.next(), Some("perplexity"), "{out}");
    words.next().unwrap().parse().unwrap()
}

#[test]
fn perplexity_is_llama_cpps() {
    // llama.cpp and transformers: 13.0291 (bf16), 13.0394 (Q8_0), 13.3656 (Q4_0).
    for (model, expected, slack) in [
        ("tests/data/tiny", 13.029, 0.01),
        ("tests/data/tiny-bf16.gguf", 13.029, 0.01),
        (MODEL, 13.0394, 0.02),
        ("tests/data/tiny-Q4_0.gguf", 13.3656, 0.05),
    ] {
        let whole = perplexity(&[model, "--text", TEXT, "--window", "256"]);
        assert!((whole - expected).abs() <= slack, "{model}: {whole}");
        let tiled = perplexity(&[model, "--text", TEXT, "--tiled-mlp"]);
        // The order of the additions differs, and a rounding may flip a quant further on.
        assert!((tiled - whole).abs() <= 5e-3, "{model}: {tiled} tiled, {whole} whole");
    }
}

#[test]
fn inspect_lists_configuration_tensors_and_alphas() {
    for model in ["tests/data/tiny", MODEL] {
        let out = succeeds(&["inspect", model, "--metadata"]);
        for line in ["activation       xielu", "hidden           128", "4 / 2 kv x 32"] {
            assert!(out.contains(line), "{line} in {out}");
        }
        // Layer 3: softplus(0.972656) and 0.5 + softplus(-0.621094).
        assert!(out.contains("1.2933") && out.contains("0.9301"), "{out}");
        assert!(out.contains("672 x 128"), "{out}");
    }
    let out = succeeds(&["inspect", MODEL]);
    let lines: Vec<Vec<_>> = out.lines().map(|l| l.split_whitespace().collect()).collect();
    for line in ["blk.3.ffn_down.weight Q8_0 128 x 672 91392", "Q8_0 26 1146880 1218560"] {
        assert!(lines.contains(&line.split(' ').collect()), "{line} in {out}");
    }
}

#[test]
fn inspect_draws_every_layer() {
    let dir = tempfile::tempdir().unwrap();
    let svg = dir.path().join("curves.svg");
    succeeds(&["inspect", MODEL, "--no-tensors", "--svg", arg(&svg)]);
    let drawing = std::fs::read_to_string(&svg).unwrap();
    assert!(drawing.starts_with("<svg") && drawing.trim_end().ends_with("</svg>"));
    for layer in 0..4 {
        assert!(drawing.contains(&format!("layer {layer}:")), "layer {layer}");
    }
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
}

/// Alphas whose curves leave the range of f32: drawings clip, and end.
#[test]
fn inspect_draws_what_no_number_can_hold() {
    let dir = tempfile::tempdir().unwrap();
    let first = 0.972_656_25f32.to_le_bytes(); // of layer 3, whose curve is drawn
    for (key, alpha) in [
        ("xielu.alpha_p", 8.4e37f32),
        ("xielu.alpha_p", 9e37),
        ("xielu.alpha_p", f32::MAX),
        ("xielu.alpha_n", f32::MAX),
    ] {
        let stored = if key == "xielu.alpha_p" { first } else { (-0.621_093_75f32).to_le_bytes() };
        let path = patched(dir.path(), key, &stored, &alpha.to_le_bytes());
        let svg = dir.path().join("curves.svg");
        let out = succeeds(&["inspect", arg(&path), "--no-tensors", "--svg", arg(&svg)]);
        assert!(out.lines().all(|line| line.chars().count() < 120), "{out}");
        let drawing = std::fs::read_to_string(&svg).unwrap();
        assert!(drawing.len() < 200_000 && drawing.trim_end().ends_with("</svg>"));
        assert!(!drawing.contains("NaN") && !drawing.contains("\"inf"), "{alpha}");
    }
}

#[test]
fn selftest_passes_on_every_instruction_set_of_this_machine() {
    for isa in every_kernel().iter().map(Kernels::isa) {
        let out = succeeds(&["selftest", MODEL, "--isa", isa.name()]);
        assert!(out.contains(&format!("checking: {isa}")), "{out}");
        assert!(out.contains("all ") && !out.contains("FAILED"), "{out}");
        let output = xielu(&["selftest"]).env("XIELU_ISA", isa.name()).output().unwrap();
        assert!(text(&output.stdout).contains(&format!("checking: {isa}")));
    }
}

#[test]
fn help_has_examples() {
    for command in ["inspect", "generate", "perplexity", "quantize", "bench", "selftest"] {
        let help = succeeds(&[command, "--help"]);
        assert!(help.contains("Examples:\n") && help.contains(&format!("xielu {command} ")));
    }
}
