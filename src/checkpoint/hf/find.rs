//! Where a directory's files are, and what it is instead if they are not there.

use std::borrow::ToOwned;
use std::fs;
use std::path::{Path, PathBuf};
use std::string::{String, ToString};
use std::vec::Vec;
use std::{format, vec};

use serde_json::Value;

use super::HfError;
use super::file::{is_there, read_json_within, read_within};

pub(super) const SINGLE: &str = "model.safetensors";
pub(super) const INDEX: &str = "model.safetensors.index.json";

/// More shards than any model has; guards against a name that promises billions.
const MAX_SHARDS: usize = 1 << 16;

/// Refuses a directory without `config.json`, saying what it is.
pub(super) fn refuse_without_config(dir: &Path) -> Result<(), HfError> {
    if is_there(&dir.join("config.json")) {
        return Ok(());
    }
    let adapter = dir.join("adapter_config.json");
    if is_there(&adapter) {
        let json: Value = read_json_within(&adapter, 1 << 20)?;
        let base = json["base_model_name_or_path"].as_str().map(ToOwned::to_owned);
        return Err(HfError::Adapter { dir: dir.to_owned(), base });
    }
    let snapshots = snapshots(dir);
    if !snapshots.is_empty() || is_there(&dir.join("snapshots")) {
        return Err(HfError::CacheRoot { dir: dir.to_owned(), snapshots });
    }
    let ggufs = names_ending(dir, ".gguf");
    if let Some(first) = ggufs.first() {
        let file = dir.join(first);
        return Err(HfError::HoldsGguf { dir: dir.to_owned(), file, count: ggufs.len() });
    }
    if let Some(file) = unfinished(dir) {
        return Err(HfError::Unfinished(file));
    }
    let mut inner = names(dir).into_iter().map(|name| dir.join(name));
    let inside = inner.find(|path| path.join("config.json").is_file());
    Err(HfError::NoConfig { dir: dir.to_owned(), inside })
}

/// The name of a model in `dir`; of a snapshot in a cache, its repository's.
pub(super) fn model_name(dir: &Path) -> String {
    let path = std::path::absolute(dir).unwrap_or_default();
    let name = |path: &Path| path.file_name().and_then(|name| Some(name.to_str()?.to_string()));
    let repository = path.parent().filter(|parent| parent.ends_with("snapshots"));
    let repository = repository.and_then(Path::parent).and_then(name);
    let repository = repository.and_then(|name| {
        let name = name.strip_prefix("models--")?;
        Some(name.rsplit("--").next().unwrap_or(name).to_string())
    });
    repository.or_else(|| name(&path)).unwrap_or_else(|| "model".into())
}

/// The snapshots in a cache, in one model's entry of it, or in the folder of snapshots of that;
/// of each entry the one that `refs/main` names first.
fn snapshots(dir: &Path) -> Vec<PathBuf> {
    let entries = if dir.ends_with("snapshots") {
        dir.parent().into_iter().map(Path::to_owned).collect()
    } else {
        let models = names(dir).into_iter().filter(|name| name.starts_with("models--"));
        let mut entries = vec![dir.to_owned()];
        entries.extend(models.map(|name| dir.join(name)));
        entries
    };
    entries.iter().flat_map(|entry| snapshots_of(entry)).collect()
}

fn snapshots_of(entry: &Path) -> Vec<PathBuf> {
    let main = read_within(&entry.join("refs/main"), 1 << 12).unwrap_or_default();
    let main = String::from_utf8_lossy(&main);
    let mut found: Vec<PathBuf> = names(&entry.join("snapshots"))
        .into_iter()
        .map(|name| entry.join("snapshots").join(name))
        .filter(|path| path.is_dir())
        .collect();
    found.sort_by_key(|path| path.file_name().is_none_or(|name| name != main.trim()));
    found
}

/// All of `model-00001-of-0000N.safetensors`, in order; none if there is no such file.
pub(super) fn numbered_shards(dir: &Path) -> Result<Vec<PathBuf>, HfError> {
    let counts: Vec<(String, usize)> = names_ending(dir, ".safetensors")
        .into_iter()
        .filter_map(|name| {
            let of = name.strip_prefix("model-")?.strip_suffix(".safetensors")?.split_once("-of-");
            let (number, count) = of?;
            number.parse::<usize>().ok()?;
            Some((count.to_owned(), count.parse().ok().filter(|&n| n <= MAX_SHARDS)?))
        })
        .collect();
    let Some((digits, count)) = counts.first() else { return Ok(vec![]) };
    let width = digits.len();
    let name = |i: usize| format!("model-{i:0width$}-of-{digits}.safetensors");
    let paths: Vec<PathBuf> = (1..=*count).map(|i| dir.join(name(i))).collect();
    match paths.iter().position(|path| !is_there(path)) {
        Some(missing) => {
            Err(HfError::MissingShard { shard: name(missing + 1), dir: dir.to_owned() })
        }
        None => Ok(paths),
    }
}

/// What a directory without weights is.
pub(super) fn no_weights(dir: &Path) -> HfError {
    if let Some(file) = unfinished(dir) {
        return HfError::Unfinished(file);
    }
    let pickled = |name: &String| name.starts_with("pytorch_model") || name.starts_with("model");
    let find = |end, fits: fn(&String) -> bool| names_ending(dir, end).into_iter().find(fits);
    let pickle = [".pth", ".pt", ".ckpt"].into_iter().find_map(|end| find(end, |_| true));
    if let Some(name) = find(".bin", pickled).or(pickle) {
        return HfError::Pickled(dir.join(name));
    }
    if find(".safetensors", |name| name.starts_with("adapter")).is_some() {
        return HfError::Adapter { dir: dir.to_owned(), base: None };
    }
    if let Some(name) = find(".safetensors", |_| true) {
        return HfError::OtherWeights(dir.join(name));
    }
    HfError::NoWeights(dir.to_owned())
}

/// A file of a download that has not ended: beside the model, in `hf download`'s folder for
/// unfinished files, or among the blobs of a cache entry.
fn unfinished(dir: &Path) -> Option<PathBuf> {
    let mut folders = vec![dir.to_owned(), dir.join(".cache/huggingface/download")];
    let snapshots = dir.parent().filter(|parent| parent.ends_with("snapshots"));
    folders.extend(snapshots.and_then(Path::parent).map(|root| root.join("blobs")));
    let endings = [".incomplete", ".part", ".crdownload", ".aria2"];
    folders.into_iter().find_map(|folder| {
        let names = names(&folder).into_iter();
        let found = names.into_iter().find(|name| endings.iter().any(|end| name.ends_with(end)));
        found.map(|name| folder.join(name))
    })
}

/// The names in a directory, sorted; none if it cannot be read.
fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let mut names: Vec<String> =
        entries.filter_map(|entry| Some(entry.file_name().to_str()?.to_string())).collect();
    names.sort();
    names
}

fn names_ending(dir: &Path, end: &str) -> Vec<String> {
    let mut names = names(dir);
    names.retain(|name| name.ends_with(end));
    names
}
