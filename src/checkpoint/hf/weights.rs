//! What the tensors of a directory are called, and of which types they are.

use std::borrow::ToOwned;
use std::format;
use std::path::Path;

use safetensors::Dtype;

use super::HfError;
use super::names::{PREFIXES, is_adapter};
use super::quantization::of_tensor;
use super::shards::{Entry, Shards};
use crate::kernels::{Blocks, DType};

/// Refuses tensors of adapters and of formats that nothing else names.
pub(super) fn refuse_other_kinds(dir: &Path, shards: &Shards) -> Result<(), HfError> {
    for name in shards.names() {
        if is_adapter(name) {
            return Err(HfError::Adapter { dir: dir.to_owned(), base: None });
        }
        if let Some(format) = of_tensor(name) {
            return Err(HfError::Quantized(format.into()));
        }
    }
    Ok(())
}

/// The prefix of the embedding's name, and the output head's name beside it.
pub(super) fn find_names(shards: &Shards) -> Result<(&'static str, &'static str), HfError> {
    let has = |prefix: &str| shards.get(&format!("{prefix}embed_tokens.weight")).is_some();
    if let Some(names) = PREFIXES.into_iter().find(|(prefix, _)| has(prefix)) {
        return Ok(names);
    }
    let known = |name: &&str| {
        let layers =
            |prefix: &str| name.strip_prefix(prefix).is_some_and(|n| n.starts_with("layers."));
        PREFIXES.into_iter().any(|(prefix, head)| layers(prefix) || *name == head)
    };
    match shards.names().next() {
        Some(first) if !shards.names().any(|name| known(&name)) => {
            Err(HfError::ForeignNames(first.into()))
        }
        _ => Err(HfError::MissingTensor("model.embed_tokens.weight".into())),
    }
}

/// Whether there is an output head that differs from the embedding: then they are not tied,
/// whatever the configuration says, as transformers has it.
pub(super) fn has_own_head(shards: &Shards, (prefix, head): (&str, &str)) -> bool {
    let Some(head) = shards.get(head) else { return false };
    let embedding = shards.get(&format!("{prefix}embed_tokens.weight"));
    embedding.is_none_or(|embedding| {
        (head.dtype, &head.shape) != (embedding.dtype, &embedding.shape)
            || shards.data(head) != shards.data(embedding)
    })
}

/// The first value of a tensor's bytes.
pub(super) fn first_value(dtype: DType, data: &[u8]) -> Option<f32> {
    let mut value = [0.0];
    Blocks::new(dtype, data)?.dequantize(&mut value).then_some(value[0])
}

/// The type of a tensor that is read in place.
pub(super) fn dtype(name: &str, entry: &Entry) -> Result<DType, HfError> {
    match entry.dtype {
        Dtype::F32 => Ok(DType::F32),
        Dtype::F16 => Ok(DType::F16),
        Dtype::BF16 => Ok(DType::BF16),
        dtype => Err(HfError::DType { name: name.into(), dtype }),
    }
}
