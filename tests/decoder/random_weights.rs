//! The decoder on models with random weights, against an f64 decoder written from the formulas;
//! and what it does with bad input.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicUsize};

use xielu::activation::ActivationKind;
use xielu::config::RopeStyle;
use xielu::kernels::{DType, LengthError};
use xielu::llama::{Decoder, DecoderOptions, KvCache, KvType, Layer, Model};
use xielu::{Backend, Config, Error, Executor, Serial};
use xielu_testing::decoding::{self, Setting};
use xielu_testing::kernels::every_kernel;
use xielu_testing::relative_error;
use xielu_testing::toy::{TOKENS, Toy, config, logits, reference_logits};

/// Runs `f` with a decoder of 32 positions.
fn with_decoder<R>(
    toy: &Toy,
    backend: Backend<'_>,
    kv_type: KvType,
    options: DecoderOptions,
    f: impl FnOnce(&mut Decoder) -> R,
) -> R {
    decoding::with_decoder(&toy, Setting { backend, context: 32, kv_type, options }, f)
}

#[test]
fn every_kind_of_model_matches_the_f64_decoder() {
    let acts = [
        ActivationKind::Xielu,
        ActivationKind::Xiprelu,
        ActivationKind::Relu2,
        ActivationKind::Swiglu,
    ];
    for act in acts {
        for (style, qk_norm, tied) in [
            (RopeStyle::Neox, true, false),
            (RopeStyle::Interleaved, false, true),
            (RopeStyle::Neox, false, false),
        ] {
            // Quantized weights are exact here too; their inputs are rounded to 8 bits.
            for (dtype, tolerance) in
                [(DType::F32, 2e-6), (DType::BF16, 2e-6), (DType::F16, 2e-6), (DType::Q8_0, 0.03)]
            {
                let toy = Toy::new(config(act, style, qk_norm, tied), dtype);
                let truth: Vec<f64> =
                    reference_logits(&toy, &TOKENS).into_iter().flatten().collect();
                for (batch, mlp_tile) in [(1, 32), (5, usize::MAX), (12, 64)] {
                    let options = DecoderOptions { batch, mlp_tile };
                    let ours = with_decoder(&toy, Backend::default(), KvType::F32, options, |d| {
                        logits(d, batch)
                    });
                    let error = relative_error(&ours, &truth);
                    assert!(error < tolerance, "{act:?} {style:?} {dtype} {batch}: {error:e}");
                }
            }
        }
    }
}

/// Every type in one file, each in a matrix or more.
#[test]
fn a_mixture_of_all_types_matches_the_f64_decoder() {
    let mut shape = config(ActivationKind::Swiglu, RopeStyle::Neox, true, false);
    (shape.hidden_size, shape.intermediate_size, shape.num_layers) = (256, 512, 4);
    (shape.num_heads, shape.num_kv_heads, shape.head_dim) = (8, 8, 32);
    let mut types = DType::ALL.into_iter().cycle();
    let mut used = Vec::new();
    let toy = Toy::with_types(shape, |_| {
        used.extend(types.next());
        *used.last().unwrap()
    });
    assert!(DType::ALL.iter().all(|dtype| used.contains(dtype)));
    let truth: Vec<f64> = reference_logits(&toy, &TOKENS).into_iter().flatten().collect();
    for kernels in every_kernel() {
        let backend = Backend::new(kernels, &Serial);
        for batch in [1, 12] {
            let options = DecoderOptions { batch, mlp_tile: 256 };
            let ours = with_decoder(&toy, backend, KvType::F32, options, |d| logits(d, batch));
            let error = relative_error(&ours, &truth);
            assert!(error < 0.03, "{} {batch}: {error:e}", kernels.isa());
        }
    }
}

#[test]
fn sixteen_bit_caches_and_every_isa_stay_close() {
    let toy = Toy::new(config(ActivationKind::Xielu, RopeStyle::Neox, true, false), DType::F32);
    let truth: Vec<f64> = reference_logits(&toy, &TOKENS).into_iter().flatten().collect();
    for kernels in every_kernel() {
        for (kv_type, tolerance) in [(KvType::F32, 2e-6), (KvType::F16, 1e-3), (KvType::BF16, 8e-3)]
        {
            let backend = Backend::new(kernels, &Serial);
            let options = DecoderOptions::default();
            let ours = with_decoder(&toy, backend, kv_type, options, |d| logits(d, 7));
            let error = relative_error(&ours, &truth);
            assert!(error < tolerance, "{} {kv_type:?}: {error:e}", kernels.isa());
        }
    }
}

#[cfg(feature = "rayon")]
#[test]
fn threads_change_no_bit() {
    // Wide enough for every product to be divided.
    let mut shape = config(ActivationKind::Swiglu, RopeStyle::Neox, true, false);
    (shape.hidden_size, shape.intermediate_size) = (512, 1024);
    for dtype in [DType::F32, DType::Q4_0] {
        let toy = Toy::new(shape, dtype);
        let options = DecoderOptions { batch: 12, mlp_tile: usize::MAX };
        let serial =
            with_decoder(&toy, Backend::default(), KvType::F32, options, |d| logits(d, 12));
        for threads in [2, 3, 7] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let backend = Backend::new(xielu::kernels::Kernels::detect(), &xielu::Rayon);
            let ours = with_decoder(&toy, backend, KvType::F32, options, |d| {
                pool.install(|| logits(d, 12))
            });
            assert_eq!(ours, serial, "{dtype} {threads} threads");
        }
    }
}

/// Two threads' worth of parts, and how they were called.
#[derive(Default)]
struct Counting {
    entered: AtomicUsize,
    is_inside: AtomicBool,
    joined: AtomicUsize,
}

impl Executor for Counting {
    fn threads(&self) -> usize {
        2
    }

    fn join(&self, a: &mut (dyn FnMut() + Send), b: &mut (dyn FnMut() + Send)) {
        assert!(self.is_inside.load(Relaxed), "a product is divided outside");
        self.joined.fetch_add(1, Relaxed);
        a();
        b();
    }

    fn enter(&self, work: &mut (dyn FnMut() + Send)) {
        assert!(!self.is_inside.swap(true, Relaxed), "entered twice");
        self.entered.fetch_add(1, Relaxed);
        work();
        self.is_inside.store(false, Relaxed);
    }
}

#[test]
fn threads_are_entered_once_for_all_products() {
    let small = config(ActivationKind::Xielu, RopeStyle::Neox, true, false);
    let wide = Config { hidden_size: 512, intermediate_size: 1024, ..small };
    for (shape, enters) in [(small, false), (wide, true)] {
        let toy = Toy::new(shape, DType::Q8_0);
        let counting = Counting::default();
        let backend = Backend::new(xielu::kernels::Kernels::detect(), &counting);
        let options = DecoderOptions { batch: 12, mlp_tile: usize::MAX };
        with_decoder(&toy, backend, KvType::F32, options, |decoder| {
            decoder.prompt(&TOKENS[..2]).unwrap();
            assert_eq!(counting.entered.load(Relaxed), usize::from(enters));
            let prompt = counting.joined.load(Relaxed);
            assert_eq!(prompt > shape.num_layers, enters, "{prompt} divided products");
            decoder.step(TOKENS[2], &mut vec![0.0; shape.vocab_size]).unwrap();
            assert_eq!(counting.entered.load(Relaxed), 2 * usize::from(enters));
            assert_eq!(counting.joined.load(Relaxed) > prompt, enters);
        });
    }
}

#[test]
fn rewinding_forgets() {
    let toy = Toy::new(config(ActivationKind::Relu2, RopeStyle::Neox, false, false), DType::F32);
    with_decoder(&toy, Backend::default(), KvType::F16, DecoderOptions::default(), |d| {
        let first = logits(d, 4);
        assert_eq!(d.position(), 12);
        d.rewind(99);
        assert_eq!(d.position(), 12);
        d.rewind(0);
        assert_eq!(logits(d, 4), first);
        d.rewind(8);
        let mut last = vec![0.0; 4 * 40];
        d.batch(&TOKENS[8..]).unwrap();
        d.logits(&mut last).unwrap();
        assert_eq!(last, first[8 * 40..]);
        let mut one = vec![0.0; 40];
        d.rewind(11);
        d.step(TOKENS[11], &mut one).unwrap();
        assert!(one.iter().zip(&first[11 * 40..]).all(|(a, b)| (a - b).abs() < 1e-4));
    });
}

/// As Apertus 1.5: tokens that are read but never written have no row in the output head.
#[test]
fn an_output_head_of_fewer_rows_than_the_embedding() {
    let whole = config(ActivationKind::Xielu, RopeStyle::Neox, true, false);
    let pruned = xielu::Config { output_vocab_size: 24, ..whole };
    let run = |config| {
        // The output head is made last, so that both have the same first rows.
        let toy = Toy::new(config, DType::Q8_0);
        with_decoder(&toy, Backend::default(), KvType::F32, DecoderOptions::default(), |d| {
            let mut out = vec![0.0; config.output_vocab_size];
            // Ids beyond the head, within the embedding.
            d.prompt(&[39, 24]).unwrap();
            d.step(25, &mut out).unwrap();
            assert!(matches!(d.step(40, &mut out), Err(Error::Token { id: 40, vocab_size: 40 })));
            out
        })
    };
    assert_eq!(run(pruned), run(whole)[..24]);
    let refused =
        |config: xielu::Config| assert!(matches!(config.validate(), Err(Error::Config(_))));
    refused(xielu::Config { output_vocab_size: 0, ..whole });
    refused(xielu::Config { output_vocab_size: 41, ..whole });
    refused(xielu::Config { tie_word_embeddings: true, ..pruned });
}

#[test]
fn bad_requests_are_errors_and_the_decoder_goes_on() {
    let toy = Toy::new(config(ActivationKind::Xielu, RopeStyle::Neox, true, false), DType::Q8_0);
    let options = DecoderOptions { batch: 8, mlp_tile: 32 };
    with_decoder(&toy, Backend::default(), KvType::F16, options, |d| {
        let mut out = vec![0.0; 40];
        let nothing_yet = Error::Length(LengthError { expected: 40, found: 40 });
        assert_eq!(d.logits(&mut out), Err(nothing_yet));
        assert_eq!(d.prompt(&[1; 33]), Err(Error::ContextFull { needed: 33, context: 32 }));
        assert_eq!(d.position(), 0);
        assert_eq!(d.prompt(&[1, 40]), Err(Error::Token { id: 40, vocab_size: 40 }));
        assert_eq!(d.step(u32::MAX, &mut out), Err(Error::Token { id: u32::MAX, vocab_size: 40 }));
        assert!(matches!(d.batch(&[1; 9]), Err(Error::Length(_))));
        d.prompt(&[1; 31]).unwrap();
        assert!(matches!(d.logits(&mut out[..39]), Err(Error::Length(_))));
        assert!(matches!(d.logits(&mut []), Err(Error::Length(_))));
        assert!(matches!(d.logits(&mut vec![0.0; 8 * 40]), Err(Error::Length(_))));
        d.step(1, &mut out).unwrap();
        assert_eq!(d.step(1, &mut out), Err(Error::ContextFull { needed: 33, context: 32 }));
        assert!(out.iter().all(|l| l.is_finite()));
    });
}

#[test]
fn memory_that_does_not_fit_is_an_error() {
    let toy = Toy::new(config(ActivationKind::Xielu, RopeStyle::Neox, true, false), DType::F32);
    let mut layers = vec![Layer::EMPTY; 2];
    let (mut cache, mut scratch) = (vec![0; 1 << 16], vec![0.0; 1 << 16]);
    assert!(matches!(
        Model::load(&&toy, &mut layers[..1]).err(),
        Some(Error::Memory { needed: 2, found: 1, .. })
    ));
    let needed = KvCache::bytes_needed(&toy.config, 32, KvType::F32);
    assert_eq!(needed, 2 * 2 * 32 * 32 * 4);
    assert!(KvCache::new(&toy.config, 32, KvType::F32, &mut cache[..needed - 1]).is_err());
    assert_eq!(KvCache::bytes_needed(&toy.config, usize::MAX, KvType::F32), usize::MAX);

    let options = DecoderOptions { batch: 3, mlp_tile: 32 };
    let scratch_len = Decoder::scratch_len(&toy.config, &options);
    assert_eq!(
        Decoder::scratch_len(&toy.config, &DecoderOptions { batch: usize::MAX, ..options }),
        usize::MAX
    );
    let model = Model::load(&&toy, &mut layers).unwrap();
    let mut new = |config, batch, len| {
        let cache = KvCache::new(config, 8, KvType::F32, &mut cache).unwrap();
        let options = DecoderOptions { batch, ..options };
        let scratch = &mut scratch[..len];
        Decoder::new(&model, Backend::default(), options, cache, scratch).err()
    };
    assert_eq!(new(&toy.config, 3, scratch_len), None);
    assert!(matches!(new(&toy.config, 3, scratch_len - 1), Some(Error::Memory { .. })));
    assert!(matches!(new(&toy.config, 0, scratch_len), Some(Error::Config(_))));
    let other = xielu::Config { num_kv_heads: 3, ..toy.config };
    assert!(matches!(new(&other, 3, scratch_len), Some(Error::Config(_))));
}
