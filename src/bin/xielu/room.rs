//! How much memory a decoder may take: the default context, and limits that are said in words
//! before anything is taken.

use anyhow::{anyhow, bail};
use bytemuck::Zeroable;
use indicatif::HumanBytes;
use xielu::Config;
use xielu::checkpoint::{Checkpoint, Role};
use xielu::llama::{DecoderMemory, DecoderOptions, KvType};

use crate::machine::free_memory;

/// Context when none is given and the model was trained for more.
const DEFAULT_CONTEXT: usize = 4096;
/// What a decoder may take unasked, however small the model: 256 MiB.
const SMALL: u64 = 256 << 20;
/// What is said before it is taken: 1 GiB.
const LARGE: u64 = 1 << 30;
/// The part of the free memory that a decoder takes unasked.
const SHARE: u64 = 4;

/// The context when none is given: what the model was trained for, at most 4096, and no more than
/// takes the size of its weights (or 256 MiB) or a quarter of the memory that is free. It holds
/// `needed` positions if the model was trained for them.
pub fn default_context(
    checkpoint: &dyn Checkpoint<'_>,
    config: &Config,
    options: &DecoderOptions,
    kv_type: KvType,
    needed: usize,
) -> usize {
    let wanted = config.context_length.min(DEFAULT_CONTEXT);
    let budget = weights(checkpoint, config).max(SMALL);
    let budget = free_memory().map_or(budget, |free| budget.min(free / SHARE));
    let context = fitting(config, options, kv_type, wanted, budget).max(needed.min(wanted));
    if context < wanted {
        let bytes = HumanBytes(total(config, options, context, kv_type));
        tell!(
            "note: the context is {context} tokens of {wanted}, which take {bytes}; \
             --context N sets another"
        );
    }
    context
}

/// The longest context, `wanted` at most, that takes no more than `budget`.
fn fitting(
    config: &Config,
    options: &DecoderOptions,
    kv_type: KvType,
    wanted: usize,
    budget: u64,
) -> usize {
    let fixed = total(config, options, 0, kv_type);
    let each = total(config, options, 1, kv_type).saturating_sub(fixed).max(1);
    let fits = budget.saturating_sub(fixed) / each;
    wanted.min(usize::try_from(fits).unwrap_or(usize::MAX))
}

/// Bytes of the model's tensors.
fn weights(checkpoint: &dyn Checkpoint<'_>, config: &Config) -> u64 {
    let tensors = Role::all(config).filter_map(|role| checkpoint.tensor(role).ok().flatten());
    tensors.map(|tensor| tensor.data.len() as u64).sum()
}

/// What a decoder takes.
fn total(config: &Config, options: &DecoderOptions, context: usize, kv_type: KvType) -> u64 {
    let bytes = DecoderMemory::new(config, options, context, kv_type).total();
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

/// Says what a decoder will take if that is much, and refuses what is not there; `advice` is what
/// the user can do about it.
pub fn announce(
    config: &Config,
    options: &DecoderOptions,
    context: usize,
    kv_type: KvType,
    advice: &str,
) -> anyhow::Result<()> {
    let bytes = total(config, options, context, kv_type);
    let what = format!("a context of {context} tokens takes");
    check(bytes, &what, advice)?;
    if bytes > LARGE {
        tell!("note: {what} {} of memory", HumanBytes(bytes));
    }
    Ok(())
}

/// Refuses to take more than is free.
fn check(bytes: u64, what: &str, advice: &str) -> anyhow::Result<()> {
    match free_memory() {
        Some(free) if bytes > free => {
            let (bytes, free) = (HumanBytes(bytes), HumanBytes(free));
            bail!("{what} {bytes} of memory and {free} are free; {advice}")
        }
        _ => Ok(()),
    }
}

/// `len` zeros that take memory where they are first written, or an error in words.
pub fn allocate<T: Zeroable>(len: usize, what: &str, advice: &str) -> anyhow::Result<Box<[T]>> {
    let bytes = (len as u64).saturating_mul(size_of::<T>() as u64);
    check(bytes, what, advice)?;
    bytemuck::allocation::try_zeroed_slice_box(len).map_err(|()| {
        anyhow!("{what} {} of memory, more than this process is given; {advice}", HumanBytes(bytes))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ModelFile;

    #[test]
    fn a_context_fits_its_budget() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/tiny-Q8_0.gguf");
        let file = ModelFile::open(path).unwrap();
        let view = file.view().unwrap();
        let config = view.checkpoint().config().unwrap();
        let options = DecoderOptions::default();
        let fits = |wanted, budget| fitting(&config, &options, KvType::F16, wanted, budget);
        let bytes = total(&config, &options, 200, KvType::F16);
        assert_eq!(fits(256, bytes), 200);
        assert_eq!(fits(256, bytes - 1), 199);
        assert_eq!(fits(256, u64::MAX), 256);
        assert_eq!(fits(256, 0), 0);
    }

    #[test]
    fn too_much_is_an_error_in_words() {
        for len in [1 << 50, usize::MAX / 2, usize::MAX] {
            let error = allocate::<f32>(len, "it takes", "take less").unwrap_err().to_string();
            assert!(error.starts_with("it takes ") && error.ends_with("; take less"), "{error}");
        }
        assert_eq!(allocate::<f32>(3, "it takes", "").unwrap()[..], [0.0; 3]);
    }
}
