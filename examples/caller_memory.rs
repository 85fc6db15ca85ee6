//! A whole model in memory that the program made itself: the decoder allocates nothing, so the
//! same lines run where there is no allocator (`examples/cortex-m`).
//!
//! `cargo run --release --example caller_memory`

use xielu::Backend;
use xielu::checkpoint::Checkpoint as _;
use xielu::checkpoint::gguf::Gguf;
use xielu::llama::{
    Decoder, DecoderOptions, Generation, KvCache, KvType, Layer, Model, Sampler, SamplerOptions,
};
use xielu::tokenizer::bpe::{Bpe, Utf8Stream, work_len};

const CONTEXT: usize = 128;
const PROMPT: &str = "The `Vec<T>` type is";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let bytes = std::fs::read("models/tiny-Q8_0.gguf")?;
    let gguf = Gguf::parse(&bytes)?;
    let config = gguf.config()?;

    let mut vocabulary = vec![0; Bpe::memory_len(&gguf)?];
    let bpe = Bpe::new(&gguf, &mut vocabulary)?;
    let (mut work, mut ids) = (vec![0; work_len(PROMPT.len())], vec![0; PROMPT.len() + 2]);
    let n = bpe.encode_prompt(PROMPT, &mut work, &mut ids)?;

    let mut layers = vec![Layer::EMPTY; config.num_layers];
    let model = Model::load(&gguf, &mut layers)?;
    let mut cache = vec![0; KvCache::bytes_needed(&config, CONTEXT, KvType::F16)];
    let cache = KvCache::new(&config, CONTEXT, KvType::F16, &mut cache)?;
    let options = DecoderOptions::SMALLEST;
    let mut scratch = vec![0.0; Decoder::scratch_len(&config, &options)];
    let mut decoder = Decoder::new(&model, Backend::default(), options, cache, &mut scratch)?;
    let mut logits = vec![0.0; config.output_vocab_size];

    decoder.prompt(&ids[..n])?;
    decoder.logits(&mut logits)?;
    let mut generation = Generation::new(Sampler::new(SamplerOptions::default()), 60);
    let mut stream = Utf8Stream::default();
    print!("{PROMPT}");
    while let Some(id) = generation.next_token(&mut decoder, &mut logits, |id| bpe.is_end(id))? {
        bpe.token(id)?.for_each(|byte| stream.push(byte, &mut |text| print!("{text}")));
    }
    stream.finish(&mut |text| print!("{text}"));
    println!();
    Ok(())
}
