//! The core allocates nothing: reading a GGUF, running an MLP and decoding are counted.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use xielu::checkpoint::Checkpoint;
use xielu::checkpoint::gguf::Gguf;
#[cfg(feature = "std")]
use xielu::checkpoint::gguf::{GgufWriter, SplitGguf, Value};
use xielu::llama::{
    Decoder, DecoderOptions, Generation, KvCache, KvType, Layer, Model, Sampler, SamplerOptions,
};
use xielu::tokenizer::bpe::{Bpe, Special, Utf8Stream, work_len};
use xielu::{Backend, Mlp};

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: every call is passed on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller keeps `GlobalAlloc`'s contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps `GlobalAlloc`'s contract.
        unsafe { System.dealloc(ptr, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Allocations of this thread while `f` runs.
fn allocations<R>(f: impl FnOnce() -> R) -> (usize, R) {
    let before = ALLOCATIONS.get();
    let result = f();
    (ALLOCATIONS.get() - before, result)
}

#[test]
fn the_counter_counts() {
    assert_eq!(allocations(|| Vec::<u8>::with_capacity(10)).0, 1);
}

#[test]
fn parsing_mlp_and_decoding_allocate_nothing() {
    for (path, kv_type) in [
        ("tests/data/tiny-Q8_0.gguf", KvType::Q8_0),
        ("tests/data/tiny-Q4_0.gguf", KvType::F16),
        ("tests/data/tiny-bf16.gguf", KvType::F16),
    ] {
        let bytes = std::fs::read(path).unwrap();
        let mut layers = vec![Layer::EMPTY; 4];
        let mut cache = vec![0; 1 << 20];
        let mut scratch = vec![0.0; 1 << 20];
        let mut mlp_scratch = vec![0.0; 1 << 16];
        let mut logits = vec![0.0; 1024];
        let (count, id) = allocations(|| {
            let gguf = Gguf::parse(&bytes).unwrap();
            let config = gguf.config().unwrap();
            let backend = Backend::default();

            let mlp = Mlp::load(&gguf, &config, 1).unwrap();
            let mut out = [0.0; 256];
            mlp.forward(&backend, &[0.5; 256], &mut out, &mut mlp_scratch).unwrap();
            mlp.forward_tiled(&backend, 32, &[0.5; 256], &mut out, &mut mlp_scratch).unwrap();

            let model = Model::load(&gguf, &mut layers).unwrap();
            let cache = KvCache::new(&config, 100, kv_type, &mut cache).unwrap();
            let options = DecoderOptions { batch: 8, mlp_tile: 96 };
            let mut decoder = Decoder::new(&model, backend, options, cache, &mut scratch).unwrap();
            let warm = SamplerOptions { temperature: 0.8, top_k: 40, top_p: 0.9, seed: 1 };
            let mut generation = Generation::new(Sampler::new(warm), 6);
            decoder.prompt(&[5; 70]).unwrap();
            decoder.logits(&mut logits).unwrap();
            let mut last = u32::MAX;
            while let Some(id) =
                generation.next_token(&mut decoder, &mut logits, |_| false).unwrap()
            {
                last = id;
            }
            last
        });
        assert!(id < 1024);
        assert_eq!(count, 0, "{path}");
    }
}

#[cfg(feature = "std")]
#[test]
fn parts_of_a_split_model_allocate_nothing() {
    let bytes = std::fs::read("tests/data/tiny-Q8_0.gguf").unwrap();
    let whole = Gguf::parse(&bytes).unwrap();
    let part = |number: u16, tensors: std::ops::Range<usize>| {
        let mut writer = GgufWriter::new();
        if number == 0 {
            whole.metadata().for_each(|(key, value)| writer.pair(key, value).unwrap());
        }
        writer.pair("split.no", Value::U16(number)).unwrap();
        writer.pair("split.count", Value::U16(2)).unwrap();
        let tensors = || whole.tensors().skip(tensors.start).take(tensors.len());
        tensors().for_each(|t| writer.tensor(t.name, t.dims(), t.ggml_type).unwrap());
        let mut data = writer.begin(Vec::new()).unwrap();
        tensors().for_each(|t| data.write(whole.tensor_data(&t).unwrap()).unwrap());
        data.finish().unwrap()
    };
    let [first, second] = [part(0, 0..20), part(1, 20..44)];
    let mut layers = vec![Layer::EMPTY; 4];
    let (count, config) = allocations(|| {
        let parts = [Gguf::parse(&first).unwrap(), Gguf::parse(&second).unwrap()];
        *Model::load(&SplitGguf::new(&parts).unwrap(), &mut layers).unwrap().config()
    });
    assert_eq!((count, Ok(config)), (0, whole.config()));
}

#[test]
fn tokenizing_allocates_nothing() {
    let bytes = std::fs::read("tests/data/tiny-Q8_0.gguf").unwrap();
    let text = "naïve → 日本語 🙂 and </s>";
    let mut memory = vec![0; 1 << 14];
    let mut work = vec![0; work_len(text.len())];
    let mut ids = vec![0; 100];
    let (count, (n, characters)) = allocations(|| {
        let gguf = Gguf::parse(&bytes).unwrap();
        let bpe = Bpe::new(&gguf, &mut memory).unwrap();
        let n = bpe.encode(text, Special::Parse, &mut work, &mut ids).unwrap();
        let (mut stream, mut characters) = (Utf8Stream::default(), 0);
        for &id in &ids[..n] {
            let bytes = bpe.token(id).unwrap();
            bytes.for_each(|byte| stream.push(byte, &mut |s| characters += s.chars().count()));
        }
        (n, characters)
    });
    assert!(n > 10);
    assert_eq!((count, characters), (0, text.chars().count()));
}

#[cfg(feature = "alloc")]
#[test]
fn a_sampler_chain_allocates_nothing_for_a_token() {
    use xielu::llama::{ChainOptions, Penalties, SamplerChain};

    let warm = SamplerOptions { temperature: 0.8, top_k: 40, top_p: 0.9, seed: 1 };
    let options = ChainOptions {
        min_p: 0.01,
        typical_p: 0.95,
        penalties: Penalties { repetition: 1.1, presence: 0.1, frequency: 0.1 },
        last_n: Some(16),
        bias: vec![(3, f32::NEG_INFINITY), (5, 1.0)],
        ..warm.into()
    };
    let mut chain = SamplerChain::new(options, 512).unwrap();
    let mut logits = vec![0.0; 512];
    let (count, _) = allocations(|| {
        for step in 0..100 {
            let wave = |i: usize| ((i * 7919 + step * 31) as f32).sin() * 5.0;
            logits.iter_mut().enumerate().for_each(|(i, l)| *l = wave(i));
            chain.sample(&mut logits).unwrap();
        }
    });
    assert_eq!(count, 0);
}
