//! Flash of the whole decoder, greedy, for any shape of model.
#![no_std]
#![no_main]

#[path = "../size.rs"]
mod size;

use xielu::Backend;
use xielu::checkpoint::{Checkpoint as _, gguf::Gguf};
use xielu::llama::{Decoder, DecoderOptions, KvCache, KvType, Layer, Model, argmax};

#[unsafe(no_mangle)]
fn _start(
    file: &'static [u8],
    layers: &mut [Layer<'static>],
    cache: &mut [u8],
    scratch: &mut [f32],
    logits: &mut [f32],
) -> Option<u32> {
    let gguf = Gguf::parse(file).ok()?;
    let config = gguf.config().ok()?;
    let model = Model::load(&gguf, layers).ok()?;
    let cache = KvCache::new(&config, 64, KvType::F16, cache).ok()?;
    let options = DecoderOptions::SMALLEST;
    let mut decoder = Decoder::new(&model, Backend::default(), options, cache, scratch).ok()?;
    let mut id = 0;
    while decoder.position() < decoder.context() {
        decoder.step(id, logits).ok()?;
        id = argmax(logits)?;
    }
    Some(id)
}
