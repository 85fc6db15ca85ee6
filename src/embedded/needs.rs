//! What a session takes, by the bytes of its model: worked out when the program is compiled.

use super::message::Message;
use super::program::Program;
use crate::checkpoint::gguf::sizes::Sizes;
use crate::config::{Rope, RopeScaling, RopeStyle};
use crate::kernels::ActivationKind;
use crate::llama::{Decoder, DecoderOptions, KvCache};
use crate::tokenizer::bpe::InPlace;
use crate::{Config, Error};

/// The memory of a session, part by part, in bytes but for the layers.
///
/// ```
/// use xielu::embedded::{Needs, Program};
///
/// struct Tiny;
/// impl Program for Tiny {
///     const MODEL: &'static [u8] = include_bytes!("../../models/tiny-Q8_0.gguf");
/// }
/// const NEEDS: Needs = Needs::of::<Tiny>(64);
/// assert_eq!((NEEDS.layers, NEEDS.kv_cache, NEEDS.logits), (4, 64 * 1024, 4 * 1024));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Needs {
    /// How many layers there are.
    pub layers: usize,
    /// The KV cache.
    pub kv_cache: usize,
    /// The decoder's scratch.
    pub scratch: usize,
    /// Logits of one token.
    pub logits: usize,
    /// The prompt's ids, and the tokenizer's work on one word.
    pub text: usize,
}

impl Needs {
    /// What `P` takes with a context of so many positions. What cannot be run does not compile.
    pub const fn of<P: Program>(context: usize) -> Self {
        let config = const { config::<P>() };
        let scratch = Decoder::scratch_len(&config, &P::OPTIONS);
        let work = InPlace::work_len(P::LONGEST_WORD);
        Needs {
            layers: config.num_layers,
            // Whole words, as what follows it is made of.
            kv_cache: words(KvCache::bytes_needed(&config, context, P::KV_TYPE)),
            scratch: bytes(scratch),
            logits: bytes(config.output_vocab_size),
            text: bytes(context.saturating_add(work)),
        }
    }

    /// Bytes of the head of `P`'s file: all that a program whose weights stay on a device has of it in
    /// memory ([`GgufHead`](crate::checkpoint::gguf::GgufHead)).
    #[cfg(feature = "streamed")]
    pub const fn head_len<P: Program>() -> usize {
        match crate::checkpoint::gguf::sizes::head_len(P::MODEL) {
            Some(len) => len,
            None => panic!("the model is not a GGUF file, or ends too early"),
        }
    }

    /// f32 elements of scratch for `P` with its weights on a device:
    /// [`StreamedModel::scratch_len`](crate::llama::streamed::StreamedModel::scratch_len).
    #[cfg(feature = "streamed")]
    pub const fn streamed_scratch<P: Program>(batch: usize, quantized: bool) -> usize {
        let config = const { config::<P>() };
        crate::llama::streamed::StreamedModel::scratch_len(&config, batch, quantized)
    }

    /// Bytes of a session that starts with [`Session::start_tokens`](super::Session::start_tokens).
    pub const fn bytes_of_tokens(&self) -> usize {
        self.kv_cache.saturating_add(self.scratch).saturating_add(self.logits)
    }

    /// Bytes of a session.
    pub const fn bytes(&self) -> usize {
        self.bytes_of_tokens().saturating_add(self.text)
    }

    /// What of it a session lacks that has room for so much.
    pub(super) const fn lacking(
        &self,
        layers: usize,
        context: usize,
        bytes: usize,
        text: bool,
    ) -> Option<Message> {
        if context == 0 {
            return Some(Message::new("the session has a context of 0 positions"));
        }
        if layers < self.layers {
            let message = Message::new("the model has ").number(self.layers);
            let message = message.text(" layers, the session room for ").number(layers);
            return Some(message.text(": ").number(self.layers - layers).text(" too few"));
        }
        let needed = if text { self.bytes() } else { self.bytes_of_tokens() };
        if bytes >= needed {
            return None;
        }
        let message =
            Message::new("the model needs ").number(needed).text(" bytes with a context of ");
        let message = message.number(context).text(" (KV cache ").number(self.kv_cache);
        let message = message.text(", scratch ").number(self.scratch);
        let message = message.text(", logits ").number(self.logits);
        let message = match text {
            true => message.text(", text ").number(self.text),
            false => message,
        };
        let message = message.text("), the session has ").number(bytes);
        Some(message.text(": ").number(needed - bytes).text(" too few"))
    }
}

const fn bytes(words: usize) -> usize {
    words.saturating_mul(size_of::<u32>())
}

const fn words(bytes: usize) -> usize {
    bytes.saturating_add(size_of::<u32>() - 1) / size_of::<u32>() * size_of::<u32>()
}

const fn read(model: &[u8]) -> Sizes {
    match Sizes::read(model) {
        Ok(sizes) => sizes,
        Err(reason) => panic!("{}", reason),
    }
}

/// The model's shape; what no size follows from is not the model's.
const fn config<P: Program>() -> Config {
    let sizes = read(P::MODEL);
    let config = Config {
        vocab_size: sizes.vocab_size,
        output_vocab_size: sizes.output_vocab_size,
        hidden_size: sizes.hidden_size,
        intermediate_size: sizes.intermediate_size,
        num_layers: sizes.num_layers,
        num_heads: sizes.num_heads,
        num_kv_heads: sizes.num_kv_heads,
        head_dim: sizes.head_dim,
        context_length: sizes.context_length,
        rms_norm_eps: 0.0,
        rope: Rope { theta: 1.0, style: RopeStyle::Neox, scaling: RopeScaling::None },
        hidden_act: ActivationKind::Xielu,
        qk_norm: false,
        tie_word_embeddings: false,
    };
    if let Err(Error::Config(rule)) = config.validate() {
        panic!("{}", Message::new("unusable model shape: ").text(rule).as_str());
    }
    match P::KV_TYPE.check(&config) {
        Ok(()) => {}
        Err(Error::Config(rule)) => panic!("{}", rule),
        Err(_) => panic!("this build has no KV cache of the program's type: see XIELU_TYPES"),
    }
    let DecoderOptions { batch, mlp_tile } = P::OPTIONS;
    if batch == 0 || mlp_tile == 0 {
        panic!("the program's batch or MLP tile is 0");
    }
    config
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::KvType;

    const BUNDLED: &[u8] = include_bytes!("../../models/tiny-Q8_0.gguf");

    struct Tiny;
    impl Program for Tiny {
        const MODEL: &'static [u8] = BUNDLED;
    }

    struct Small;
    impl Program for Small {
        const MODEL: &'static [u8] = BUNDLED;
        const KV_TYPE: KvType = KvType::Q8_0;
        const LONGEST_WORD: usize = 8;
    }

    const NEEDS: Needs = Needs::of::<Tiny>(64);

    fn lacking(
        layers: usize,
        context: usize,
        bytes: usize,
        text: bool,
    ) -> Option<std::string::String> {
        let message = NEEDS.lacking(layers, context, bytes, text);
        message.map(|message| message.as_str().into())
    }

    #[test]
    fn parts_follow_from_the_program() {
        let small = Needs::of::<Small>(64);
        assert_eq!(small.kv_cache * 32, NEEDS.kv_cache / 2 * 34);
        assert_eq!(NEEDS.text - small.text, 8 * (64 - 8));
        assert_eq!(NEEDS.bytes() - NEEDS.bytes_of_tokens(), NEEDS.text);
    }

    #[test]
    fn a_session_that_is_too_small_says_by_how_much() {
        let (all, tokens) = (NEEDS.bytes(), NEEDS.bytes_of_tokens());
        assert_eq!(lacking(4, 64, all, true), None);
        assert_eq!(lacking(9, 64, tokens, false), None);
        let message = lacking(3, 64, all, true);
        assert_eq!(
            message.as_deref(),
            Some("the model has 4 layers, the session room for 3: 1 too few")
        );
        let message = lacking(4, 64, all - 1000, true).unwrap();
        assert!(message.starts_with(&std::format!(
            "the model needs {all} bytes with a context of 64 (KV cache 65536, scratch "
        )));
        assert!(message.ends_with(": 1000 too few"), "{message}");
        let message = lacking(4, 64, tokens - 4, false).unwrap();
        assert!(message.contains("logits 4096), the session has "), "{message}");
        assert!(message.ends_with(": 4 too few"), "{message}");
        assert!(lacking(4, 0, all, true).is_some());
    }
}
