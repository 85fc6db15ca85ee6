//! A conversion's memory does not grow with the model.
#![cfg(feature = "std")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::fs;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use xielu::checkpoint::gguf::{GgmlType, Gguf, GgufWriter, Value};
use xielu::checkpoint::{LayerRole, Role};
use xielu::config::{Config, HiddenAct, Rope, RopeScaling, RopeStyle};
use xielu::kernels::DType;
use xielu::quant::convert::{Types, convert_gguf};

/// Counts the bytes in use and their peak.
struct Counting;

static USED: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call is the system allocator's own; only numbers are kept beside it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let used = USED.fetch_add(layout.size(), Relaxed) + layout.size();
        PEAK.fetch_max(used, Relaxed);
        // SAFETY: the caller keeps `GlobalAlloc::alloc`'s contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        USED.fetch_sub(layout.size(), Relaxed);
        // SAFETY: the caller keeps `GlobalAlloc::dealloc`'s contract.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// A one-layer Llama of bf16 values whose embedding has `vocab` rows.
fn model(vocab: usize) -> Vec<u8> {
    let config = Config {
        vocab_size: vocab,
        output_vocab_size: vocab,
        hidden_size: 256,
        intermediate_size: 512,
        num_layers: 1,
        num_heads: 4,
        num_kv_heads: 4,
        head_dim: 64,
        context_length: 64,
        rms_norm_eps: 1e-5,
        rope: Rope { theta: 1e4, style: RopeStyle::Interleaved, scaling: RopeScaling::None },
        hidden_act: HiddenAct::Swiglu,
        qk_norm: false,
        tie_word_embeddings: true,
    };
    let mut writer = GgufWriter::new();
    writer.pair("general.architecture", Value::Str("llama")).unwrap();
    for (key, value) in [
        ("block_count", config.num_layers),
        ("context_length", config.context_length),
        ("embedding_length", config.hidden_size),
        ("feed_forward_length", config.intermediate_size),
        ("attention.head_count", config.num_heads),
    ] {
        writer.pair(&format!("llama.{key}"), Value::U32(value as u32)).unwrap();
    }
    let epsilon = "llama.attention.layer_norm_rms_epsilon";
    writer.pair(epsilon, Value::F32(config.rms_norm_eps)).unwrap();
    let roles: Vec<Role> = Role::all(&config).collect();
    assert!(roles.contains(&Role::Layer(0, LayerRole::FfnGate)));
    for role in &roles {
        let (rows, cols) = role.shape(&config);
        let dims = [cols as u64, rows as u64];
        let dims = if role.is_vector() { &dims[..1] } else { &dims[..] };
        let bf16 = GgmlType::from_dtype(DType::BF16).unwrap();
        writer.tensor(&role.to_string(), dims, bf16).unwrap();
    }
    let mut data = writer.begin(Vec::new()).unwrap();
    for role in &roles {
        let (rows, cols) = role.shape(&config);
        let values = (0..rows * cols).flat_map(|i| (0x3c00 + (i % 999) as u16).to_le_bytes());
        data.write(&values.collect::<Vec<u8>>()).unwrap();
    }
    data.finish().unwrap()
}

/// Bytes allocated at the most, beyond those in use before, while converting.
fn peak_of(source: &[u8]) -> usize {
    let dir = tempfile::tempdir().unwrap();
    let output = dir.path().join("out.gguf");
    let gguf = Gguf::parse(source).unwrap();
    let before = USED.load(Relaxed);
    PEAK.store(before, Relaxed);
    let types = Types::uniform(DType::Q8_0);
    convert_gguf(&gguf, &output, &types, |_| ControlFlow::Continue(())).unwrap();
    let peak = PEAK.load(Relaxed) - before;
    assert!(fs::metadata(output).unwrap().len() as usize > source.len() / 2);
    peak
}

/// Runs `work` on two threads, or on this one without feature `rayon`.
fn on_threads(work: impl FnOnce() -> usize + Send) -> (usize, usize) {
    #[cfg(feature = "rayon")]
    {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap();
        (2, pool.install(work))
    }
    #[cfg(not(feature = "rayon"))]
    (1, work())
}

#[test]
fn memory_is_a_few_rows_per_thread() {
    let source = model(1 << 14);
    assert!(source.len() > 8 << 20);
    let (threads, peak) = on_threads(|| peak_of(&source));
    println!("{peak} bytes with {threads} threads for a model of {} bytes", source.len());
    assert!(peak < threads << 20, "{peak} with {threads} threads");
}
