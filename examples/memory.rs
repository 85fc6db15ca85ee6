//! How much memory models take besides their weights, known before anything is loaded.
//!
//! `cargo run --example memory`

use xielu::Config;
use xielu::activation::ActivationKind;
use xielu::config::{Rope, RopeScaling, RopeStyle};
use xielu::llama::{Decoder, DecoderOptions, KvCache, KvType};
use xielu::mlp::MlpSizes;

/// A model's shape.
const fn config(
    num_layers: usize,
    hidden_size: usize,
    intermediate_size: usize,
    heads: [usize; 3],
    vocab_size: usize,
) -> Config {
    let rope = Rope { theta: 5e5, style: RopeStyle::Neox, scaling: RopeScaling::None };
    Config {
        vocab_size,
        output_vocab_size: vocab_size,
        hidden_size,
        intermediate_size,
        num_layers,
        num_heads: heads[0],
        num_kv_heads: heads[1],
        head_dim: heads[2],
        context_length: 4096,
        rms_norm_eps: 1e-5,
        rope,
        hidden_act: ActivationKind::Xielu,
        qk_norm: true,
        tie_word_embeddings: false,
    }
}

/// The bundled model and the released ones.
const MODELS: [(&str, Config); 4] = [
    ("tiny", config(4, 128, 672, [4, 2, 32], 1024)),
    ("Apertus-v1.1-0.5B", config(20, 1024, 6144, [16, 4, 64], 131_072)),
    ("Apertus-8B", config(32, 4096, 21_504, [32, 8, 128], 131_072)),
    ("Apertus-70B", config(80, 8192, 43_008, [64, 8, 128], 131_072)),
];

fn main() {
    let kib = |bytes: usize| format!("{:.1} KiB", bytes as f64 / 1024.0);
    let smallest = DecoderOptions::SMALLEST;
    println!(
        "| model | MLP, whole | MLP, tiles of 32 | decoder, smallest | KV cache a token, f16 | in q8_0 |"
    );
    println!("|---|---|---|---|---|---|");
    for (name, c) in &MODELS {
        let mlp =
            |tile| kib(4 * MlpSizes { hidden_size: c.hidden_size, tile, tokens: 1 }.scratch_len());
        println!(
            "| {name} | {} | {} | {} | {} | {} |",
            mlp(c.intermediate_size),
            mlp(32),
            kib(4 * Decoder::scratch_len(c, &smallest)),
            kib(KvCache::bytes_needed(c, 1, KvType::F16)),
            kib(KvCache::bytes_needed(c, 1, KvType::Q8_0)),
        );
    }
}
