//! Directories that must not open.

use tempfile::TempDir;
use xielu::checkpoint::hf::{HfDir, HfError};

/// The error, and its one line.
pub fn open_error(dir: &TempDir) -> (HfError, String) {
    let error = HfDir::open(dir.path()).expect_err("must be refused");
    let text = error.to_string();
    assert!(!text.contains('\n'), "one line: {text}");
    (error, text)
}
