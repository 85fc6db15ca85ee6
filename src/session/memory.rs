//! How much memory a session may take: the default context, and limits that are said before
//! anything is taken.

use std::boxed::Box;
use std::format;
use std::string::String;

use bytemuck::Zeroable;

use super::{SessionError, SessionOptions, free_memory};
use crate::Config;
use crate::checkpoint::{Checkpoint, Role};
use crate::llama::{Decoder, DecoderMemory, DecoderOptions, KvCache, KvType};

/// The default context of a model that was trained for more.
const LONGEST_DEFAULT: usize = 4096;
/// What a session may take unasked, however small the model: 256 MiB.
const SMALL: u64 = 256 << 20;
/// The part of the free memory that a session takes unasked.
const SHARE: u64 = 4;

/// The context where none is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DefaultContext {
    /// Positions.
    pub positions: usize,
    /// Positions there would be with more memory.
    pub wanted: usize,
}

/// The context where none is given: what the model was trained for, at most 4096, and no more than
/// takes the size of its weights (or 256 MiB) or a quarter of the memory that is free. It holds
/// `needed` positions if the model was trained for them.
pub fn default_context(
    checkpoint: &dyn Checkpoint<'_>,
    config: &Config,
    options: &DecoderOptions,
    kv_type: KvType,
    needed: usize,
) -> DefaultContext {
    let wanted = config.context_length.min(LONGEST_DEFAULT);
    let budget = weights(checkpoint, config).max(SMALL);
    let budget = free_memory().map_or(budget, |free| budget.min(free / SHARE));
    let positions = fitting(config, options, kv_type, wanted, budget).max(needed.min(wanted));
    DefaultContext { positions, wanted }
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

pub(super) fn check_memory(
    config: &Config,
    options: &SessionOptions,
    context: usize,
) -> Result<(), SessionError> {
    let bytes = total(config, &options.decoder(), context, options.kv_type);
    check(bytes, &of_context(context))
}

fn of_context(context: usize) -> String {
    format!("a context of {context} tokens takes")
}

/// What a decoder works on.
pub(super) struct Working {
    pub(super) context: usize,
    pub(super) cache: Box<[u8]>,
    pub(super) scratch: Box<[f32]>,
    /// What follows the last token that was read or generated.
    pub(super) logits: Box<[f32]>,
}

impl Working {
    /// Memory for a context of so many positions.
    pub(super) fn new(
        config: &Config,
        options: &SessionOptions,
        context: usize,
    ) -> Result<Self, SessionError> {
        check_memory(config, options, context)?;
        let what = of_context(context);
        Ok(Working {
            context,
            cache: allocate(KvCache::bytes_needed(config, context, options.kv_type), &what)?,
            scratch: allocate(Decoder::scratch_len(config, &options.decoder()), &what)?,
            logits: allocate(config.output_vocab_size, &what)?,
        })
    }
}

#[cfg(feature = "cuda")]
impl Working {
    /// What remains here where the rest is on a device.
    pub(super) fn beside_device(config: &Config, context: usize) -> Result<Self, SessionError> {
        let logits = allocate(config.output_vocab_size, &of_context(context))?;
        Ok(Working { context, cache: Box::default(), scratch: Box::default(), logits })
    }
}

/// Refuses to take more than is free.
fn check(bytes: u64, what: &str) -> Result<(), SessionError> {
    match free_memory() {
        Some(free) if bytes > free => {
            Err(SessionError::Memory { what: what.into(), bytes, free: Some(free) })
        }
        _ => Ok(()),
    }
}

/// `len` zeros that take memory where they are first written, or an error in words.
pub(super) fn allocate<T: Zeroable>(len: usize, what: &str) -> Result<Box<[T]>, SessionError> {
    let bytes = (len as u64).saturating_mul(size_of::<T>() as u64);
    check(bytes, what)?;
    let zeros = bytemuck::allocation::try_zeroed_slice_box(len);
    zeros.map_err(|()| SessionError::Memory { what: what.into(), bytes, free: None })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::gguf::Gguf;
    use std::string::ToString as _;

    #[test]
    fn a_context_fits_its_budget() {
        let bytes = include_bytes!("../../tests/data/tiny-Q8_0.gguf");
        let config = Gguf::parse(bytes).unwrap().config().unwrap();
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
            let error = allocate::<f32>(len, "it takes").unwrap_err().to_string();
            assert!(error.starts_with("it takes ") && error.contains("iB of memory"), "{error}");
        }
        assert_eq!(allocate::<f32>(3, "it takes").unwrap()[..], [0.0; 3]);
    }
}
