//! What the firmware and the host run alike: the bundled model, greedily, in memory whose size is
//! known when the program is compiled.

use heapless::{String, Vec};
use xielu::activation::ActivationKind;
use xielu::checkpoint::{Checkpoint as _, gguf::Gguf};
use xielu::config::{Rope, RopeScaling, RopeStyle};
use xielu::llama::{
    Decoder, DecoderOptions, KvCache, KvType, Layer, Model, Sampler, SamplerOptions,
};
use xielu::{Backend, Config, Error};

/// Positions the KV cache has room for.
const CONTEXT: usize = 64;
/// Tokens that are generated.
pub const TOKENS: usize = 40;
/// "The `Vec<T>` type is" as tokens of the bundled model.
const PROMPT: [u32; 10] = [443, 372, 56, 539, 30, 54, 32, 66, 459, 313];
/// One token at a time; a tile of the MLP is one block of inputs.
const OPTIONS: DecoderOptions = DecoderOptions { batch: 1, mlp_tile: 256 };
const KV_TYPE: KvType = if cfg!(feature = "kv-q8_0") { KvType::Q8_0 } else { KvType::F16 };

/// The bundled model's shape: what the sizes below follow from. The file's own is used to compute.
const CONFIG: Config = Config {
    vocab_size: 1024,
    output_vocab_size: 1024,
    hidden_size: 128,
    intermediate_size: 672,
    num_layers: 4,
    num_heads: 4,
    num_kv_heads: 2,
    head_dim: 32,
    context_length: 256,
    rms_norm_eps: 1e-5,
    rope: Rope { theta: 1e4, style: RopeStyle::Neox, scaling: RopeScaling::None },
    hidden_act: ActivationKind::Xielu,
    qk_norm: true,
    tie_word_embeddings: false,
};

/// Views of the weights, filled when the model is loaded.
pub type Layers = [Layer<'static>; CONFIG.num_layers];

/// No views yet. Not all zeros (pointers never are), so that a static of it has an image in flash:
/// what is large lies in [`Memory`].
pub const NO_LAYERS: Layers = [Layer::EMPTY; CONFIG.num_layers];

/// A decoder's other memory: all zeros.
pub struct Memory {
    kv_cache: [u8; KvCache::bytes_needed(&CONFIG, CONTEXT, KV_TYPE)],
    scratch: [f32; Decoder::scratch_len(&CONFIG, &OPTIONS)],
    logits: [f32; CONFIG.output_vocab_size],
}

impl Memory {
    pub const fn new() -> Self {
        Memory { kv_cache: [0; _], scratch: [0.0; _], logits: [0.0; _] }
    }
}

/// Watches a run.
pub trait Observer {
    /// A token of the prompt is about to be decoded, or one that was generated.
    fn step_begins(&mut self);
    /// It has been.
    fn step_ends(&mut self, generated: bool);
    /// A token was chosen.
    fn token(&mut self, id: u32, piece: &str);
}

/// Continues [`PROMPT`] by [`TOKENS`] tokens: their ids and text.
pub fn generate(
    model: &'static [u8],
    layers: &mut Layers,
    memory: &mut Memory,
    observer: &mut impl Observer,
) -> Result<(Vec<u32, TOKENS>, String<512>), Error> {
    let gguf = Gguf::parse(model)?;
    let config = gguf.config()?;
    let vocabulary = gguf.get_array("tokenizer.ggml.tokens").and_then(|array| array.strs());
    let piece = |id: u32| vocabulary.clone().and_then(|mut v| v.nth(id as usize)).unwrap_or("");

    let model = Model::load(&gguf, layers)?;
    let cache = KvCache::new(&config, CONTEXT, KV_TYPE, &mut memory.kv_cache)?;
    let mut decoder = Decoder::new(&model, backend(), OPTIONS, cache, &mut memory.scratch)?;
    let mut sampler = Sampler::new(SamplerOptions::default());
    let (mut ids, mut text) = (Vec::new(), String::new());
    for id in PROMPT {
        observer.step_begins();
        decoder.step(id, &mut memory.logits)?;
        observer.step_ends(false);
        append(&mut text, piece(id));
    }
    loop {
        let id = sampler.sample(&memory.logits)?;
        observer.token(id, piece(id));
        append(&mut text, piece(id));
        // Only a full list refuses, and it is left before.
        let _ = ids.push(id);
        if ids.is_full() {
            return Ok((ids, text));
        }
        observer.step_begins();
        decoder.step(id, &mut memory.logits)?;
        observer.step_ends(true);
    }
}

fn backend() -> Backend<'static> {
    #[cfg(feature = "micromath")]
    return Backend::default().with_rough_functions();
    #[cfg(not(feature = "micromath"))]
    Backend::default()
}

/// Byte-level vocabularies write a space as `Ġ` and the end of a line as `Ċ`. What no longer fits
/// is left out.
fn append(text: &mut String<512>, piece: &str) {
    for c in piece.chars() {
        let c = match c {
            'Ġ' => ' ',
            'Ċ' => '\n',
            c => c,
        };
        let _ = text.push(c);
    }
}
