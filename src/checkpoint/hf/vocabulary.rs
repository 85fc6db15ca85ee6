//! `tokenizer.json` and `tokenizer_config.json` as the vocabulary a GGUF file carries.

use std::collections::BTreeMap;
use std::format;
use std::path::Path;
use std::string::String;
use std::vec;
use std::vec::Vec;

use serde::Deserialize;
use serde_json::Value;

use super::pre_tokenizer::PreTokenizer;
use super::{HfDir, HfError, read_json};

/// What a token is, as GGUF numbers it (`tokenizer.ggml.token_type`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum TokenKind {
    /// Ordinary text.
    Normal = 1,
    /// Never produced from text.
    Control = 3,
    /// Text that is always one token.
    UserDefined = 4,
    /// A row of the embedding without a token.
    Unused = 5,
}

/// A byte-level BPE vocabulary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vocabulary {
    /// The tokens by id, one per row of the embedding; bytes as GPT-2's printable characters.
    pub tokens: Vec<String>,
    /// Their kinds.
    pub kinds: Vec<TokenKind>,
    /// The merges by rank, both parts separated by a space.
    pub merges: Vec<String>,
    /// GGUF's name of the pre-tokenizer.
    pub pre: String,
    /// Begin of sequence.
    pub bos: Option<u32>,
    /// End of sequence.
    pub eos: Option<u32>,
    /// Unknown.
    pub unk: Option<u32>,
    /// Padding.
    pub pad: Option<u32>,
    /// Whether every text begins with `bos`; `None` if the files do not say.
    pub add_bos: Option<bool>,
    /// Whether every text ends with `eos`; `None` if the files do not say.
    pub add_eos: Option<bool>,
    /// Jinja template of a conversation.
    pub chat_template: Option<String>,
}

#[derive(Deserialize)]
struct TokenizerJson {
    #[serde(default)]
    added_tokens: Vec<AddedToken>,
    normalizer: Option<Value>,
    pre_tokenizer: Option<PreTokenizer>,
    #[serde(default)]
    post_processor: Value,
    model: Model,
}

#[derive(Deserialize)]
struct AddedToken {
    id: u32,
    content: String,
    special: bool,
}

#[derive(Deserialize)]
#[serde(tag = "type")]
enum Model {
    #[serde(rename = "BPE")]
    Bpe {
        vocab: BTreeMap<String, u32>,
        merges: Vec<Merge>,
        #[serde(default)]
        byte_fallback: bool,
    },
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Merge {
    Text(String),
    Pair(String, String),
}

impl HfDir {
    /// The vocabulary of `tokenizer.json`; `None` if there is no such file. `pre` overrules the
    /// name of the pre-tokenizer, which is otherwise recognised from its definition.
    ///
    /// # Errors
    /// If the files are malformed or describe something other than byte-level BPE with a known
    /// pre-tokenizer.
    pub fn vocabulary(&self, pre: Option<&str>) -> Result<Option<Vocabulary>, HfError> {
        let path = self.tokenizer_path();
        if !path.exists() {
            return Ok(None);
        }
        let json: TokenizerJson = read_json(&path)?;
        let refuse = |reason: String| HfError::Tokenizer { path: path.clone(), reason };
        let pre = pre_name(pre, &json).map_err(refuse)?;
        let settings = settings(self.path())?;
        let special = |kind: &str, fallback: Option<u32>| {
            setting_token(&settings, kind, &json.added_tokens).or(fallback)
        };
        let ids = self.special_tokens();
        let (bos, eos) = (special("bos_token", ids.bos), special("eos_token", ids.eos));
        let template = Template::of(&json.post_processor);
        let adds = |key: &str, edge: Option<&str>, id: Option<u32>| {
            let named = edge.map(|token| id.is_some() && json.id_of(token) == id);
            settings.get(key).and_then(Value::as_bool).or(named)
        };
        Ok(Some(Vocabulary {
            bos,
            eos,
            unk: special("unk_token", None),
            pad: special("pad_token", ids.pad),
            add_bos: adds("add_bos_token", template.first.as_deref(), bos),
            add_eos: adds("add_eos_token", template.last.as_deref(), eos),
            chat_template: chat_template(self.path(), &settings)?,
            pre,
            ..json.tokens(self.config.vocab_size).map_err(refuse)?
        }))
    }
}

impl TokenizerJson {
    fn id_of(&self, token: &str) -> Option<u32> {
        self.added_tokens.iter().find(|added| added.content == token).map(|added| added.id)
    }

    /// Tokens, kinds and merges; the rest empty.
    fn tokens(&self, rows: usize) -> Result<Vocabulary, String> {
        let (vocab, merges) = match &self.model {
            Model::Bpe { vocab, merges, byte_fallback: false } => (vocab, merges),
            Model::Bpe { .. } => return Err("BPE with byte fallback is not supported".into()),
            Model::Other => return Err("only byte-level BPE is supported".into()),
        };
        let mut slots = vec![None; rows];
        let normal = vocab.iter().map(|(token, &id)| (token, id, TokenKind::Normal));
        let added = self.added_tokens.iter().map(|added| {
            let kind = if added.special { TokenKind::Control } else { TokenKind::UserDefined };
            (&added.content, added.id, kind)
        });
        for (token, id, kind) in normal.chain(added) {
            let slot =
                usize::try_from(id).ok().and_then(|id| slots.get_mut(id)).ok_or_else(|| {
                    format!("token {token:?} has id {id}, the embedding has {rows} rows")
                })?;
            match slot {
                Some((other, _)) if other != token => {
                    return Err(format!("id {id} is both {other:?} and {token:?}"));
                }
                _ => *slot = Some((token.clone(), kind)),
            }
        }
        let unused = |id| (format!("[PAD{id}]"), TokenKind::Unused);
        let (tokens, kinds) = slots
            .into_iter()
            .enumerate()
            .map(|(id, slot)| slot.unwrap_or_else(|| unused(id)))
            .unzip();
        let merges = merges.iter().map(Merge::text).collect::<Result<_, _>>()?;
        Ok(Vocabulary {
            tokens,
            kinds,
            merges,
            pre: String::new(),
            bos: None,
            eos: None,
            unk: None,
            pad: None,
            add_bos: None,
            add_eos: None,
            chat_template: None,
        })
    }
}

impl Merge {
    fn text(&self) -> Result<String, String> {
        let parts = match self {
            Merge::Text(text) => text.split_once(' '),
            Merge::Pair(left, right) => Some((left.as_str(), right.as_str())),
        };
        match parts {
            Some((left, right)) if !left.contains(' ') && !right.contains(' ') => {
                Ok(format!("{left} {right}"))
            }
            _ => Err("a merge is not a pair of byte-level tokens".into()),
        }
    }
}

fn pre_name(given: Option<&str>, json: &TokenizerJson) -> Result<String, String> {
    // GGUF has no key for normalizers; llama.cpp leaves NFC out.
    let normalizer = json.normalizer.as_ref().map(|n| n["type"].as_str());
    if !matches!(normalizer, None | Some(Some("NFC"))) {
        return Err("its normalizer cannot be stored in a GGUF file".into());
    }
    if let Some(name) = given {
        return Ok(name.into());
    }
    let known = json.pre_tokenizer.as_ref().and_then(PreTokenizer::gguf_name);
    known.map(Into::into).ok_or_else(|| {
        "its pre-tokenizer is none of gpt-2, llama-bpe, qwen2, tekken, gpt-4o, smollm; \
         name the equivalent one explicitly"
            .into()
    })
}

/// The special tokens that a template puts around one sequence.
#[derive(Default)]
struct Template {
    first: Option<String>,
    last: Option<String>,
}

impl Template {
    fn of(post_processor: &Value) -> Self {
        let steps = match post_processor["processors"].as_array() {
            Some(steps) => steps.as_slice(),
            None => std::slice::from_ref(post_processor),
        };
        let template = steps.iter().find(|step| step["type"] == "TemplateProcessing");
        let single = template.and_then(|step| step["single"].as_array());
        let special = |part: Option<&Value>| {
            part.and_then(|part| part["SpecialToken"]["id"].as_str()).map(Into::into)
        };
        let single = single.map(Vec::as_slice).unwrap_or_default();
        Template { first: special(single.first()), last: special(single.last()) }
    }
}

/// `tokenizer_config.json`, or nothing.
fn settings(dir: &Path) -> Result<Value, HfError> {
    let path = dir.join("tokenizer_config.json");
    if path.exists() { read_json(&path) } else { Ok(Value::Null) }
}

/// The id of a token that the settings name by its text.
fn setting_token(settings: &Value, kind: &str, added: &[AddedToken]) -> Option<u32> {
    let entry = &settings[kind];
    let text = entry.as_str().or_else(|| entry["content"].as_str())?;
    added.iter().find(|token| token.content == text).map(|token| token.id)
}

fn chat_template(dir: &Path, settings: &Value) -> Result<Option<String>, HfError> {
    if let Some(text) = settings["chat_template"].as_str() {
        return Ok(Some(text.into()));
    }
    let path = dir.join("chat_template.jinja");
    if !path.exists() {
        return Ok(None);
    }
    std::fs::read_to_string(&path).map(Some).map_err(|source| HfError::Io { path, source })
}
