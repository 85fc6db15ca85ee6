//! What transformers makes of directories as people bring them (`tests/data/ways_in/make.py`).

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::in_repository;

/// One directory.
#[derive(Deserialize)]
pub struct Case {
    /// What it is called.
    pub name: String,
    files: BTreeMap<String, PathBuf>,
    /// Prompts and their ids.
    pub prompts: Vec<(String, Vec<u32>)>,
    /// Ids that end a generation.
    pub stops: Vec<u32>,
    /// Chat templates by name.
    pub templates: BTreeMap<String, String>,
    /// Prompts, the ids after them and their text.
    pub greedy: Vec<(String, Vec<u32>, String)>,
    /// The text of all ids.
    pub all: String,
}

/// Every one.
pub fn cases() -> Vec<Case> {
    serde_json::from_str(&fs::read_to_string(data().join("cases.json")).unwrap()).unwrap()
}

fn data() -> PathBuf {
    in_repository("tests/data/ways_in")
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
