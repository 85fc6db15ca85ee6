//! Trained models as Hugging Face directories.

mod config_json;

use std::collections::{BTreeMap, HashMap};
use std::format;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::string::{String, ToString};
use std::vec;
use std::vec::Vec;

use candle_core::{DType, Tensor};
use safetensors::serialize_to_file;
use serde_json::json;

pub use config_json::Family;

use super::TrainError;
use super::data::TextTokenizer;
use super::files::write_whole;
use crate::checkpoint::lock;
use crate::{Config, RawXielu};

/// Bytes of one safetensors file, at most (unless one tensor has more).
const SHARD_BYTES: usize = 5_000_000_000;

/// A model's shape and tensors, by their Hugging Face names.
#[derive(Clone, Debug)]
pub struct Weights {
    /// The shape.
    pub config: Config,
    /// The tensors, in the order in which they are written.
    pub tensors: Vec<(String, Tensor)>,
}

/// Writes a model in `dtype` (F32 or BF16) as the directory `output`: `config.json`,
/// `model.safetensors` (several files above 5 GB), `generation_config.json` and the tokenizer's
/// files. The directory appears whole or not at all, under a temporary name beside it until then.
///
/// # Errors
/// If `output` exists and is not an empty directory, and those of the file system.
pub fn export(
    weights: &Weights,
    tokenizer: &TextTokenizer,
    dtype: DType,
    output: &Path,
) -> Result<(), TrainError> {
    export_sharded(weights, tokenizer, dtype, output, SHARD_BYTES)
}

fn export_sharded(
    weights: &Weights,
    tokenizer: &TextTokenizer,
    dtype: DType,
    output: &Path,
    shard_bytes: usize,
) -> Result<(), TrainError> {
    let io = |source| TrainError::Io { path: output.into(), source };
    // A trailing slash, or a name in the working directory, has a parent too.
    let output = std::path::absolute(output).map_err(io)?;
    let exists = output.symlink_metadata().is_ok();
    let is_empty = || fs::read_dir(&output).is_ok_and(|mut entries| entries.next().is_none());
    if exists && !is_empty() {
        return Err(TrainError::Data(format!("{} exists already", output.display())));
    }
    let parent = output.parent().unwrap_or(Path::new("/"));
    fs::create_dir_all(parent).map_err(io)?;
    let temporary = Temporary::create(&output).map_err(io)?;
    let dir = temporary.path.as_path();
    write_json(&dir.join("config.json"), &config_json::of(&weights.config, tokenizer, dtype))?;
    let generation = config_json::special_ids(tokenizer);
    write_json(&dir.join("generation_config.json"), &generation.into())?;
    tokenizer.save(dir)?;
    write_tensors(weights, dtype, dir, shard_bytes)?;
    if exists {
        fs::remove_dir(&output).map_err(io)?;
    }
    temporary.rename(&output).map_err(io)
}

/// A directory under a temporary name, held while it is filled; removed if it gets no other.
struct Temporary {
    path: PathBuf,
    _held: Option<File>,
}

impl Temporary {
    /// Beside `output`.
    fn create(output: &Path) -> io::Result<Self> {
        let path = lock::temporary_name(output)?;
        let held = lock::create_dir(&path)?;
        Ok(Temporary { path, _held: held })
    }

    /// Gives it its name, when all that is in it is on the disk.
    fn rename(mut self, output: &Path) -> io::Result<()> {
        lock::sync_folder(&self.path);
        fs::rename(&self.path, output)?;
        self.path = PathBuf::new();
        lock::sync_folder(output.parent().unwrap_or(Path::new("/")));
        Ok(())
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.path.as_os_str().is_empty() {
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}

fn write_json(path: &Path, json: &serde_json::Value) -> Result<(), TrainError> {
    write_whole(path, format!("{json:#}\n").as_bytes())
}

fn write_tensors(
    weights: &Weights,
    dtype: DType,
    dir: &Path,
    shard_bytes: usize,
) -> Result<(), TrainError> {
    let bytes = |tensor: &Tensor| tensor.elem_count() * dtype.size_in_bytes();
    let mut shards: Vec<Vec<(String, Tensor)>> = vec![vec![]];
    let mut filled = 0;
    for (name, tensor) in weights.tensors.iter().cloned().chain(constants(&weights.config)?) {
        if filled > 0 && filled + bytes(&tensor) > shard_bytes {
            shards.push(vec![]);
            filled = 0;
        }
        filled += bytes(&tensor);
        if let Some(shard) = shards.last_mut() {
            shard.push((name, tensor));
        }
    }
    let of = shards.len();
    let mut files = BTreeMap::new();
    let mut total = 0;
    for (number, shard) in shards.into_iter().enumerate() {
        let file = match of {
            1 => "model.safetensors".to_string(),
            _ => format!("model-{:05}-of-{of:05}.safetensors", number + 1),
        };
        total += shard.iter().map(|(_, tensor)| bytes(tensor)).sum::<usize>();
        files.extend(shard.iter().map(|(name, _)| (name.clone(), file.clone())));
        write_shard(shard, dtype, dir.join(file))?;
    }
    if of == 1 {
        return Ok(());
    }
    let index = json!({ "metadata": { "total_size": total }, "weight_map": files });
    write_json(&dir.join("model.safetensors.index.json"), &index)
}

fn write_shard(
    shard: Vec<(String, Tensor)>,
    dtype: DType,
    path: PathBuf,
) -> Result<(), TrainError> {
    let stored = shard.into_iter().map(|(name, tensor)| Ok((name, tensor.to_dtype(dtype)?)));
    let stored: Vec<(String, Tensor)> = stored.collect::<candle_core::Result<_>>()?;
    // What transformers needs: which framework's layout it is.
    let metadata = HashMap::from([("format".to_string(), "pt".to_string())]);
    let written = serialize_to_file(stored, Some(metadata), &path).map_err(io::Error::other);
    let synced = written.and_then(|()| File::options().write(true).open(&path)?.sync_all());
    synced.map_err(|source| TrainError::Io { path, source })
}

/// The constants that checkpoints store beside the alphas.
fn constants(config: &Config) -> Result<Vec<(String, Tensor)>, TrainError> {
    let layers = if config.hidden_act.has_alphas() { config.num_layers } else { 0 };
    let RawXielu { beta, eps, .. } = RawXielu::PAPER_INIT;
    let mut tensors = Vec::new();
    for layer in 0..layers {
        for (key, value) in [("beta", beta), ("eps", eps)] {
            let name = format!("model.layers.{layer}.mlp.act_fn.{key}");
            tensors.push((name, Tensor::new(value, &candle_core::Device::Cpu)?));
        }
    }
    Ok(tensors)
}

#[cfg(test)]
mod tests;
