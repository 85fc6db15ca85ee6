//! What every token of a vocabulary writes in the middle of a text, in bytes: for grammars, which
//! are matched byte by byte.

use std::collections::HashMap;
use std::string::String;
use std::vec::Vec;

use super::bpe::TokenBytes;
use super::{Tokenizer, TokenizerError, guarded};

/// What a decoder writes for bytes that are no character.
const UNKNOWN: char = '\u{fffd}';

/// What a token writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Word {
    /// These bytes, which need not be whole characters.
    Text(Vec<u8>),
    /// Nothing: it is a special token of this name.
    Special(String),
    /// Nothing that could be told: the vocabulary has no such token, or a decoder that writes it
    /// only beside others.
    Unknown,
}

impl Tokenizer {
    /// What each of `count` tokens writes, by id.
    ///
    /// # Errors
    /// What the `tokenizers` crate reports.
    pub fn words(&self, count: usize) -> Result<Vec<Word>, TokenizerError> {
        let added = self.inner.get_added_tokens_decoder();
        let added: HashMap<u32, _> = added.into_iter().collect();
        let before = self.text_before()?;
        let ids = (0..count).map(|id| u32::try_from(id).unwrap_or(u32::MAX));
        ids.map(|id| match added.get(&id) {
            Some(token) if token.special => Ok(Word::Special(token.content.clone())),
            Some(token) => Ok(Word::Text(token.content.clone().into_bytes())),
            None => self.word(id, &before),
        })
        .collect()
    }

    fn word(&self, id: u32, before: &(u32, String)) -> Result<Word, TokenizerError> {
        let Some(written) = self.inner.id_to_token(id) else { return Ok(Word::Unknown) };
        if self.decodes_by_bytes {
            return Ok(Word::Text(TokenBytes::new(written.as_bytes()).collect()));
        }
        if self.is_lone_byte(id) {
            let byte = written.get(3..5).and_then(|digits| u8::from_str_radix(digits, 16).ok());
            return Ok(byte.map_or(Word::Unknown, |byte| Word::Text([byte].into())));
        }
        let (first, before) = before;
        let text =
            guarded("the tokenizer's decoder fails", || self.inner.decode(&[*first, id], false))?;
        let text = text.strip_prefix(before.as_str());
        let text = text.filter(|text| !text.is_empty() && !text.contains(UNKNOWN));
        Ok(text.map_or(Word::Unknown, |text| Word::Text(text.as_bytes().to_vec())))
    }

    /// A token with a text, and that: decoders treat the first token of a text differently, which
    /// another one therefore is to be.
    fn text_before(&self) -> Result<(u32, String), TokenizerError> {
        let first = self.encode("a", super::Special::Plain)?.last().copied().unwrap_or(0);
        Ok((first, self.decode_with_special(&[first])?))
    }
}
