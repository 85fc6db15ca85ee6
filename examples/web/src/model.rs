//! A model, and the text it is writing.

use std::collections::VecDeque;

use wasm_bindgen::prelude::*;
use xielu::Backend;
use xielu::checkpoint::Checkpoint as _;
use xielu::checkpoint::gguf::Gguf;
use xielu::llama::{
    Decoder, DecoderMemory, DecoderOptions, KvCache, KvType, Layer, Model as Weights, Sampler,
    SamplerOptions,
};
use xielu::tokenizer::{TextStream, Tokenizer};

use crate::facts::facts;
use crate::memory::filled;

/// Positions of the KV cache at most, where the model was trained for more.
const MAX_CONTEXT: usize = 4096;
/// Tokens of a prompt that go through the layers together, and hidden values held at a time.
const OPTIONS: DecoderOptions = DecoderOptions { batch: 32, mlp_tile: usize::MAX };
const KV_TYPE: KvType = KvType::F16;
/// As the command line's.
const TOP_K: usize = 40;
const TOP_P: f32 = 0.95;

/// A model in memory: text goes in by `start`, and comes out of `step`.
#[wasm_bindgen]
pub struct Model {
    decoder: Decoder<'static, 'static, 'static>,
    tokenizer: &'static Tokenizer,
    facts: String,
    logits: &'static mut [f32],
    sampler: Sampler,
    stream: TextStream<'static>,
    /// Tokens of the prompt that the decoder has not seen.
    unread: VecDeque<u32>,
    /// Tokens that may still be generated.
    left: usize,
}

impl Model {
    /// A model of a file's bytes.
    pub fn load(bytes: &'static [u8]) -> Result<Model, JsError> {
        let gguf = Gguf::parse(bytes)?;
        let config = gguf.config()?;
        let layers = filled(Layer::EMPTY, config.num_layers, "the layers")?;
        let weights: &Weights<'_, '_> = Box::leak(Box::new(Weights::load(&gguf, layers)?));
        let tokenizer: &Tokenizer = Box::leak(Box::new(Tokenizer::from_gguf(&gguf)?));
        let context = config.context_length.min(MAX_CONTEXT);
        let memory = DecoderMemory::new(&config, &OPTIONS, context, KV_TYPE);
        let cache = filled(0u8, memory.kv_cache, "the KV cache")?;
        let scratch = Decoder::scratch_len(&config, &OPTIONS);
        let scratch = filled(0f32, scratch, "intermediate values")?;
        let cache = KvCache::new(&config, context, KV_TYPE, cache)?;
        Ok(Model {
            decoder: Decoder::new(weights, Backend::default(), OPTIONS, cache, scratch)?,
            tokenizer,
            facts: facts(&gguf, weights, bytes.len(), memory.total(), context).to_string(),
            logits: filled(0f32, config.output_vocab_size, "the logits")?,
            sampler: Sampler::new(SamplerOptions::default()),
            stream: tokenizer.stream(),
            unread: VecDeque::new(),
            left: 0,
        })
    }
}

#[wasm_bindgen]
impl Model {
    /// What the model is, as JSON.
    pub fn facts(&self) -> String {
        self.facts.clone()
    }

    /// Begins a text of `prompt` and at most `tokens` more, and returns the prompt as its tokens
    /// are written. Nothing is computed yet.
    ///
    /// # Errors
    /// If there is no prompt, or the context has no room for so many tokens.
    pub fn start(
        &mut self,
        prompt: &str,
        tokens: usize,
        temperature: f32,
        seed: u32,
    ) -> Result<String, JsError> {
        let ids = self.tokenizer.encode_prompt(prompt)?;
        if ids.is_empty() {
            return Err(JsError::new("the prompt is empty"));
        }
        let (read, room) = (ids.len(), self.decoder.context());
        if read.saturating_add(tokens) > room {
            return Err(JsError::new(&format!(
                "the prompt has {read} tokens, and with {tokens} to generate that is more than \
                 the model's context of {room}"
            )));
        }
        if !(temperature >= 0.0 && temperature.is_finite()) {
            return Err(JsError::new("the temperature must be 0 or more"));
        }
        let (top_k, top_p, seed) = (TOP_K, TOP_P, u64::from(seed));
        self.sampler = Sampler::new(SamplerOptions { temperature, top_k, top_p, seed });
        self.stream = self.tokenizer.stream();
        self.decoder.rewind(0);
        let text = ids.iter().map(|&id| self.text(id)).collect();
        self.unread = ids.into();
        self.left = tokens;
        text
    }

    /// Reads some tokens of the prompt, as many as go through the layers together, and returns how
    /// many there were: 0 when all are read.
    ///
    /// # Errors
    /// Those of the decoder.
    pub fn read(&mut self) -> Result<usize, JsError> {
        let n = self.unread.len().min(OPTIONS.batch);
        let batch: Vec<u32> = self.unread.drain(..n).collect();
        if n > 0 {
            self.decoder.batch(&batch)?;
            self.decoder.logits(self.logits)?;
        }
        Ok(n)
    }

    /// The text of the next token, which is empty until its characters are whole; nothing when the
    /// text has ended.
    ///
    /// # Errors
    /// Those of the decoder.
    pub fn step(&mut self) -> Result<Option<String>, JsError> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        let id = self.sampler.sample(self.logits)?;
        if self.tokenizer.is_end(id) {
            self.left = 0;
            // The beginning of a character, perhaps.
            return Ok(self.stream.finish()?);
        }
        let mut text = self.text(id)?;
        if self.left > 0 {
            self.decoder.step(id, self.logits)?;
        } else if let Some(rest) = self.stream.finish()? {
            text += &rest;
        }
        Ok(Some(text))
    }

    fn text(&mut self, id: u32) -> Result<String, JsError> {
        Ok(self.stream.push(id)?.unwrap_or_default())
    }
}
