//! Completions of shells, and manual pages.

use std::fs;
use std::process::Command;

use xielu_testing::require;

use crate::support::{arg, succeeds, text, xielu};

#[test]
fn shells_know_the_commands_and_their_options() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = succeeds(&["completions", shell]);
        for word in ["perplexity", "completions", "model-sampling"] {
            assert!(script.contains(word), "{shell}: no {word}");
        }
    }
    let output = xielu(&["completions", "tcsh"]).output().unwrap();
    let error = text(&output.stderr);
    assert_eq!((output.status.code(), error.lines().count()), (Some(2), 1), "{error}");
    if !require::program("bash", "bash") {
        return;
    }
    // What the tab key offers after `xielu ch`.
    let ask = "COMP_WORDS=(xielu ch) COMP_CWORD=1; _xielu xielu ch xielu; echo \"${COMPREPLY[*]}\"";
    let script = format!("{}\n{ask}", succeeds(&["completions", "bash"]));
    let output = Command::new("bash").args(["-c", &script]).output().unwrap();
    assert_eq!(text(&output.stdout).trim(), "chat", "{}", text(&output.stderr));
}

#[test]
fn every_command_has_a_manual_page() {
    let dir = tempfile::tempdir().unwrap();
    let pages = dir.path().join("man");
    succeeds(&["man", arg(&pages)]);
    for name in ["xielu", "xielu-chat", "xielu-generate", "xielu-imatrix", "xielu-quantize"] {
        let page = fs::read_to_string(pages.join(name).with_extension("1")).unwrap();
        assert!(page.contains(".TH") && page.contains("SYNOPSIS"), "{page}");
    }
    assert!(!pages.join("xielu-man.1").exists());
}
