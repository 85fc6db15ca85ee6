//! A decoder with memory of its own.

use xielu::Backend;
use xielu::checkpoint::Checkpoint;
use xielu::llama::{Decoder, DecoderOptions, KvCache, KvType, Layer, Model};

/// What a decoder is made with, besides its model.
#[derive(Clone, Copy)]
pub struct Setting<'b> {
    /// The kernels, and who runs their parts.
    pub backend: Backend<'b>,
    /// Positions in the cache.
    pub context: usize,
    /// The type of the cache.
    pub kv_type: KvType,
    /// Batch and tile.
    pub options: DecoderOptions,
}

impl Setting<'_> {
    /// The fastest kernels, an f32 cache, default options.
    pub fn exact(context: usize) -> Self {
        Setting {
            backend: Backend::default(),
            context,
            kv_type: KvType::F32,
            options: DecoderOptions::default(),
        }
    }
}

/// Runs `f` with a decoder over the checkpoint.
///
/// # Panics
/// If the checkpoint is of no model, or the cache cannot have its type.
pub fn with_decoder<'w, C: Checkpoint<'w> + ?Sized, R>(
    checkpoint: &C,
    setting: Setting<'_>,
    f: impl FnOnce(&mut Decoder) -> R,
) -> R {
    let config = checkpoint.config().unwrap();
    let mut layers = vec![Layer::EMPTY; config.num_layers];
    let model = Model::load(checkpoint, &mut layers).unwrap();
    with_decoder_of(&model, setting, f)
}

/// As [`with_decoder`], of a model that is loaded.
///
/// # Panics
/// If the cache cannot have its type.
pub fn with_decoder_of<R>(
    model: &Model<'_, '_>,
    setting: Setting<'_>,
    f: impl FnOnce(&mut Decoder) -> R,
) -> R {
    let Setting { backend, context, kv_type, options } = setting;
    let config = model.config();
    let mut cache = vec![0; KvCache::bytes_needed(config, context, kv_type)];
    let cache = KvCache::new(config, context, kv_type, &mut cache).unwrap();
    let mut scratch = vec![0.0; Decoder::scratch_len(config, &options)];
    f(&mut Decoder::new(model, backend, options, cache, &mut scratch).unwrap())
}

/// The logits after each of `tokens`, decoded `batch` at a time.
///
/// # Panics
/// If a batch cannot be decoded.
pub fn logits(decoder: &mut Decoder, tokens: &[u32], batch: usize, vocab_size: usize) -> Vec<f32> {
    let mut all = Vec::new();
    for tokens in tokens.chunks(batch) {
        let mut logits = vec![0.0; tokens.len() * vocab_size];
        decoder.batch(tokens).unwrap();
        decoder.logits(&mut logits).unwrap();
        all.extend(logits);
    }
    all
}
