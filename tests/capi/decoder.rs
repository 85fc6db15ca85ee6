//! The C functions on models and decoders, and a good sampler: Rust's logits and tokens.

use std::ptr::null_mut;

use xielu::capi::*;
use xielu::checkpoint::Checkpoint as _;
use xielu::checkpoint::gguf::Gguf;
use xielu::llama::{
    Decoder, DecoderOptions, Generation, KvCache, KvType, Layer, Sampler, SamplerOptions,
};
use xielu_testing::decoding::{Setting, with_decoder};

use crate::held::{Held, OPTIONS, PROMPT, VOCAB, memory};
use crate::support::{model_bytes, off, zeroed};

#[test]
fn memory_is_what_rust_says() {
    let bytes = model_bytes();
    let config = Gguf::parse(&bytes).unwrap().config().unwrap();
    for (kv_type, rust_type) in [
        (XIELU_KV_F16, KvType::F16),
        (XIELU_KV_BF16, KvType::BF16),
        (XIELU_KV_F32, KvType::F32),
        (XIELU_KV_Q8_0, KvType::Q8_0),
    ] {
        let options = xielu_decoder_options { kv_type, ..OPTIONS };
        let rust = DecoderOptions { batch: 4, mlp_tile: 32 };
        let expected = xielu_memory {
            layers_size: 4 * size_of::<Layer<'_>>(),
            kv_cache_size: KvCache::bytes_needed(&config, 64, rust_type),
            scratch_size: 4 * Decoder::scratch_len(&config, &rust),
            logits_size: 4 * VOCAB,
        };
        assert_eq!(memory(&config.into(), &options), expected);
    }
    // Zeros: the model's context, one token at a time, the MLP whole.
    let rust = DecoderOptions { batch: 1, mlp_tile: usize::MAX };
    let m = memory(&config.into(), &zeroed());
    assert_eq!(m.kv_cache_size, KvCache::bytes_needed(&config, 256, KvType::F16));
    assert_eq!(m.scratch_size, 4 * Decoder::scratch_len(&config, &rust));
    let huge = xielu_decoder_options { context: usize::MAX, batch: usize::MAX, ..OPTIONS };
    let m = memory(&config.into(), &huge);
    assert_eq!([m.kv_cache_size, m.scratch_size], [usize::MAX; 2]);
}

/// The logits of Rust's decoder after [`PROMPT`], for its last two tokens, and the tokens it
/// generates from there.
fn rust_run(kv_type: KvType, sampler: SamplerOptions) -> (Vec<f32>, Vec<u32>) {
    let bytes = model_bytes();
    let gguf = Gguf::parse(&bytes).unwrap();
    let options = DecoderOptions { batch: 4, mlp_tile: 32 };
    let setting = Setting { kv_type, options, ..Setting::exact(64) };
    with_decoder(&gguf, setting, |decoder| {
        decoder.prompt(&PROMPT).unwrap();
        let mut two = vec![0.0; 2 * VOCAB];
        decoder.logits(&mut two).unwrap();
        let mut logits = two[VOCAB..].to_vec();
        let mut generation = Generation::new(Sampler::new(sampler), 20);
        let next = || generation.next_token(decoder, &mut logits, |_| false).unwrap();
        let ids = std::iter::from_fn(next).collect();
        (two, ids)
    })
}

#[test]
fn decoding_gives_rusts_logits_and_tokens() {
    let warm = xielu_sampler_options { seed: 7, top_k: 40, temperature: 1.1, top_p: 0.9 };
    let cases = [
        (XIELU_KV_F16, KvType::F16, zeroed(), SamplerOptions::default()),
        (XIELU_KV_Q8_0, KvType::Q8_0, zeroed(), SamplerOptions::default()),
        (
            XIELU_KV_F32,
            KvType::F32,
            warm,
            SamplerOptions { temperature: 1.1, top_k: 40, top_p: 0.9, seed: 7 },
        ),
        (
            XIELU_KV_BF16,
            KvType::BF16,
            xielu_sampler_options { top_p: 0.0, top_k: 0, ..warm },
            SamplerOptions { temperature: 1.1, top_k: 0, top_p: 1.0, seed: 7 },
        ),
    ];
    for (kv_type, rust_type, sampling, rust_sampling) in cases {
        let (expected, expected_ids) = rust_run(rust_type, rust_sampling);
        for parallel in [0, u32::from(cfg!(feature = "rayon"))] {
            let mut h = Held::new(&xielu_decoder_options { kv_type, parallel, ..OPTIONS });
            let (mut sampler, mut id) = (zeroed(), 0);
            let mut logits = vec![f32::NAN; 2 * VOCAB];
            // SAFETY: all are live.
            unsafe {
                let d: *mut xielu_decoder = &mut *h.decoder;
                assert_eq!(xielu_decoder_prompt(d, PROMPT.as_ptr(), 10), Status::Ok);
                assert_eq!(xielu_decoder_logits(d, logits.as_mut_ptr(), 2 * VOCAB), Status::Ok);
                assert_eq!(logits, expected);
                assert_eq!(xielu_sampler_init(&sampling, &mut sampler), Status::Ok);
                let p = logits[VOCAB..].as_mut_ptr();
                for expected in &expected_ids {
                    assert_eq!(xielu_sampler_sample(&mut sampler, p, VOCAB, &mut id), Status::Ok);
                    assert_eq!(id, *expected);
                    assert_eq!(xielu_decoder_step(d, id, p, VOCAB), Status::Ok);
                }
            }
            assert_eq!(h.position(), 30);
        }
    }
}

#[test]
fn rewinding_repeats() {
    let mut h = Held::new(&OPTIONS);
    let (mut first, mut again) = (vec![0.0; VOCAB], vec![0.0; VOCAB]);
    let d: *mut xielu_decoder = &mut *h.decoder;
    // SAFETY: all are live.
    unsafe {
        assert_eq!(xielu_decoder_prompt(d, PROMPT.as_ptr(), 10), Status::Ok);
        assert_eq!(xielu_decoder_step(d, 5, first.as_mut_ptr(), VOCAB), Status::Ok);
        assert_eq!(xielu_decoder_step(d, 6, again.as_mut_ptr(), VOCAB), Status::Ok);
        assert_ne!(first, again);
        assert_eq!(xielu_decoder_rewind(d, 10), Status::Ok);
        assert_eq!(h.position(), 10);
        let d: *mut xielu_decoder = &mut *h.decoder;
        assert_eq!(xielu_decoder_step(d, 5, again.as_mut_ptr(), VOCAB), Status::Ok);
        assert_eq!(first, again);
        assert_eq!(xielu_decoder_rewind(d, 99), Status::Ok);
        assert_eq!(h.position(), 11, "no further than now");
        assert_eq!(xielu_decoder_rewind(null_mut(), 0), Status::Null);
        assert_eq!(xielu_decoder_rewind(off(&*h.decoder), 0), Status::Misaligned);
        assert_eq!(xielu_decoder_rewind(&mut zeroed(), 0), Status::Uninitialized);
    }
}
