//! The safetensors files of a directory and where each tensor lies in them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::ops::Range;
use std::path::{Component, Path, PathBuf};
use std::string::String;
use std::vec::Vec;

use safetensors::{Dtype, SafeTensors};
use serde::Deserialize;

use super::HfError;
use crate::kernels::MappedFile;

const SINGLE: &str = "model.safetensors";
const INDEX: &str = "model.safetensors.index.json";

/// Where a tensor lies.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) dtype: Dtype,
    pub(super) shape: Vec<usize>,
    shard: usize,
    bytes: Range<usize>,
}

/// All tensors of a directory, by name.
#[derive(Debug)]
pub(super) struct Shards {
    files: Vec<(PathBuf, MappedFile)>,
    entries: BTreeMap<String, Entry>,
}

#[derive(Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

impl Shards {
    /// Maps `model.safetensors`, or else every shard of the index.
    pub(super) fn open(dir: &Path) -> Result<Self, HfError> {
        let mut shards = Shards { files: Vec::new(), entries: BTreeMap::new() };
        let index_path = dir.join(INDEX);
        if dir.join(SINGLE).exists() {
            shards.add(dir.join(SINGLE))?;
        } else if index_path.exists() {
            shards.add_indexed(dir, &index_path)?;
        } else {
            return Err(HfError::NoWeights(dir.into()));
        }
        Ok(shards)
    }

    fn add_indexed(&mut self, dir: &Path, index_path: &Path) -> Result<(), HfError> {
        let index: Index = super::read_json(index_path)?;
        let names: BTreeSet<&String> = index.weight_map.values().collect();
        let mut numbers = BTreeMap::new();
        for name in names {
            let mut parts = Path::new(name).components();
            // Anything but one plain name could reach outside the directory.
            let (Some(Component::Normal(plain)), None) = (parts.next(), parts.next()) else {
                return Err(HfError::ShardPath(name.clone()));
            };
            if plain != name.as_str() {
                return Err(HfError::ShardPath(name.clone()));
            }
            numbers.insert(name, self.files.len());
            self.add(dir.join(plain))?;
        }
        for (tensor, shard) in &index.weight_map {
            let here = self.entries.get(tensor).map(|e| e.shard);
            if here.is_none() || here != numbers.get(shard).copied() {
                return Err(HfError::NotInShard { name: tensor.clone(), shard: shard.clone() });
            }
        }
        Ok(())
    }

    fn add(&mut self, path: PathBuf) -> Result<(), HfError> {
        let file =
            MappedFile::open(&path).map_err(|source| HfError::Io { path: path.clone(), source })?;
        let (header, metadata) = SafeTensors::read_metadata(&file)
            .map_err(|source| HfError::Safetensors { path: path.clone(), source })?;
        let data = header + size_of::<u64>();
        let shard = self.files.len();
        for (name, info) in metadata.tensors() {
            let (start, end) = info.data_offsets;
            let entry = Entry {
                dtype: info.dtype,
                shape: info.shape.clone(),
                shard,
                bytes: data + start..data + end,
            };
            if let Some(first) = self.entries.insert(name.clone(), entry) {
                let first = self.files.get(first.shard).map(|(p, _)| p.clone());
                let shards = [first.unwrap_or_default(), path];
                return Err(HfError::DuplicateTensor { name, shards });
            }
        }
        self.files.push((path, file));
        Ok(())
    }

    pub(super) fn get(&self, name: &str) -> Option<&Entry> {
        self.entries.get(name)
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().map(String::as_str)
    }

    pub(super) fn data(&self, entry: &Entry) -> Option<&[u8]> {
        self.files.get(entry.shard)?.1.get(entry.bytes.clone())
    }

    pub(super) fn files(&self) -> impl Iterator<Item = &Path> {
        self.files.iter().map(|(path, _)| path.as_path())
    }
}

/// Whether a directory looks like a Hugging Face checkpoint, without opening it.
pub(super) fn is_checkpoint(dir: &Path) -> bool {
    fs::metadata(dir.join("config.json")).is_ok_and(|m| m.is_file())
}
