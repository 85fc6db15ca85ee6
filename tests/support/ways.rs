//! What transformers makes of directories as people bring them (`tests/data/ways_in/make.py`).
#![allow(dead_code, reason = "each test crate uses its part")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

#[derive(Deserialize)]
pub struct Case {
    pub name: String,
    files: BTreeMap<String, PathBuf>,
    pub prompts: Vec<(String, Vec<u32>)>,
    pub stops: Vec<u32>,
    pub templates: BTreeMap<String, String>,
    pub greedy: Vec<(String, Vec<u32>, String)>,
    pub all: String,
}

pub fn cases() -> Vec<Case> {
    serde_json::from_str(&fs::read_to_string(data().join("cases.json")).unwrap()).unwrap()
}

fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/ways_in")
}

impl Case {
    /// Puts its files into `dir`.
    pub fn assemble(&self, dir: &Path) {
        for (name, file) in &self.files {
            let to = dir.join(name);
            fs::create_dir_all(to.parent().unwrap()).unwrap();
            fs::copy(data().join("files").join(file), to).unwrap();
        }
    }
}
