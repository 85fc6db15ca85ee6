//! Two cores, played by threads: the results are those of one.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::thread;

use xielu::activation::ActivationKind;
use xielu::checkpoint::gguf::Gguf;
use xielu::config::RopeStyle;
use xielu::kernels::{DType, Kernels};
use xielu::llama::{DecoderOptions, Generation, KvType, Sampler, SamplerOptions};
use xielu::{Backend, Executor, TwoCores};
use xielu_testing::decoding::{Setting, with_decoder};
use xielu_testing::toy::{Toy, config, logits};

/// Two cores, and how often the second was given work.
#[derive(Default)]
struct Counted {
    cores: TwoCores,
    joined: AtomicUsize,
    by_second: AtomicUsize,
}

impl Executor for Counted {
    fn threads(&self) -> usize {
        self.cores.threads()
    }

    fn join(&self, a: &mut (dyn FnMut() + Send), b: &mut (dyn FnMut() + Send)) {
        let first = thread::current().id();
        self.joined.fetch_add(1, Relaxed);
        self.cores.join(a, &mut || {
            self.by_second.fetch_add(usize::from(thread::current().id() != first), Relaxed);
            b();
        });
    }

    fn min_operations(&self) -> usize {
        self.cores.min_operations()
    }
}

/// Runs `f` while a thread is the second core; how many pieces of work it was given, and did.
fn on_two_cores<R>(f: impl FnOnce(Backend<'_>) -> R) -> (R, usize, usize) {
    let (counted, stop) = (Counted::default(), AtomicBool::new(false));
    let result = thread::scope(|scope| {
        scope.spawn(|| {
            counted.cores.serve(|| {
                thread::yield_now();
                !stop.load(Relaxed)
            });
        });
        while !counted.cores.is_serving() {
            thread::yield_now();
        }
        let result = f(Backend::new(Kernels::detect(), &counted));
        stop.store(true, Relaxed);
        result
    });
    (result, counted.joined.into_inner(), counted.by_second.into_inner())
}

#[test]
fn the_bundled_model_generates_what_it_does_on_one_core() {
    let bytes = std::fs::read("models/tiny-Q8_0.gguf").unwrap();
    let gguf = Gguf::parse(&bytes).unwrap();
    let prompt = [443, 372, 56, 539, 30, 54, 32, 66, 459, 313];
    let generate = |backend: Backend<'_>| {
        // Tiles of two input blocks: one for each core.
        let options = DecoderOptions { batch: 1, mlp_tile: 512 };
        let setting = Setting { backend, context: 64, kv_type: KvType::F16, options };
        with_decoder(&gguf, setting, |decoder| {
            let mut logits = vec![0.0; decoder.model().config().output_vocab_size];
            decoder.prompt(&prompt).unwrap();
            decoder.logits(&mut logits).unwrap();
            let sampling = SamplerOptions { temperature: 0.0, ..SamplerOptions::default() };
            let mut generation = Generation::new(Sampler::new(sampling), 40);
            let mut ids = Vec::new();
            while let Some(id) = generation.next_token(decoder, &mut logits, |_| false).unwrap() {
                ids.push(id);
            }
            (ids, logits)
        })
    };
    let one = generate(Backend::default());
    let (two, joined, by_second) = on_two_cores(generate);
    assert_eq!(two, one);
    // Queries, keys, values, output, up and down of four layers, and the output head, of 49 tokens
    // (the last is not decoded).
    assert!(joined >= 49 * 4 * 6 + 40, "{joined}");
    assert_eq!(by_second, joined);
}

#[test]
fn every_type_and_batch_gives_the_same_bits() {
    for dtype in [DType::F32, DType::Q8_0, DType::Q4_0] {
        for act in [ActivationKind::Xielu, ActivationKind::Swiglu] {
            let mut shape = config(act, RopeStyle::Neox, true, false);
            (shape.hidden_size, shape.intermediate_size) = (128, 512);
            let toy = Toy::new(shape, dtype);
            for batch in [1, 5] {
                let run = |backend: Backend<'_>| {
                    let options = DecoderOptions { batch, mlp_tile: usize::MAX };
                    let setting = Setting { backend, context: 32, kv_type: KvType::F32, options };
                    with_decoder(&&toy, setting, |decoder| logits(decoder, batch))
                };
                let (two, joined, _) = on_two_cores(run);
                assert_eq!(two, run(Backend::default()), "{dtype} {act:?} {batch}");
                assert!(joined > 0);
            }
        }
    }
}
