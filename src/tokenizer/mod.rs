//! Text to token ids and back: the `tokenizers` crate, fed from the vocabulary inside a GGUF file
//! or, with `safetensors`, from a Hugging Face `tokenizer.json`.

pub mod bpe;
mod door;
mod error;
mod gguf;
mod growth;
mod guard;
#[cfg(feature = "safetensors")]
mod hf;
mod keys;
mod pre;
mod stream;
#[cfg(all(test, feature = "safetensors"))]
mod tests;
#[cfg(feature = "session")]
mod words;

use std::string::String;
use std::vec::Vec;

use tokenizers::{DecoderWrapper, PreTokenizedString, PreTokenizer as _};

#[cfg(any(feature = "std", feature = "session"))]
use crate::checkpoint::ModelView;
use crate::checkpoint::gguf::Gguf;
use crate::checkpoint::tokenizer_json::Edges;
pub use bpe::Special;
pub(crate) use door::Built;
#[cfg(feature = "train")]
pub(crate) use door::build;
pub use error::TokenizerError;
#[cfg(feature = "train")]
pub(crate) use error::one_line;
use gguf::GgufVocab;
use growth::Growth;
pub(crate) use guard::guarded;
pub use stream::TextStream;
#[cfg(feature = "session")]
pub use words::Word;

/// A model's vocabulary.
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    growth: Growth,
    /// Put around every text, where the model was trained so.
    edges: Edges,
    /// End a generation.
    ends: Vec<u32>,
    /// Ids become bytes one by one: no token changes the text of those before it.
    decodes_by_bytes: bool,
    /// Tokens that name a byte become text together, or all of them none.
    byte_fallback: bool,
}

impl Tokenizer {
    fn new(built: Built, ends: Vec<u32>) -> Self {
        let Built { inner, growth, edges } = built;
        let decoder = inner.get_decoder();
        let decodes_by_bytes = matches!(decoder, Some(DecoderWrapper::ByteLevel(_)));
        let byte_fallback = decoder.is_some_and(falls_back_to_bytes);
        Tokenizer { inner, growth, edges, ends, decodes_by_bytes, byte_fallback }
    }

    /// From a GGUF file: the whole `tokenizer.json` where it holds that
    /// (`tokenizer.huggingface.json`), else its vocabulary, byte-level BPE.
    ///
    /// # Errors
    /// If the file has none, or one of another kind, or one that contradicts itself.
    pub fn from_gguf(gguf: &Gguf<'_>) -> Result<Self, TokenizerError> {
        let vocab = GgufVocab::read(gguf)?;
        let (built, ends) = vocab.build()?;
        Ok(Tokenizer::new(built, ends))
    }

    /// From whatever model was opened: [`Tokenizer::from_gguf`] or [`Tokenizer::from_hf_dir`].
    ///
    /// # Errors
    /// As theirs.
    #[cfg(any(feature = "std", feature = "session"))]
    pub fn from_view(view: &ModelView<'_>) -> Result<Self, TokenizerError> {
        match view {
            ModelView::Gguf(gguf) => Tokenizer::from_gguf(gguf.first()),
            #[cfg(feature = "safetensors")]
            ModelView::Hf(dir) => Tokenizer::from_hf_dir(dir.path()),
        }
    }

    /// The token that begins every text, if the model was trained with one.
    pub fn bos(&self) -> Option<u32> {
        self.edges.prefix.first().copied()
    }

    /// The tokens that end a generation; the first is the end of a text.
    pub fn ends(&self) -> &[u32] {
        &self.ends
    }

    /// Whether `id` ends a generation.
    pub fn is_end(&self, id: u32) -> bool {
        self.ends.contains(&id)
    }

    /// The ids of `text`, without the tokens that the tokenizer puts around every text.
    ///
    /// # Errors
    /// What the `tokenizers` crate reports; if the tokenizer would make the text many times as
    /// long.
    pub fn encode(&self, text: &str, special: Special) -> Result<Vec<u32>, TokenizerError> {
        self.growth.check(text)?;
        let encode = |tokenizer: &tokenizers::Tokenizer| {
            let encode = || tokenizer.encode_fast(text, false);
            let encoding = guarded("the text cannot be tokenized", encode);
            encoding.map(|ids| ids.get_ids().to_vec()).map_err(|e| self.blame(text, e))
        };
        match special {
            Special::Parse => encode(&self.inner),
            Special::Plain => {
                let mut plain = self.inner.clone();
                plain.set_encode_special_tokens(true);
                encode(&plain)
            }
        }
    }

    /// The error of the part that fails on `text`, if one fails alone.
    fn blame(&self, text: &str, whole: TokenizerError) -> TokenizerError {
        let mut pieces = PreTokenizedString::from(text);
        let cut = || match self.inner.get_pre_tokenizer() {
            Some(pre_tokenizer) => pre_tokenizer.pre_tokenize(&mut pieces),
            None => Ok(()),
        };
        let part = self.growth.fails(text);
        let part = part.and_then(|()| guarded("the tokenizer's pre_tokenizer fails", cut));
        part.err().unwrap_or(whole)
    }

    /// The ids of a prompt: its special tokens are recognised, and what the tokenizer puts before
    /// and after every text is there, once, whether or not `text` brings it along (a rendered
    /// chat template does). Empty only if the text is and the tokenizer adds nothing.
    ///
    /// # Errors
    /// As [`Tokenizer::encode`].
    pub fn encode_prompt(&self, text: &str) -> Result<Vec<u32>, TokenizerError> {
        let Edges { prefix, suffix } = &self.edges;
        let text = self.encode(text, Special::Parse)?;
        // The first token is enough: BOS alone, of several, is not put before a text twice.
        let begun = !text.is_empty() && text.first() == prefix.first();
        let mut ids = if begun { Vec::new() } else { prefix.clone() };
        ids.extend(&text);
        if !text.ends_with(suffix) {
            ids.extend(suffix);
        }
        Ok(ids)
    }

    /// The text of `ids`, without special tokens. Bytes that are no character become U+FFFD.
    ///
    /// # Errors
    /// What the `tokenizers` crate reports.
    pub fn decode(&self, ids: &[u32]) -> Result<String, TokenizerError> {
        guarded("the tokenizer's decoder fails", || self.inner.decode(ids, true))
    }

    /// As [`Tokenizer::decode`], with special tokens as text.
    ///
    /// # Errors
    /// As [`Tokenizer::decode`].
    pub fn decode_with_special(&self, ids: &[u32]) -> Result<String, TokenizerError> {
        guarded("the tokenizer's decoder fails", || self.inner.decode(ids, false))
    }

    /// Whether `id` names a byte, as `<0x0A>` does, and its text depends on its neighbours.
    fn is_lone_byte(&self, id: u32) -> bool {
        let names_byte = |token: String| {
            let digits = token.strip_prefix("<0x").and_then(|rest| rest.strip_suffix('>'));
            digits.is_some_and(|d| d.len() == 2 && u8::from_str_radix(d, 16).is_ok())
        };
        self.byte_fallback && self.inner.id_to_token(id).is_some_and(names_byte)
    }
}

fn falls_back_to_bytes(decoder: &DecoderWrapper) -> bool {
    match decoder {
        DecoderWrapper::ByteFallback(_) => true,
        DecoderWrapper::Sequence(steps) => steps.get_decoders().iter().any(falls_back_to_bytes),
        _ => false,
    }
}
