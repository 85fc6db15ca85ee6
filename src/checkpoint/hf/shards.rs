//! The safetensors files of a directory and where each tensor is in them.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::{Component, Path, PathBuf};
use std::string::String;
use std::vec::Vec;

use safetensors::Dtype;
use serde::Deserialize;

use super::file::is_there;
use super::file::{plain_file, read_json_within, refuse_stand_in};
use super::find::{INDEX, SINGLE, no_weights, numbered_shards};
use super::names::unwrapped;
use super::{HfError, header};
use crate::checkpoint::{Access, FileBytes};

/// The most that is read of an index.
const INDEX_LIMIT: u64 = 128 << 20;

/// Where a tensor is.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) dtype: Dtype,
    pub(super) shape: Vec<usize>,
    shard: usize,
    bytes: Range<usize>,
}

/// All tensors of a directory, by name, without what wrappers put into names.
#[derive(Debug)]
pub(super) struct Shards {
    files: Vec<(PathBuf, FileBytes)>,
    entries: BTreeMap<String, Entry>,
    access: Access,
}

#[derive(Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

impl Shards {
    /// Opens `model.safetensors`, or else every shard of the index, or else all of
    /// `model-00001-of-0000N.safetensors` if there is no index.
    pub(super) fn open(dir: &Path, access: Access) -> Result<Self, HfError> {
        let mut shards = Shards { files: Vec::new(), entries: BTreeMap::new(), access };
        let index_path = dir.join(INDEX);
        if is_there(&dir.join(SINGLE)) {
            shards.add(dir.join(SINGLE))?;
        } else if is_there(&index_path) {
            shards.add_indexed(dir, &index_path)?;
        } else {
            let numbered = numbered_shards(dir)?;
            if numbered.is_empty() {
                return Err(no_weights(dir));
            }
            numbered.into_iter().try_for_each(|path| shards.add(path))?;
        }
        Ok(shards)
    }

    fn add_indexed(&mut self, dir: &Path, index_path: &Path) -> Result<(), HfError> {
        let index: Index = read_json_within(index_path, INDEX_LIMIT)?;
        let names: BTreeSet<&String> = index.weight_map.values().collect();
        let mut numbers = BTreeMap::new();
        for name in names {
            let mut parts = Path::new(name).components();
            // Anything but one plain name could reach outside the directory.
            let (Some(Component::Normal(plain)), None) = (parts.next(), parts.next()) else {
                return Err(HfError::ShardPath(name.clone()));
            };
            if plain != name.as_str() || name.contains('\0') {
                return Err(HfError::ShardPath(name.clone()));
            }
            if !is_there(&dir.join(plain)) {
                return Err(HfError::MissingShard { shard: name.clone(), dir: dir.into() });
            }
            numbers.insert(name, self.files.len());
            self.add(dir.join(plain))?;
        }
        for (tensor, shard) in &index.weight_map {
            let here = self.entries.get(&*unwrapped(tensor)).map(|e| e.shard);
            if here.is_none() || here != numbers.get(shard).copied() {
                return Err(HfError::NotInShard { name: tensor.clone(), shard: shard.clone() });
            }
        }
        Ok(())
    }

    fn add(&mut self, path: PathBuf) -> Result<(), HfError> {
        plain_file(&path)?;
        let file = FileBytes::open(&path, self.access)
            .map_err(|source| HfError::Io { path: path.clone(), source })?;
        refuse_stand_in(&path, &file)?;
        let header = header::read(&path, &file)?;
        let shard = self.files.len();
        for (name, info) in header.tensors {
            let (start, end) = info.data_offsets;
            let entry = Entry {
                dtype: info.dtype,
                shape: info.shape,
                shard,
                bytes: header.data + start..header.data + end,
            };
            let plain = unwrapped(&name).into_owned();
            if let Some(first) = self.entries.insert(plain, entry) {
                if first.shard == shard {
                    return Err(HfError::NamedTwice { name, path });
                }
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
