//! Checkpoints: weights, moments and the step, in one safetensors file that appears whole or not
//! at all.

use std::collections::HashMap;
use std::format;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::string::{String, ToString};
use std::vec::Vec;

use candle_core::Tensor;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

use super::optimizer::AdamW;
use super::{Model, TrainError};
use crate::checkpoint::AtomicFile;

const PREFIX: &str = "step-";
const SUFFIX: &str = ".safetensors";
/// The prefix of a parameter's name for its moments.
const MOMENTS: [&str; 2] = ["optimizer.m.", "optimizer.v."];
/// A tensor of one value.
const STEP: &str = "optimizer.step";
/// The one key of the metadata; with several, the same state could be different files.
const CHECKSUM: &str = "crc32";

/// Writes the checkpoint of `step` to `folder`.
pub(super) fn save(
    folder: &Path,
    model: &Model,
    optimizer: &AdamW,
    step: u64,
) -> Result<(), TrainError> {
    let path = folder.join(format!("{PREFIX}{step:010}{SUFFIX}"));
    let failed = |source| TrainError::Io { path: path.clone(), source };
    fs::create_dir_all(folder).map_err(failed)?;
    let mut tensors =
        std::vec![(STEP.to_string(), Dtype::U64, Vec::from([1]), step.to_le_bytes().to_vec())];
    for (parameter, moments) in model.parameters().iter().zip(optimizer.moments()) {
        let weights: Vec<f32> = parameter.tensor().flatten_all()?.to_vec1()?;
        let [m, v] = moments.to_vecs()?;
        for (prefix, values) in [("", weights), (MOMENTS[0], m), (MOMENTS[1], v)] {
            let name = format!("{prefix}{}", parameter.name());
            let bytes = values.iter().flat_map(|v| v.to_le_bytes()).collect();
            tensors.push((name, Dtype::F32, parameter.tensor().dims().to_vec(), bytes));
        }
    }
    tensors.sort_by(|a, b| a.0.cmp(&b.0));
    let crc = checksum(tensors.iter().map(|(.., bytes)| bytes.as_slice()));
    let metadata = HashMap::from([(CHECKSUM.to_string(), crc)]);
    let malformed = |e: safetensors::SafeTensorError| failed(io::Error::other(e));
    let views = tensors.iter().map(|(name, dtype, shape, bytes)| {
        Ok((name.as_str(), TensorView::new(*dtype, shape.clone(), bytes)?))
    });
    let views = views.collect::<Result<Vec<_>, _>>().map_err(malformed)?;
    let file = safetensors::serialize(views, Some(metadata)).map_err(malformed)?;
    let mut out = AtomicFile::create(&path).map_err(failed)?;
    out.write_all(&file).and_then(|()| out.commit()).map_err(failed)
}

/// Reads the checkpoint at `path` into a model and its optimizer; returns the step. Nothing is
/// changed unless all of it is good.
pub(super) fn load(path: &Path, model: &Model, optimizer: &mut AdamW) -> Result<u64, TrainError> {
    let bad = |problem: String| TrainError::Checkpoint { path: path.into(), problem };
    let bytes = fs::read(path).map_err(|source| TrainError::Io { path: path.into(), source })?;
    let (_, header) = SafeTensors::read_metadata(&bytes).map_err(|e| bad(e.to_string()))?;
    let tensors = SafeTensors::deserialize(&bytes).map_err(|e| bad(e.to_string()))?;
    let mut in_order = tensors.tensors();
    in_order.sort_by(|a, b| a.0.cmp(&b.0));
    let written = header.metadata().as_ref().and_then(|metadata| metadata.get(CHECKSUM));
    if written != Some(&checksum(in_order.iter().map(|(_, view)| view.data()))) {
        return Err(bad("its bytes have changed since it was written".into()));
    }
    let step = tensors.tensor(STEP).ok().and_then(|view| view.data().try_into().ok());
    let step = step.ok_or_else(|| bad(format!("has no tensor {STEP}")))?;
    let values = |prefix: &str, parameter: &super::Parameter| {
        let name = format!("{prefix}{}", parameter.name());
        let view = tensors.tensor(&name).map_err(|_| bad(format!("has no tensor {name}")))?;
        let expected = parameter.tensor().dims();
        if view.dtype() != Dtype::F32 || view.shape() != expected {
            let (dtype, found) = (view.dtype(), view.shape());
            return Err(bad(format!(
                "is of another model: {name} is {dtype:?} {found:?}, expected F32 {expected:?}"
            )));
        }
        let (words, _) = view.data().as_chunks();
        Ok(words.iter().map(|word| f32::from_le_bytes(*word)).collect::<Vec<f32>>())
    };
    let mut all = Vec::new();
    for parameter in model.parameters() {
        let [m, v] = MOMENTS;
        all.push((values("", parameter)?, [values(m, parameter)?, values(v, parameter)?]));
    }
    if tensors.len() != 3 * all.len() + 1 {
        return Err(bad("is of another model: it has more tensors".into()));
    }
    let targets = model.parameters().iter().zip(optimizer.moments_mut());
    for ((weights, both), (parameter, moments)) in all.into_iter().zip(targets) {
        let tensor = parameter.tensor();
        parameter.var().set(&Tensor::from_vec(weights, tensor.shape(), tensor.device())?)?;
        moments.set(both)?;
    }
    Ok(u64::from_le_bytes(step))
}

/// The checkpoints in `folder`, newest first; none if there is no folder.
pub(super) fn newest_first(folder: &Path) -> Result<Vec<PathBuf>, TrainError> {
    let failed = |source| TrainError::Io { path: folder.into(), source };
    let entries = match fs::read_dir(folder) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(failed)?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let name = entry.map_err(failed)?.file_name();
        let step = name.to_str().and_then(|n| n.strip_prefix(PREFIX)?.strip_suffix(SUFFIX));
        if let Some(step) = step.and_then(|digits| digits.parse::<u64>().ok()) {
            found.push((step, folder.join(name)));
        }
    }
    found.sort_by_key(|(step, _)| core::cmp::Reverse(*step));
    Ok(found.into_iter().map(|(_, path)| path).collect())
}

/// Removes all checkpoints in `folder` but the newest `count`.
pub(super) fn keep_newest(folder: &Path, count: usize) -> Result<(), TrainError> {
    for path in newest_first(folder)?.into_iter().skip(count) {
        fs::remove_file(&path).map_err(|source| TrainError::Io { path, source })?;
    }
    Ok(())
}

/// CRC-32 of all bytes, in hexadecimal.
fn checksum<'a>(parts: impl Iterator<Item = &'a [u8]>) -> String {
    let mut crc = crc32fast::Hasher::new();
    parts.for_each(|part| crc.update(part));
    format!("{:08x}", crc.finalize())
}
