//! Token shards: files of ids, little-endian, 2 bytes each (4 for vocabularies above 65,536),
//! without a header, described by an `index.json` that is written last.

use std::format;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::string::String;
use std::vec::Vec;

use serde::{Deserialize, Serialize};

use super::Source;
use crate::checkpoint::AtomicFile;
use crate::kernels::MappedFile;
use crate::train::TrainError;
use crate::train::files::write_whole;

/// Tokens of a shard that is not the last.
const SHARD_TOKENS: u64 = 1 << 27;
const INDEX: &str = "index.json";

/// `index.json`: what the shards hold and were made from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Index {
    /// Version of the format: 1.
    pub version: u32,
    /// Rows of the embedding; every id is below.
    pub vocab_size: usize,
    /// Bytes of an id.
    pub token_bytes: usize,
    /// Tokens of each shard, `tokens-00000.bin` first.
    pub shards: Vec<u64>,
    /// The text.
    pub sources: Vec<Source>,
    /// What separates documents; a file is one without it.
    pub separator: Option<String>,
    /// Whether the tokenizer was trained on the text.
    pub trained: bool,
}

impl Index {
    /// An index without shards.
    pub fn new(
        vocab_size: usize,
        sources: Vec<Source>,
        separator: Option<&str>,
        trained: bool,
    ) -> Self {
        let token_bytes = if vocab_size <= 1 << 16 { 2 } else { 4 };
        let separator = separator.map(Into::into);
        let shards = Vec::new();
        Index { version: 1, vocab_size, token_bytes, shards, sources, separator, trained }
    }

    /// Reads `index.json` in `dir`; `None` if there is none.
    pub fn read(dir: &Path) -> Result<Option<Self>, TrainError> {
        let path = dir.join(INDEX);
        let text = match std::fs::read(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(TrainError::Io { path, source }),
        };
        let damaged =
            |problem: String| TrainError::Data(format!("{} is damaged: {problem}", path.display()));
        let index: Index = serde_json::from_slice(&text).map_err(|e| damaged(format!("{e}")))?;
        if index.version != 1 || !matches!(index.token_bytes, 2 | 4) {
            return Err(damaged("another version wrote it".into()));
        }
        Ok(Some(index))
    }

    /// Removes the `index.json` in `dir`, if there is one: its shards count no more.
    pub fn remove(dir: &Path) -> Result<(), TrainError> {
        let path = dir.join(INDEX);
        match std::fs::remove_file(&path) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                Err(TrainError::Io { path, source })
            }
            _ => Ok(()),
        }
    }

    /// Whether shards of this index are those that `other` would get.
    pub fn is_for(&self, other: &Index) -> bool {
        let bare = |index: &Index| Index { shards: Vec::new(), ..index.clone() };
        bare(self) == bare(other)
    }
}

fn shard_path(dir: &Path, number: usize) -> PathBuf {
    dir.join(format!("tokens-{number:05}.bin"))
}

/// Writes shards, one after the other, each whole or not at all.
pub struct ShardWriter {
    dir: PathBuf,
    index: Index,
    limit: u64,
    open: Option<AtomicFile>,
    bytes: Vec<u8>,
}

impl ShardWriter {
    /// Begins to write shards into `dir`. An index that is there is removed first, so that shards and
    /// index never disagree.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn create(dir: &Path, index: Index) -> Result<Self, TrainError> {
        Self::with_limit(dir, index, SHARD_TOKENS)
    }

    fn with_limit(dir: &Path, index: Index, limit: u64) -> Result<Self, TrainError> {
        Index::remove(dir)?;
        let index = Index { shards: Vec::new(), ..index };
        Ok(ShardWriter { dir: dir.into(), index, limit, open: None, bytes: Vec::new() })
    }

    /// Appends tokens.
    ///
    /// # Errors
    /// If an id is beyond the vocabulary, and those of the file system.
    pub fn write(&mut self, mut ids: &[u32]) -> Result<(), TrainError> {
        while !ids.is_empty() {
            if self.index.shards.last().is_none_or(|&tokens| tokens == self.limit) {
                self.commit()?;
                self.index.shards.push(0);
            }
            let number = self.index.shards.len() - 1;
            let path = shard_path(&self.dir, number);
            let io = |source| TrainError::Io { path: path.clone(), source };
            let Index { vocab_size, token_bytes, shards, .. } = &mut self.index;
            let Some(written) = shards.last_mut() else { break };
            let room = usize::try_from(self.limit - *written).unwrap_or(usize::MAX);
            let (now, later) = ids.split_at(room.min(ids.len()));
            encode(now, *vocab_size, *token_bytes, &mut self.bytes)?;
            *written += now.len() as u64;
            let file = match &mut self.open {
                Some(file) => file,
                none => none.insert(AtomicFile::create(&path).map_err(io)?),
            };
            file.write_all(&self.bytes).map_err(io)?;
            ids = later;
        }
        Ok(())
    }

    fn commit(&mut self) -> Result<(), TrainError> {
        let Some(file) = self.open.take() else { return Ok(()) };
        let path = shard_path(&self.dir, self.index.shards.len().saturating_sub(1));
        file.commit().map_err(|source| TrainError::Io { path, source })
    }

    /// Ends the last shard and writes the index.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn finish(mut self) -> Result<(), TrainError> {
        self.commit()?;
        let json = serde_json::to_vec_pretty(&self.index)
            .map_err(|e| TrainError::Data(format!("the index cannot be written: {e}")))?;
        write_whole(&self.dir.join(INDEX), &json)
    }
}

fn encode(
    ids: &[u32],
    vocab_size: usize,
    token_bytes: usize,
    bytes: &mut Vec<u8>,
) -> Result<(), TrainError> {
    bytes.clear();
    for &id in ids {
        check_id(id, vocab_size)?;
        bytes.extend_from_slice(id.to_le_bytes().get(..token_bytes).unwrap_or_default());
    }
    Ok(())
}

fn check_id(id: u32, vocab_size: usize) -> Result<(), TrainError> {
    if (id as usize) < vocab_size {
        return Ok(());
    }
    Err(TrainError::Data(format!("token id {id} is beyond the vocabulary of {vocab_size}")))
}

/// Open shards as one sequence of tokens, mapped into memory.
#[derive(Debug)]
pub struct Shards {
    index: Index,
    maps: Vec<(PathBuf, MappedFile)>,
    total: u64,
}

impl Shards {
    /// Opens the shards in `dir`.
    ///
    /// # Errors
    /// If there are none, or a file has another length than the index says.
    pub fn open(dir: &Path) -> Result<Self, TrainError> {
        let index = Index::read(dir)?.ok_or_else(|| {
            TrainError::Data(format!("there are no token shards in {}", dir.display()))
        })?;
        let mut maps = Vec::new();
        for (number, tokens) in index.shards.iter().enumerate() {
            let path = shard_path(dir, number);
            let io = |source| TrainError::Io { path: path.clone(), source };
            let map = MappedFile::open(&path).map_err(io)?;
            let expected = tokens.checked_mul(index.token_bytes as u64);
            if expected != Some(map.len() as u64) {
                return Err(TrainError::Data(format!(
                    "{} has {} bytes, its index says {tokens} tokens of {} bytes; \
                     remove the folder to write it again",
                    path.display(),
                    map.len(),
                    index.token_bytes
                )));
            }
            maps.push((path, map));
        }
        let total = index.shards.iter().sum();
        Ok(Shards { index, maps, total })
    }

    /// What the shards hold.
    pub fn index(&self) -> &Index {
        &self.index
    }

    /// Tokens of all shards.
    pub fn tokens(&self) -> u64 {
        self.total
    }

    /// Appends the `len` tokens from `start` to `ids`.
    ///
    /// # Errors
    /// If they are beyond the end, or one is beyond the vocabulary.
    pub fn read(&self, start: u64, len: usize, ids: &mut Vec<u32>) -> Result<(), TrainError> {
        let (mut skip, mut missing) = (start, len);
        for ((path, map), &tokens) in self.maps.iter().zip(&self.index.shards) {
            if skip >= tokens {
                skip -= tokens;
                continue;
            }
            let width = self.index.token_bytes;
            let found = map.chunks_exact(width).skip(usize::try_from(skip).unwrap_or(usize::MAX));
            for bytes in found.take(missing) {
                let id = match *bytes {
                    [a, b] => u32::from(u16::from_le_bytes([a, b])),
                    [a, b, c, d] => u32::from_le_bytes([a, b, c, d]),
                    _ => u32::MAX,
                };
                check_id(id, self.index.vocab_size)
                    .map_err(|e| TrainError::Data(format!("{} is damaged: {e}", path.display())))?;
                ids.push(id);
                missing -= 1;
            }
            skip = 0;
            if missing == 0 {
                break;
            }
        }
        if missing > 0 {
            return Err(TrainError::Data(format!(
                "tokens {start} and {len} more were asked for, there are {}",
                self.total
            )));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;
    use std::{fs, vec};

    fn written(dir: &Path, vocab_size: usize, ids: &[u32], limit: u64) -> Shards {
        let index = Index::new(vocab_size, vec![], None, true);
        let mut writer = ShardWriter::with_limit(dir, index, limit).unwrap();
        for part in ids.chunks(7) {
            writer.write(part).unwrap();
        }
        writer.finish().unwrap();
        Shards::open(dir).unwrap()
    }

    #[test]
    fn tokens_come_back_across_shards() {
        for vocab_size in [1 << 16, 1 << 17] {
            let dir = tempfile::tempdir().unwrap();
            let ids: Vec<u32> = (0..100u32).map(|i| i * 7919 % vocab_size as u32).collect();
            let shards = written(dir.path(), vocab_size, &ids, 16);
            assert_eq!((shards.tokens(), shards.index.shards.len()), (100, 7));
            for (start, len) in [(0, 100), (15, 2), (16, 16), (31, 34), (99, 1), (50, 0)] {
                let mut found = vec![];
                shards.read(start as u64, len, &mut found).unwrap();
                assert_eq!(found, ids[start..start + len]);
            }
            assert!(shards.read(99, 2, &mut vec![]).is_err());
            assert!(shards.read(u64::MAX, 1, &mut vec![]).is_err());
        }
    }

    #[test]
    fn damage_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let error = Shards::open(dir.path()).unwrap_err().to_string();
        assert!(error.contains("no token shards"), "{error}");
        let index = Index::new(10, vec![], None, true);
        let mut writer = ShardWriter::create(dir.path(), index).unwrap();
        assert!(writer.write(&[10]).unwrap_err().to_string().contains("token id 10 is beyond"));
        written(dir.path(), 10, &[1, 2, 3, 4], 100);
        let shard = shard_path(dir.path(), 0);
        fs::write(&shard, [1, 0, 2, 0, 10, 0, 4, 0]).unwrap();
        let shards = Shards::open(dir.path()).unwrap();
        shards.read(0, 2, &mut vec![]).unwrap();
        let error = shards.read(0, 3, &mut vec![]).unwrap_err().to_string();
        assert!(error.contains("tokens-00000.bin is damaged: token id 10"), "{error}");
        drop(shards);
        fs::write(&shard, [1, 0, 2]).unwrap();
        let error = Shards::open(dir.path()).unwrap_err().to_string();
        assert!(error.contains("has 3 bytes") && error.contains("4 tokens"), "{error}");
        fs::remove_file(&shard).unwrap();
        assert!(matches!(Shards::open(dir.path()), Err(TrainError::Io { .. })));
        for (text, says) in [("{", "damaged"), ("{\"version\": 1}", "damaged")] {
            fs::write(dir.path().join(INDEX), text).unwrap();
            let error = Shards::open(dir.path()).unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
    }
}
