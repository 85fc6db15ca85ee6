//! `--device`.

#[cfg(not(feature = "cuda"))]
use crate::support::fails_of;
use crate::support::{MODEL, fails, text, xielu};

#[test]
fn a_device_that_is_none_is_said() {
    for wrong in ["gpu", "cuda:", "cuda:x", "cpu:0", ""] {
        let output = xielu(&["generate", MODEL, "-p", "a", "--device", wrong]).output().unwrap();
        let errors = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{errors}");
        assert!(errors.contains("cuda:N"), "{errors}");
    }
}

#[test]
fn the_importance_of_columns_is_measured_on_the_cpu() {
    let args = ["imatrix", MODEL, "--text", "x", "-o", "x.dat", "--device", "cuda"];
    let error = fails(&args);
    assert_eq!(error, "error: imatrix runs on the CPU; leave out --device cuda:0");
}

#[cfg(not(feature = "cuda"))]
#[test]
fn a_build_without_cuda_says_so() {
    for command in [
        &["generate", MODEL, "-p", "a", "--device", "cuda"][..],
        &["bench", MODEL, "--device", "cuda"],
        &["perplexity", MODEL, "--text", "models/heldout.txt", "--device", "cuda"],
        &["inspect", MODEL, "--memory", "--device", "cuda"],
    ] {
        let output = xielu(command).output().unwrap();
        assert!(output.stdout.is_empty(), "{}", text(&output.stdout));
        let error = fails_of(command, output);
        assert!(error.contains("--device cuda:0: this build has no CUDA"), "{error}");
    }
}

#[cfg(feature = "cuda")]
mod cuda {
    use super::*;
    use crate::support::{PROMPT, TEXT, succeeds};
    use xielu_testing::require;

    /// Whether there is a device. Without one, the command says why.
    #[track_caller]
    fn there_is_a_device() -> bool {
        match xielu::cuda::Cuda::new(0) {
            Ok(_) => true,
            Err(error) => {
                let said = fails(&["generate", MODEL, "-p", "a", "--device", "cuda"]);
                assert_eq!(said, format!("error: {error}"));
                require::skip("cuda", &error.to_string());
                false
            }
        }
    }

    #[test]
    fn texts_and_perplexity_are_those_of_the_cpu() {
        if !there_is_a_device() {
            return;
        }
        let both = |args: &[&str]| {
            let device = succeeds(&[args, &["--device", "cuda"]].concat());
            assert_eq!(device, succeeds(args), "{args:?}");
        };
        // Its inputs are not quantized, so that no rounding turns a quant.
        let floats = "tests/data/tiny-bf16.gguf";
        both(&["generate", floats, "-p", PROMPT, "-n", "24"]);
        let drawn = ["--temp", "0.7", "--seed", "3", "--repetition-penalty", "1.2"];
        both(&[&["generate", floats, "-p", PROMPT, "-n", "12"], &drawn[..]].concat());
        let value = |more: &[&str]| -> f64 {
            let args = ["perplexity", floats, "--text", TEXT, "--window", "64", "--windows", "2"];
            let said = succeeds(&[&args, more].concat());
            said.split_whitespace().nth(1).unwrap().parse().unwrap()
        };
        let (cpu, device) = (value(&[]), value(&["--device", "cuda:1"]));
        assert!((device / cpu - 1.0).abs() < 1e-4, "{device}, the CPU's {cpu}");
    }

    #[test]
    fn what_does_not_go_with_a_device_is_said() {
        if !there_is_a_device() {
            return;
        }
        let args = ["generate", MODEL, "-p", "a", "-n", "2", "--device", "cuda"];
        for option in ["--pack", "--tiled-mlp"] {
            let error = fails(&[&args[..], &[option]].concat());
            let says = format!("{option} is for the CPU; leave it out with --device cuda:0");
            assert_eq!(error, format!("error: {says}"));
        }
        let error = fails(&["generate", MODEL, "-p", "a", "--device", "cuda:9"]);
        assert!(error.contains("opening the CUDA device"), "{error}");
        let error = fails(&["bench", MODEL, "--prompt", "999999999", "--device", "cuda"]);
        assert!(error.contains("of the CUDA device's memory and"), "{error}");
        assert!(error.ends_with("lower --prompt, --depth and -n"), "{error}");
    }

    #[test]
    fn bench_names_the_device() {
        if !there_is_a_device() {
            return;
        }
        let name = xielu::cuda::Cuda::new(0).unwrap().name().unwrap();
        let args = ["--prompt", "4", "-n", "2", "--repeats", "1", "--device", "cuda"];
        let out = succeeds(&[&["bench", MODEL], &args[..]].concat());
        assert!(out.lines().next().unwrap().contains(&name), "{out}");
    }

    #[test]
    fn memory_of_a_device_is_told_without_one() {
        let args = ["--context", "64,256", "--device", "cuda"];
        let out = succeeds(&[&["inspect", MODEL, "--memory"], &args[..]].concat());
        assert!(out.contains("Memory of a CUDA device in bytes"), "{out}");
        assert_eq!(out.lines().filter(|line| line.ends_with("iB")).count(), 2, "{out}");
    }
}
