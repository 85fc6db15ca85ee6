//! A model ready to run: memory for the decoder, made once, from the configuration.

use std::path::Path;

use anyhow::Context as _;
use indicatif::HumanBytes;
use xielu::kernels::QK;
use xielu::llama::{Decoder, DecoderOptions, KvCache, Layer, Model};
use xielu::{Backend, Config};

use crate::args::ModelArgs;
use crate::model::ModelView;
use crate::room::{allocate, announce};

/// Hidden values of the MLP held at a time with `--tiled-mlp`: 8 blocks.
const TILE: usize = 8 * QK;

/// What a command asks of its decoder.
pub struct Need {
    /// Positions of the KV cache.
    pub context: usize,
    /// Tokens that go through the layers together, at most.
    pub batch: usize,
    /// What the user can do if that takes too much memory.
    pub advice: &'static str,
}

/// The sizes that `args` and `batch` ask for.
pub fn options(args: &ModelArgs, batch: usize) -> DecoderOptions {
    DecoderOptions { batch, mlp_tile: if args.tiled_mlp { TILE } else { usize::MAX } }
}

/// Loads the model of `view` and hands a decoder to `work`.
pub fn with_decoder<T>(
    view: &ModelView<'_>,
    path: &Path,
    args: &ModelArgs,
    need: &Need,
    work: impl FnOnce(&mut Decoder<'_, '_, '_>, &Config) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    with_decoder_on(args.backend()?, view, path, args, need, work)
}

/// As [`with_decoder`], on the given kernels and threads.
pub fn with_decoder_on<T>(
    backend: Backend<'_>,
    view: &ModelView<'_>,
    path: &Path,
    args: &ModelArgs,
    need: &Need,
    work: impl FnOnce(&mut Decoder<'_, '_, '_>, &Config) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let cannot_run = || format!("cannot run {}", path.display());
    let checkpoint = view.checkpoint();
    let config = checkpoint.config().with_context(cannot_run)?;
    let mut layers = vec![Layer::EMPTY; config.num_layers];
    let mut model = Model::load(checkpoint, &mut layers).with_context(cannot_run)?;
    let (mut packed_layers, mut packed);
    if args.pack {
        let bytes = model.packed_bytes(&backend.kernels);
        packed = allocate(bytes, "packed weights take", "go without --pack")?;
        packed_layers = vec![Layer::EMPTY; config.num_layers];
        model = model.pack(&backend.kernels, &mut packed_layers, &mut packed)?;
        report_packing(bytes);
    }
    let &Need { context, batch, advice } = need;
    let (options, kv_type) = (options(args, batch), args.kv_type.into());
    announce(&config, &options, context, kv_type, advice)?;
    let what = format!("a context of {context} tokens takes");
    let mut kv = allocate(KvCache::bytes_needed(&config, context, kv_type), &what, advice)?;
    let mut scratch = allocate(Decoder::scratch_len(&config, &options), &what, advice)?;
    let cache = KvCache::new(&config, context, kv_type, &mut kv)?;
    let mut decoder = Decoder::new(&model, backend, options, cache, &mut scratch)?;
    work(&mut decoder, &config)
}

/// Says what `--pack` took.
fn report_packing(bytes: usize) {
    if bytes == 0 {
        tell!(
            "nothing to pack: that takes quantized matrices with rows a multiple of 32 and columns \
             a multiple of 256, and SIMD kernels"
        );
    } else {
        tell!("packed weights: {} in memory, beside the file", HumanBytes(bytes as u64));
    }
}
