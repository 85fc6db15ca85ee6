//! Directories in the Hugging Face layout, made from the trained fixture.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::in_repository;

/// Type, shape and bytes by name.
pub type Tensors = BTreeMap<String, (Dtype, Vec<usize>, Vec<u8>)>;

/// The trained model as transformers saved it.
pub fn fixture() -> PathBuf {
    in_repository("tests/data/tiny")
}

/// Its `config.json`.
pub fn fixture_config() -> Value {
    serde_json::from_slice(&fs::read(fixture().join("config.json")).unwrap()).unwrap()
}

/// Its tensors.
pub fn fixture_tensors() -> Tensors {
    let bytes = fs::read(fixture().join("model.safetensors")).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    file.iter()
        .map(|(name, t)| (name.to_string(), (t.dtype(), t.shape().to_vec(), t.data().to_vec())))
        .collect()
}

/// Writes a safetensors file.
pub fn write_tensors(tensors: &Tensors, path: &Path) {
    let views = tensors.iter().map(|(name, (dtype, shape, data))| {
        (name.as_str(), TensorView::new(*dtype, shape.clone(), data).unwrap())
    });
    safetensors::serialize_to_file(views, None, path).unwrap();
}

/// A directory with the given configuration and tensors.
pub fn directory(config: &Value, tensors: &Tensors) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("config.json"), config.to_string()).unwrap();
    write_tensors(tensors, &dir.path().join("model.safetensors"));
    dir
}

/// The fixture in `n` shards with an index; returns the tensors' shards too.
pub fn sharded(n: usize) -> (TempDir, BTreeMap<String, String>) {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("config.json"), fixture_config().to_string()).unwrap();
    let mut shards = vec![Tensors::new(); n];
    let mut map = BTreeMap::new();
    for (i, (name, tensor)) in fixture_tensors().into_iter().enumerate() {
        map.insert(name.clone(), shard_name(i % n, n));
        shards[i % n].insert(name, tensor);
    }
    for (i, tensors) in shards.iter().enumerate() {
        write_tensors(tensors, &dir.path().join(shard_name(i, n)));
    }
    write_index(dir.path(), &map);
    (dir, map)
}

/// The name of shard `i` of `n`.
pub fn shard_name(i: usize, n: usize) -> String {
    format!("model-{:05}-of-{n:05}.safetensors", i + 1)
}

/// Writes the index of shards.
pub fn write_index(dir: &Path, map: &BTreeMap<String, String>) {
    let index = json!({"metadata": {"total_size": 1}, "weight_map": map});
    fs::write(dir.join("model.safetensors.index.json"), index.to_string()).unwrap();
}

/// The trained model's directory, with some keys of some of its files changed.
///
/// # Panics
/// If a file is not JSON.
pub fn changed(changes: &[(&str, Value)]) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for file in fs::read_dir(fixture()).unwrap() {
        let file = file.unwrap();
        if file.file_name() != "goldens.safetensors" {
            fs::copy(file.path(), dir.path().join(file.file_name())).unwrap();
        }
    }
    for (file, keys) in changes {
        let path = dir.path().join(file);
        let mut whole: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        for (key, value) in keys.as_object().unwrap() {
            whole[key] = value.clone();
        }
        fs::write(path, whole.to_string()).unwrap();
    }
    dir
}
