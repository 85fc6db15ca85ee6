//! Text to token ids and back: the `tokenizers` crate, fed from a Hugging Face `tokenizer.json`
//! or from the vocabulary inside a GGUF file.

mod gguf;
mod pre;
#[cfg(test)]
mod tests;

use std::path::Path;

use anyhow::{Context as _, anyhow, bail};

pub use gguf::GgufVocab;

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
    /// From `tokenizer.json` in `dir`; the tokens that end a text from `generation_config.json`
    /// or `config.json` beside it.
    pub fn from_hf_dir(dir: &Path) -> anyhow::Result<Self> {
        let file = dir.join("tokenizer.json");
        if !file.is_file() {
            bail!("no tokenizer: {} is missing; copy it from the model's page", file.display());
        }
        let inner = tokenizers::Tokenizer::from_file(&file)
            .map_err(|e| anyhow!("{} cannot be read: {}", file.display(), one_line(&e)))?;
        let bos = leading_token(&inner)?;
        Ok(Tokenizer { inner, bos, ends: end_tokens(dir)? })
    }

    /// From a GGUF file's own vocabulary.
    pub fn from_gguf(vocab: &GgufVocab) -> anyhow::Result<Self> {
        let inner = vocab.build()?;
        Ok(Tokenizer { inner, bos: vocab.leading_token(), ends: vocab.end_tokens() })
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
    pub fn encode(&self, text: &str, special: Special) -> anyhow::Result<Vec<u32>> {
        let encode = |tokenizer: &tokenizers::Tokenizer| {
            let encoding = tokenizer.encode_fast(text, false);
            encoding.map(|e| e.get_ids().to_vec()).map_err(|e| anyhow!("{}", one_line(&e)))
        };
        match special {
            Special::Parse => encode(&self.inner),
            Special::Plain => {
                let mut plain = self.inner.clone();
                plain.set_encode_special_tokens(true);
                encode(&plain)
            }
        }
        .context("the text cannot be tokenized")
    }

    /// A decoder that takes one id at a time and returns text as soon as it is whole characters.
    pub fn stream(&self) -> impl FnMut(u32) -> anyhow::Result<Option<String>> + '_ {
        let mut stream = self.inner.decode_stream(true);
        move |id| stream.step(id).map_err(|e| anyhow!("{}", one_line(&e)))
    }
}

/// An error of the crate, which may span lines, on one.
fn one_line(e: &tokenizers::Error) -> String {
    e.to_string().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What the post-processor of a `tokenizer.json` puts before every text.
fn leading_token(tokenizer: &tokenizers::Tokenizer) -> anyhow::Result<Option<u32>> {
    let ids = |special| {
        let encoding = tokenizer.encode_fast("a", special);
        encoding.map(|e| e.get_ids().to_vec()).map_err(|e| anyhow!("{}", one_line(&e)))
    };
    let (bare, full) = (ids(false)?, ids(true)?);
    Ok(full.first().copied().filter(|first| full.len() > bare.len() && bare.first() != Some(first)))
}

/// `eos_token_id`, a number or a list, of the first of the two files that has it.
fn end_tokens(dir: &Path) -> anyhow::Result<Vec<u32>> {
    for name in ["generation_config.json", "config.json"] {
        let path = dir.join(name);
        let Ok(text) = std::fs::read_to_string(&path) else { continue };
        let json: serde_json::Value = serde_json::from_str(&text)
            .with_context(|| format!("{} is not JSON", path.display()))?;
        let ids: Vec<u32> = match json.get("eos_token_id") {
            Some(serde_json::Value::Array(list)) => list.iter().filter_map(as_id).collect(),
            Some(one) => as_id(one).into_iter().collect(),
            None => continue,
        };
        if !ids.is_empty() {
            return Ok(ids);
        }
    }
    Ok(Vec::new())
}

fn as_id(value: &serde_json::Value) -> Option<u32> {
    value.as_u64().and_then(|id| u32::try_from(id).ok())
}
