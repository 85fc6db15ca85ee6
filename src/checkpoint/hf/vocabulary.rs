//! A directory's tokenizer as what a GGUF file carries.

use std::format;
use std::string::String;
use std::vec::Vec;

use super::generation::Generation;
use super::special::Settings;
use super::templates::{self, ChatTemplate};
use super::text::TextFiles;
use super::{HfDir, HfError};
use crate::checkpoint::Sampling;
use crate::checkpoint::stop_tokens;
use crate::checkpoint::tokenizer_json::Kept;
use crate::names::{TokenKind, is_known_pre};

/// How a directory's tokenizer is stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VocabularyOptions<'a> {
    /// Name of the pre-tokenizer; recognised from its definition where there is none here.
    pub pre: Option<&'a str>,
    /// Leave the whole `tokenizer.json` out: what the other keys cannot hold is lost for this
    /// library too.
    pub without_json: bool,
}

/// A vocabulary, and all that goes with it.
#[derive(Clone, Debug, PartialEq)]
pub struct Vocabulary {
    /// `gpt2`: byte-level BPE. `none`: what other programs cannot read.
    pub model: &'static str,
    /// The tokens by id, one per row of the embedding; bytes as GPT-2's printable characters.
    pub tokens: Vec<String>,
    /// Their kinds.
    pub kinds: Vec<TokenKind>,
    /// The merges by rank, both parts separated by a space.
    pub merges: Vec<String>,
    /// GGUF's name of the pre-tokenizer, if it has one.
    pub pre: Option<String>,
    /// Begin of sequence: the token that `add_bos` puts before a text, else the one so named.
    pub bos: Option<u32>,
    /// All tokens that end a generation; the first is the end of a text.
    pub ends: Vec<u32>,
    /// Unknown.
    pub unk: Option<u32>,
    /// Padding.
    pub pad: Option<u32>,
    /// Whether every text begins with `bos`.
    pub add_bos: bool,
    /// Whether every text ends with the first of `ends`.
    pub add_eos: bool,
    /// Templates of conversations, the default first.
    pub chat_templates: Vec<ChatTemplate>,
    /// How the authors sample.
    pub sampling: Sampling,
    /// The whole `tokenizer.json`.
    pub json: Option<String>,
    /// What programs that do not read `json` do otherwise: one sentence each.
    pub lost: Vec<String>,
}

impl HfDir {
    /// The templates of conversations, the default first.
    ///
    /// # Errors
    /// If a file is malformed.
    pub fn chat_templates(&self) -> Result<Vec<ChatTemplate>, HfError> {
        let settings = Settings::read(self.path())?;
        templates::read_all(self.path(), settings.get("chat_template"))
    }

    /// The special tokens that templates of conversations refer to by name: `bos_token` and
    /// others, with their texts.
    ///
    /// # Errors
    /// If a file is malformed.
    pub fn special_texts(&self) -> Result<Vec<(String, String)>, HfError> {
        Ok(Settings::read(self.path())?.texts())
    }

    /// How the model's authors sample.
    ///
    /// # Errors
    /// If a file is malformed.
    pub fn sampling(&self) -> Result<Sampling, HfError> {
        Ok(Generation::read(self.path())?.sampling)
    }

    /// The vocabulary of `tokenizer.json`; `None` if there is no such file.
    ///
    /// # Errors
    /// If a file is malformed, the name of the pre-tokenizer is unknown, or the tokenizer cannot
    /// be stored without its `tokenizer.json` and that is to be left out.
    pub fn vocabulary(
        &self,
        options: VocabularyOptions<'_>,
    ) -> Result<Option<Vocabulary>, HfError> {
        let path = self.tokenizer_path();
        let refuse = |reason: String| HfError::Tokenizer { path: path.clone(), reason };
        if let Some(name) = options.pre.filter(|name| !is_known_pre(name)) {
            return Err(refuse(format!(
                "no pre-tokenizer is called {name:?} in GGUF files; known are, among others: \
                 default, gpt-2, llama-bpe, qwen2, tekken, gpt-4o, smollm"
            )));
        }
        let Some(files) = TextFiles::open(self.path())? else { return Ok(None) };
        let kept = files.json.keep(self.config.vocab_size).map_err(refuse)?;
        let pre = options.pre.or(kept.pre);
        let mut lost = lost(&kept, pre);
        if options.without_json && (!kept.byte_level_bpe || pre.is_none()) {
            return Err(refuse(format!(
                "it cannot be stored without the whole tokenizer.json: {}",
                lost.first().map_or("", String::as_str)
            )));
        }
        let has_row = |id: &u32| (*id as usize) < kept.tokens.len();
        let mut ends: Vec<u32> = files.ends.iter().copied().filter(has_row).collect();
        let edges = Edges::of(&files, &mut ends, &mut lost);
        let bos = edges.bos.filter(has_row);
        let text = |id: u32| kept.tokens.get(id as usize).map(String::as_str);
        let untold = stop_tokens::places(&ends, text).untold;
        if !untold.is_empty() {
            let untold: Vec<_> = untold.into_iter().filter_map(text).collect();
            lost.push(format!(
                "other programs do not stop at {}: they can be told of three stop tokens",
                untold.join(", ")
            ));
        }
        if ends.is_empty() {
            lost.push("no file says which token ends a text: llama.cpp takes token 11".into());
        }
        Ok(Some(Vocabulary {
            model: if kept.byte_level_bpe { "gpt2" } else { "none" },
            pre: pre.map(String::from),
            bos,
            ends,
            unk: files.special.unk.filter(has_row),
            pad: files.special.pad.filter(has_row),
            // What has no row is no token of the model.
            add_bos: edges.add_bos && bos.is_some(),
            add_eos: edges.add_eos,
            chat_templates: templates::read_all(self.path(), files.settings.get("chat_template"))?,
            sampling: files.sampling,
            json: (!options.without_json).then(|| files.json.to_text()),
            lost,
            tokens: kept.tokens,
            kinds: kept.kinds,
            merges: kept.merges,
        }))
    }
}

/// What is lost by what is kept, and by a pre-tokenizer without a name.
fn lost(kept: &Kept, pre: Option<&str>) -> Vec<String> {
    let mut lost = kept.lost.clone();
    if kept.byte_level_bpe && pre.is_none() {
        let problem = "other programs cut texts in their default way: its pre-tokenizer has no \
                       name in GGUF files; give an equivalent one by --pre if there is";
        lost.insert(0, problem.into());
    }
    lost
}

/// What GGUF's keys can say about the tokens around a text.
struct Edges {
    bos: Option<u32>,
    add_bos: bool,
    add_eos: bool,
}

impl Edges {
    fn of(files: &TextFiles, ends: &mut [u32], lost: &mut Vec<String>) -> Self {
        let edges = files.json.edges();
        let add_bos = !edges.prefix.is_empty();
        if edges.prefix.len() > 1 {
            lost.push(format!(
                "other programs put only the first of {} tokens before a text",
                edges.prefix.len()
            ));
        }
        // A token after every text is GGUF's end of text, if it is one.
        let last = edges.suffix.first().copied();
        let place = last.and_then(|last| ends.iter().position(|&id| id == last));
        if let Some(place) = place {
            ends[..=place].rotate_right(1);
        }
        if !edges.suffix.is_empty() && (place.is_none() || edges.suffix.len() > 1) {
            lost.push(format!(
                "other programs do not put the tokens {:?} after a text",
                edges.suffix
            ));
        }
        let bos = edges.prefix.first().copied().or(files.special.bos);
        Edges { bos, add_bos, add_eos: place.is_some() }
    }
}
