//! What a file's keys say about its vocabulary: read by meaning, and refused where they have none.

use super::pre::{self, Pre};
use crate::Error;
use crate::checkpoint::gguf::{Array, Gguf, Value, ValueType};
use crate::checkpoint::stop_tokens;

pub(super) const TOKENS: &str = "tokenizer.ggml.tokens";
pub(super) const MERGES: &str = "tokenizer.ggml.merges";
const TYPES: &str = "tokenizer.ggml.token_type";

pub(super) fn bad(key: &'static str, problem: &'static str) -> Error {
    Error::BadKey { key: key.into(), problem }
}

/// The value of `key` as `read` takes it.
fn optional<'w, T>(
    gguf: &Gguf<'w>,
    key: &'static str,
    problem: &'static str,
    read: impl Fn(Value<'w>) -> Option<T>,
) -> Result<Option<T>, Error> {
    let Some(value) = gguf.get(key) else { return Ok(None) };
    read(value).map(Some).ok_or(bad(key, problem))
}

/// The array of strings called `key`.
fn strings<'w>(gguf: &Gguf<'w>, key: &'static str) -> Result<Option<Array<'w>>, Error> {
    optional(gguf, key, "is not an array of strings", |value| {
        value.as_array().filter(|array| array.element_type() == ValueType::Str)
    })
}

/// The array of integers called `key`, of any width.
fn integers<'w>(gguf: &Gguf<'w>, key: &'static str) -> Result<Option<Array<'w>>, Error> {
    optional(gguf, key, "is not an array of integers", |value| {
        value.as_array().filter(|array| array.iter().all(|value| value.as_i64().is_some()))
    })
}

/// The tokens.
pub(super) fn tokens<'w>(gguf: &Gguf<'w>) -> Result<Array<'w>, Error> {
    strings(gguf, TOKENS)?.ok_or(Error::MissingKey(TOKENS.into()))
}

/// The merges, if there are any.
pub(super) fn merges<'w>(gguf: &Gguf<'w>) -> Result<Option<Array<'w>>, Error> {
    strings(gguf, MERGES)
}

/// The types of the tokens; `None` if the file does not say.
pub(super) fn types<'w>(gguf: &Gguf<'w>) -> Result<Option<Array<'w>>, Error> {
    integers(gguf, TYPES)
}

/// The id of a token; -1, and a number beyond the vocabulary, are none.
fn id(gguf: &Gguf<'_>, key: &'static str, tokens: usize) -> Result<Option<u32>, Error> {
    let id = optional(gguf, key, "is not the id of a token", |value| value.as_i64())?;
    Ok(id.and_then(|id| in_vocabulary(id, tokens)))
}

fn in_vocabulary(id: i64, tokens: usize) -> Option<u32> {
    let id = u32::try_from(id).ok()?;
    usize::try_from(id).is_ok_and(|id| id < tokens).then_some(id)
}

/// `tokenizer.ggml.bos_token_id`.
pub(super) fn bos(gguf: &Gguf<'_>, tokens: usize) -> Result<Option<u32>, Error> {
    id(gguf, "tokenizer.ggml.bos_token_id", tokens)
}

/// The tokens before and after every text.
pub(super) fn edges(
    gguf: &Gguf<'_>,
    tokens: usize,
    by_name: bool,
) -> Result<[Option<u32>; 2], Error> {
    const ADD_BOS: &str = "tokenizer.ggml.add_bos_token";
    let flag = |key| optional(gguf, key, "is not true or false", |value| value.as_bool());
    let (bos, add) = (bos(gguf, tokens)?, flag(ADD_BOS)?);
    if add == Some(true) && bos.is_none() {
        return Err(bad(
            ADD_BOS,
            "asks for a token that tokenizer.ggml.bos_token_id does not name",
        ));
    }
    let eos = id(gguf, stop_tokens::KEYS[0], tokens)?;
    let add_eos = flag("tokenizer.ggml.add_eos_token")? == Some(true);
    Ok([bos.filter(|_| add.unwrap_or(by_name)), eos.filter(|_| add_eos)])
}

/// The stop tokens that keys name.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ends<'w> {
    keyed: [Option<u32>; stop_tokens::KEYS.len()],
    list: Option<Array<'w>>,
    tokens: usize,
}

impl<'w> Ends<'w> {
    /// Whether these are all, so that texts need not be looked at.
    pub(super) const fn listed(&self) -> bool {
        self.list.is_some()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = u32> + use<'w> {
        let (list, tokens) = (self.list.map(|list| list.iter()), self.tokens);
        let list = list.into_iter().flatten().filter_map(|value| value.as_i64());
        let list = list.filter_map(move |id| in_vocabulary(id, tokens));
        self.keyed.into_iter().flatten().chain(list)
    }
}

/// The stop tokens that keys name.
pub(super) fn ends<'w>(gguf: &Gguf<'w>, tokens: usize) -> Result<Ends<'w>, Error> {
    let mut keyed = [None; stop_tokens::KEYS.len()];
    for (end, key) in keyed.iter_mut().zip(stop_tokens::KEYS) {
        *end = id(gguf, key, tokens)?;
    }
    Ok(Ends { keyed, list: integers(gguf, stop_tokens::LIST_KEY)?, tokens })
}

/// How text is cut.
pub(super) fn pre(gguf: &Gguf<'_>) -> Result<Pre, Error> {
    const MODEL: &str = "tokenizer.ggml.model";
    const PRE: &str = "tokenizer.ggml.pre";
    let text = |key| optional(gguf, key, "is not a text", |value| value.as_str());
    if text(MODEL)? != Some("gpt2") {
        let problem = "does not say \"gpt2\" (byte-level BPE), the only kind that is supported";
        return Err(bad(MODEL, problem));
    }
    let name = text(PRE)?.unwrap_or("default");
    pre::find(name).ok_or(bad(PRE, "names a pre-tokenizer that is not known"))
}
