//! A whole model without an allocator's help in the decoder: all memory is the caller's, made
//! once.
//!
//! `cargo run --release --example generate`

use xielu::Backend;
use xielu::checkpoint::Checkpoint as _;
use xielu::checkpoint::gguf::Gguf;
use xielu::llama::{
    Decoder, DecoderOptions, KvCache, KvType, Layer, Model, Sampler, SamplerOptions,
};

const CONTEXT: usize = 128;
/// "The `Vec<T>` type is" as tokens of the bundled model; the `xielu` command has the tokenizer.
const PROMPT: [u32; 10] = [443, 372, 56, 539, 30, 54, 32, 66, 459, 313];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let bytes = std::fs::read("models/tiny-Q8_0.gguf")?;
    let gguf = Gguf::parse(&bytes)?;
    let config = gguf.config()?;
    let vocabulary: Vec<&str> = gguf
        .get_array("tokenizer.ggml.tokens")
        .and_then(|array| array.strs())
        .ok_or("no vocabulary")?
        .collect();

    let mut layers = vec![Layer::EMPTY; config.num_layers];
    let model = Model::load(&gguf, &mut layers)?;
    let mut cache = vec![0; KvCache::bytes_needed(&config, CONTEXT, KvType::F16)];
    let cache = KvCache::new(&config, CONTEXT, KvType::F16, &mut cache)?;
    let options = DecoderOptions::SMALLEST;
    let mut scratch = vec![0.0; Decoder::scratch_len(&config, &options)];
    let mut decoder = Decoder::new(&model, Backend::default(), options, cache, &mut scratch)?;
    let mut logits = vec![0.0; config.output_vocab_size];

    let mut sampler = Sampler::new(SamplerOptions::default());
    for id in PROMPT {
        print!("{}", shown(vocabulary[id as usize]));
        decoder.step(id, &mut logits)?;
    }
    for _ in 0..60 {
        let id = sampler.sample(&logits)?;
        print!("{}", shown(vocabulary[id as usize]));
        decoder.step(id, &mut logits)?;
    }
    println!();
    Ok(())
}

/// Byte-level vocabularies write a space as `Ġ` and the end of a line as `Ċ`.
fn shown(token: &str) -> String {
    token.replace('Ġ', " ").replace('Ċ', "\n")
}
