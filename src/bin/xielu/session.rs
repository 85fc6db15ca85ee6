//! A model ready to run: memory for the decoder, made once, from the configuration.

use std::path::Path;

use anyhow::{Context as _, bail};
use indicatif::HumanBytes;
use xielu::kernels::QK;
use xielu::llama::{Decoder, DecoderOptions, KvCache, Layer, Model};
use xielu::{Backend, Config};

use crate::args::ModelArgs;
use crate::model::ModelView;

/// Hidden values of the MLP held at a time with `--tiled-mlp`: 8 blocks.
const TILE: usize = 8 * QK;

/// Loads the model of `view` and hands a decoder with room for `context` positions to `work`.
pub fn with_decoder<T>(
    view: &ModelView<'_>,
    path: &Path,
    args: &ModelArgs,
    context: usize,
    batch: usize,
    work: impl FnOnce(&mut Decoder<'_, '_, '_>, &Config) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    with_decoder_on(args.backend()?, view, path, args, context, batch, work)
}

/// As [`with_decoder`], on the given kernels and threads.
pub fn with_decoder_on<T>(
    backend: Backend<'_>,
    view: &ModelView<'_>,
    path: &Path,
    args: &ModelArgs,
    context: usize,
    batch: usize,
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
        packed = allocate(bytes, 0u8, "packed weights take", "go without --pack")?;
        packed_layers = vec![Layer::EMPTY; config.num_layers];
        model = model.pack(&backend.kernels, &mut packed_layers, &mut packed)?;
        report_packing(bytes);
    }
    let mlp_tile = if args.tiled_mlp { TILE } else { usize::MAX };
    let options = DecoderOptions { batch, mlp_tile };
    let kv_type = args.kv_type.into();
    let what = format!("a context of {context} tokens takes");
    let advice = "lower --context";
    let mut kv = allocate(KvCache::bytes_needed(&config, context, kv_type), 0u8, &what, advice)?;
    let mut scratch = allocate(Decoder::scratch_len(&config, &options), 0f32, &what, advice)?;
    let cache = KvCache::new(&config, context, kv_type, &mut kv)?;
    let mut decoder = Decoder::new(&model, backend, options, cache, &mut scratch)?;
    work(&mut decoder, &config)
}

/// Says what `--pack` took.
fn report_packing(bytes: usize) {
    if bytes == 0 {
        eprintln!(
            "nothing to pack: that takes quantized matrices with rows a multiple of 32 and columns \
             a multiple of 256, and SIMD kernels"
        );
    } else {
        eprintln!("packed weights: {} in memory, beside the file", HumanBytes(bytes as u64));
    }
}

/// `len` elements, or an error in words instead of an abort.
fn allocate<T: Clone>(len: usize, zero: T, what: &str, advice: &str) -> anyhow::Result<Vec<T>> {
    let mut memory = Vec::new();
    if memory.try_reserve_exact(len).is_err() {
        let bytes = len.saturating_mul(size_of::<T>());
        bail!("{what} {bytes} bytes of memory; {advice}");
    }
    memory.resize(len, zero);
    Ok(memory)
}
