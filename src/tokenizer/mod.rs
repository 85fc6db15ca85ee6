//! Text to token ids and back: the `tokenizers` crate, fed from the vocabulary inside a GGUF file
//! or, with `safetensors`, from a Hugging Face `tokenizer.json`.

mod error;
mod gguf;
#[cfg(feature = "safetensors")]
mod hf;
mod pre;
#[cfg(all(test, feature = "safetensors"))]
mod tests;

use std::string::String;
use std::vec::Vec;

use crate::checkpoint::gguf::Gguf;
pub use error::TokenizerError;
#[cfg(feature = "train")]
pub(crate) use error::one_line;
use gguf::GgufVocab;

/// Whether text may name special tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Special {
    /// `</s>` in the text is the token: prompts.
    Parse,
    /// `</s>` in the text is four characters: text to be measured.
    Plain,
}

/// A model's vocabulary.
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    /// Put before every text, where the model was trained so.
    bos: Option<u32>,
    /// End a generation.
    ends: Vec<u32>,
}

impl Tokenizer {
    /// From a GGUF file's own vocabulary, byte-level BPE.
    ///
    /// # Errors
    /// If the file has none, or one of another kind, or one that contradicts itself.
    pub fn from_gguf(gguf: &Gguf<'_>) -> Result<Self, TokenizerError> {
        let vocab = GgufVocab::read(gguf)?;
        let inner = vocab.build()?;
        Ok(Tokenizer { inner, bos: vocab.leading_token(), ends: vocab.ends })
    }

    /// The token that begins every text, if the model was trained with one.
    pub fn bos(&self) -> Option<u32> {
        self.bos
    }

    /// Whether `id` ends a generation.
    pub fn is_end(&self, id: u32) -> bool {
        self.ends.contains(&id)
    }

    /// The ids of `text`, without a beginning-of-text token.
    ///
    /// # Errors
    /// What the `tokenizers` crate reports.
    pub fn encode(&self, text: &str, special: Special) -> Result<Vec<u32>, TokenizerError> {
        let encode = |tokenizer: &tokenizers::Tokenizer| {
            let encoding = tokenizer.encode_fast(text, false);
            encoding.map(|e| e.get_ids().to_vec())
        };
        match special {
            Special::Parse => encode(&self.inner),
            Special::Plain => {
                let mut plain = self.inner.clone();
                plain.set_encode_special_tokens(true);
                encode(&plain)
            }
        }
        .map_err(|e| TokenizerError::of("the text cannot be tokenized", &e))
    }

    /// The ids of a prompt: its special tokens are recognised, and what begins every text of the
    /// model stands before it. Empty only if the text is and the model has no such token.
    ///
    /// # Errors
    /// As [`Tokenizer::encode`].
    pub fn encode_prompt(&self, text: &str) -> Result<Vec<u32>, TokenizerError> {
        let mut ids: Vec<u32> = self.bos.into_iter().collect();
        ids.extend(self.encode(text, Special::Parse)?);
        Ok(ids)
    }

    /// A decoder that takes one id at a time and returns text as soon as it is whole characters.
    pub fn stream(&self) -> impl FnMut(u32) -> Result<Option<String>, TokenizerError> + '_ {
        let mut stream = self.inner.decode_stream(true);
        move |id| stream.step(id).map_err(|e| TokenizerError::of("a token has no text", &e))
    }
}

/// What the post-processor of a `tokenizer.json` puts before every text.
#[cfg(feature = "safetensors")]
pub(crate) fn leading_token(tokenizer: &tokenizers::Tokenizer) -> tokenizers::Result<Option<u32>> {
    let [bare, full] = [false, true].map(|special| tokenizer.encode_fast("a", special));
    let (bare, full) = (bare?, full?);
    let first = full.get_ids().first().copied();
    Ok(first.filter(|id| !bare.get_ids().contains(id)))
}
