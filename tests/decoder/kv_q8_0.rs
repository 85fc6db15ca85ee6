//! The KV cache in Q8_0: how close it stays to the f64 decoder, what changes nothing, and what it
//! refuses.

use xielu::activation::ActivationKind;
use xielu::checkpoint::gguf::Gguf;
use xielu::config::RopeStyle;
use xielu::kernels::{DType, Kernels};
use xielu::llama::{Decoder, DecoderMemory, DecoderOptions, KvCache, KvType, Layer, Model, argmax};
use xielu::{Backend, Config, Error, Serial};
use xielu_testing::decoding::{self, Setting};
use xielu_testing::kernels::every_kernel;
use xielu_testing::relative_error;
use xielu_testing::toy::{TOKENS, Toy, config, logits, reference_logits};

const CONTEXT: usize = 32;

fn toy(head_dim: usize, dtype: DType) -> Toy {
    let shape = config(ActivationKind::Xielu, RopeStyle::Neox, true, false);
    Toy::new(Config { head_dim, ..shape }, dtype)
}

/// Runs `f` with a decoder on a cache of exactly the bytes it needs, at an odd address.
fn with_decoder<R>(
    toy: &Toy,
    backend: Backend<'_>,
    batch: usize,
    f: impl FnOnce(&mut Decoder) -> R,
) -> R {
    let options = DecoderOptions { batch, ..Default::default() };
    let mut layers = vec![Layer::EMPTY; toy.config.num_layers];
    let model = Model::load(&toy, &mut layers).unwrap();
    let bytes = KvCache::bytes_needed(&toy.config, CONTEXT, KvType::Q8_0);
    let mut memory = vec![0xff; bytes + 2];
    let odd = memory.as_ptr().align_offset(2) + 1;
    let cache = &mut memory[odd..odd + bytes];
    let cache = KvCache::new(&toy.config, CONTEXT, KvType::Q8_0, cache).unwrap();
    let mut scratch = vec![0.0; Decoder::scratch_len(&toy.config, &options)];
    f(&mut Decoder::new(&model, backend, options, cache, &mut scratch).unwrap())
}

/// Heads of one block, of several, and wider than a block of inputs.
#[test]
fn logits_stay_close_to_the_f64_decoder_on_every_isa() {
    for head_dim in [32, 96, 288] {
        let toy = toy(head_dim, DType::F32);
        let truth: Vec<f64> = reference_logits(&toy, &TOKENS).into_iter().flatten().collect();
        for kernels in every_kernel() {
            for batch in [1, 7, 12] {
                let backend = Backend::new(kernels, &Serial);
                let ours = with_decoder(&toy, backend, batch, |d| logits(d, batch));
                let error = relative_error(&ours, &truth);
                println!(
                    "{} head {head_dim} batch {batch}: relative error {error:.1e}",
                    kernels.isa()
                );
                assert!(error < 0.02 && error > 1e-5, "{error:e}");
            }
        }
    }
}

#[cfg(feature = "rayon")]
#[test]
fn threads_change_no_bit() {
    // Enough heads for attention to be divided.
    let mut shape = config(ActivationKind::Xielu, RopeStyle::Neox, true, false);
    (shape.head_dim, shape.num_heads, shape.num_kv_heads) = (128, 64, 16);
    let toy = Toy::new(shape, DType::Q8_0);
    let serial = with_decoder(&toy, Backend::default(), 12, |d| logits(d, 12));
    for threads in [2, 3, 7] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let backend = Backend::new(Kernels::detect(), &xielu::Rayon);
        let ours = with_decoder(&toy, backend, 12, |d| pool.install(|| logits(d, 12)));
        assert_eq!(ours, serial, "{threads} threads");
    }
}

#[test]
fn rewinding_forgets_and_a_full_cache_is_an_error() {
    let toy = toy(32, DType::F32);
    with_decoder(&toy, Backend::default(), 4, |d| {
        let first = logits(d, 4);
        d.rewind(8);
        let mut last = vec![0.0; 4 * 40];
        d.batch(&[1, 2, 3, 4]).unwrap();
        d.logits(&mut last).unwrap();
        assert_ne!(last, first[8 * 40..]);
        d.rewind(8);
        d.batch(&TOKENS[8..]).unwrap();
        d.logits(&mut last).unwrap();
        assert_eq!(last, first[8 * 40..]);
        assert_eq!(d.prompt(&[1; 21]), Err(Error::ContextFull { needed: 33, context: 32 }));
        d.prompt(&[1; 20]).unwrap();
        assert_eq!(d.batch(&[1]), Err(Error::ContextFull { needed: 33, context: 32 }));
        d.rewind(0);
        assert_eq!(logits(d, 4), first);
    });
}

#[test]
fn heads_of_partial_blocks_and_short_memory_are_refused() {
    for head_dim in [2, 16, 48, 100] {
        let shape = Config { head_dim, ..toy(32, DType::F32).config };
        shape.validate().unwrap();
        let refused = KvType::Q8_0.check(&shape).unwrap_err();
        assert!(refused.to_string().contains("head_dim is not a multiple of 32"), "{refused}");
        let needed = KvCache::bytes_needed(&shape, CONTEXT, KvType::Q8_0);
        let mut memory = vec![0; needed];
        let error = KvCache::new(&shape, CONTEXT, KvType::Q8_0, &mut memory).unwrap_err();
        assert_eq!(error, refused);
        for kv_type in [KvType::F32, KvType::F16, KvType::BF16] {
            kv_type.check(&shape).unwrap();
        }
    }
    let shape = toy(96, DType::F32).config;
    // Layers, keys and values, heads, positions; three blocks of 34 bytes.
    let needed = 2 * 2 * 2 * CONTEXT * 3 * 34;
    assert_eq!(KvCache::bytes_needed(&shape, CONTEXT, KvType::Q8_0), needed);
    let options = DecoderOptions::SMALLEST;
    assert_eq!(DecoderMemory::new(&shape, &options, CONTEXT, KvType::Q8_0).kv_cache, needed);
    assert_eq!(
        KvCache::new(&shape, CONTEXT, KvType::Q8_0, &mut vec![0; needed - 1]).unwrap_err(),
        Error::Memory { what: "KV cache", needed, found: needed - 1 }
    );
    assert_eq!(KvCache::bytes_needed(&shape, usize::MAX, KvType::Q8_0), usize::MAX);
}

/// Greedy ids of the test model. Its weights are floats: no rounding of their inputs to 8 bits can
/// flip with the order of a sum.
fn ids(kernels: Kernels, kv_type: KvType) -> Vec<u32> {
    let bytes = std::fs::read("tests/data/tiny-bf16.gguf").unwrap();
    let gguf = Gguf::parse(&bytes).unwrap();
    let setting =
        Setting { backend: Backend::new(kernels, &Serial), kv_type, ..Setting::exact(64) };
    decoding::with_decoder(&gguf, setting, |d| {
        let mut logits = vec![0.0; 1024];
        d.prompt(&[443, 372, 56, 539, 30, 54, 32, 66, 459, 313]).unwrap();
        d.logits(&mut logits).unwrap();
        let mut ids = vec![argmax(&logits).unwrap()];
        while d.position() < d.context() {
            d.step(ids[ids.len() - 1], &mut logits).unwrap();
            ids.push(argmax(&logits).unwrap());
        }
        ids
    })
}

#[test]
fn the_test_model_says_the_same_on_every_isa() {
    let truth = ids(Kernels::scalar(), KvType::Q8_0);
    assert_eq!(truth.len(), 55);
    assert_eq!(truth, ids(Kernels::scalar(), KvType::F32));
    for kernels in every_kernel() {
        assert_eq!(ids(kernels, KvType::Q8_0), truth, "{}", kernels.isa());
    }
}
