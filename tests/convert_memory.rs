//! A conversion's memory does not grow with the model.

use std::alloc::{GlobalAlloc, Layout, System};
use std::fs;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use xielu::activation::ActivationKind;
use xielu::checkpoint::gguf::{GgmlType, Gguf, GgufWriter, Value};
use xielu::checkpoint::{LayerRole, Role};
use xielu::config::{Config, Rope, RopeScaling, RopeStyle};
use xielu::convert::{Progress, Types, convert_gguf};
use xielu::kernels::DType;

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
        hidden_act: ActivationKind::Swiglu,
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

/// The same shape as a directory, with the embedding in FP8 and a scale for each row.
#[cfg(feature = "safetensors")]
fn fp8_directory(vocab: usize) -> tempfile::TempDir {
    use safetensors::tensor::{Dtype, TensorView, serialize_to_file};
    let config = serde_json::json!({
        "model_type": "llama", "vocab_size": vocab, "hidden_size": 256, "intermediate_size": 512,
        "num_hidden_layers": 1, "num_attention_heads": 4, "tie_word_embeddings": true,
        "quantization_config": {"quant_method": "compressed-tensors", "format": "float-quantized"},
    });
    let layer = |name: &str| format!("model.layers.0.{name}.weight");
    let mut tensors = vec![
        ("model.embed_tokens.weight".to_string(), Dtype::F8_E4M3, vec![vocab, 256]),
        ("model.embed_tokens.weight_scale".to_string(), Dtype::BF16, vec![vocab, 1]),
        ("model.norm.weight".to_string(), Dtype::BF16, vec![256]),
    ];
    for norm in ["input_layernorm", "post_attention_layernorm"] {
        tensors.push((layer(norm), Dtype::BF16, vec![256]));
    }
    for name in ["q", "k", "v", "o"].map(|x| format!("self_attn.{x}_proj")) {
        tensors.push((layer(&name), Dtype::BF16, vec![256, 256]));
    }
    for (name, rows, cols) in [("gate", 512, 256), ("up", 512, 256), ("down", 256, 512)] {
        tensors.push((layer(&format!("mlp.{name}_proj")), Dtype::BF16, vec![rows, cols]));
    }
    let bytes = |dtype, shape: &[usize]| -> Vec<u8> {
        let count: usize = shape.iter().product();
        match dtype {
            Dtype::BF16 => (0..count).flat_map(|_| 0x3c00u16.to_le_bytes()).collect(),
            _ => (0..count).map(|i| (i % 126) as u8).collect(),
        }
    };
    let data: Vec<Vec<u8>> = tensors.iter().map(|(_, dtype, shape)| bytes(*dtype, shape)).collect();
    let views = tensors.iter().zip(&data).map(|((name, dtype, shape), data)| {
        (name.as_str(), TensorView::new(*dtype, shape.clone(), data).unwrap())
    });
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("config.json"), config.to_string()).unwrap();
    serialize_to_file(views, None, &dir.path().join("model.safetensors")).unwrap();
    dir
}

/// Bytes allocated at the most, beyond those in use before, while `convert` writes a file of at
/// least `size` bytes.
fn peak_of(size: usize, convert: impl FnOnce(&Path)) -> usize {
    let dir = tempfile::tempdir().unwrap();
    let output = dir.path().join("out.gguf");
    let before = USED.load(Relaxed);
    PEAK.store(before, Relaxed);
    convert(&output);
    let peak = PEAK.load(Relaxed) - before;
    assert!(fs::metadata(output).unwrap().len() as usize > size);
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
    let types = Types::uniform(DType::Q8_0);
    let go_on = |_: Progress<'_>| ControlFlow::Continue(());
    let source = model(1 << 14);
    assert!(source.len() > 8 << 20);
    let gguf = Gguf::parse(&source).unwrap();
    let (threads, peak) = on_threads(|| {
        peak_of(4 << 20, |output| drop(convert_gguf(&gguf, output, &types, go_on).unwrap()))
    });
    println!("{peak} bytes with {threads} threads for a model of {} bytes", source.len());
    assert!(peak < threads << 20, "{peak} with {threads} threads");
    #[cfg(feature = "safetensors")]
    {
        // In the same test: the counters are the program's. FP8 is widened as it is read.
        let folder = fp8_directory(1 << 14);
        let dir = xielu::checkpoint::hf::HfDir::open(folder.path()).unwrap();
        assert!(dir.widened_bytes() == 8 << 20);
        let (threads, peak) = on_threads(|| {
            peak_of(4 << 20, |output| {
                drop(xielu::convert::convert_hf(&dir, output, &types, None, go_on).unwrap());
            })
        });
        println!("{peak} bytes with {threads} threads for FP8");
        assert!(peak < threads << 20, "{peak} with {threads} threads");
    }
}
