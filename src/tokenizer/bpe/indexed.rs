//! A vocabulary with indexes in the caller's memory: a token or a merge is found at once.

use super::hash::{self, Hash};
use super::keys;
use super::kind::Kind;
use super::lookup::Lookup;
use super::merges::Merges;
use super::vocabulary::Vocabulary;
use super::word;
use crate::Error;
use crate::checkpoint::gguf::Gguf;

/// Tokens of single bytes.
const BYTES: usize = 256;
/// In place of a token that the vocabulary lacks.
const NO_TOKEN: u32 = u32::MAX;

/// The tokens and merges of a file, and indexes of both.
#[derive(Clone, Copy, Debug)]
pub struct Indexed<'w, 's> {
    vocabulary: Vocabulary<'w, 's>,
    merges: Merges<'s>,
    /// The tokens of single bytes, or [`NO_TOKEN`].
    bytes: &'s [u32],
}

impl<'w, 's> Indexed<'w, 's> {
    pub(super) fn memory_len(gguf: &Gguf<'_>) -> Result<usize, Error> {
        let tokens = keys::tokens(gguf)?.len();
        let merges = keys::merges(gguf)?.map_or(0, |merges| merges.len());
        let of_tokens = tokens.saturating_add(hash::places(tokens));
        let of_merges = merges.saturating_mul(3).saturating_add(hash::places(merges));
        Ok(BYTES.saturating_add(of_tokens).saturating_add(of_merges))
    }

    /// In memory as long as [`Indexed::memory_len`] says.
    pub(super) fn new(gguf: &Gguf<'w>, memory: &'s mut [u32]) -> Result<Self, Error> {
        let (tokens, merges) = (keys::tokens(gguf)?, keys::merges(gguf)?);
        let rules = merges.map_or(0, |merges| merges.len());
        let mut rest = memory;
        let mut piece = |n: usize| -> Result<&'s mut [u32], Error> {
            let split = core::mem::take(&mut rest).split_at_mut_checked(n);
            let (piece, after) = split.ok_or(Error::OutOfRange("memory"))?;
            rest = after;
            Ok(piece)
        };
        let (bytes, entries) = (piece(BYTES)?, piece(tokens.len())?);
        let (token_slots, rule_memory) = (piece(hash::places(tokens.len()))?, piece(3 * rules)?);
        let rule_slots = piece(hash::places(rules))?;

        let vocabulary = Vocabulary::new(gguf, &tokens, entries, token_slots)?;
        let rule_memory = rule_memory.as_chunks_mut().0;
        let merges = Merges::new(merges.as_ref(), &vocabulary, rule_memory, rule_slots)?;
        for (byte, token) in (0..=u8::MAX).zip(bytes.iter_mut()) {
            *token = vocabulary.of_bytes(&[byte]).unwrap_or(NO_TOKEN);
        }
        Ok(Indexed { vocabulary, merges, bytes })
    }
}

impl<'w> Lookup<'w> for Indexed<'w, '_> {
    fn count(&self) -> usize {
        self.vocabulary.len()
    }

    fn text(&self, id: u32) -> Option<&'w [u8]> {
        self.vocabulary.text(id)
    }

    fn is_control(&self, id: u32) -> bool {
        self.vocabulary.kind(id).is_some_and(Kind::is_control)
    }

    fn is_end(&self, id: u32) -> bool {
        self.vocabulary.kind(id).is_some_and(Kind::is_end)
    }

    fn added(&self) -> impl Iterator<Item = &'w [u8]> {
        let is_added = |id: &u32| self.vocabulary.kind(*id).is_some_and(Kind::is_added);
        (0u32..).take(self.count()).filter(is_added).filter_map(|id| self.text(id))
    }

    fn added_of(&self, hash: Hash, text: &[u8]) -> Option<u32> {
        let id = self.vocabulary.of_text(hash, |token| token == text);
        id.filter(|&id| self.vocabulary.kind(id).is_some_and(Kind::is_added))
    }

    fn of_bytes(&self, bytes: &[u8]) -> Option<u32> {
        self.vocabulary.of_bytes(bytes)
    }

    fn cut(&self, word: &[u8], work: &mut [u32], each: &mut dyn FnMut(u32)) -> Result<(), Error> {
        let ids = word.iter().map(|&byte| {
            let id = self.bytes.get(usize::from(byte)).copied().filter(|&id| id != NO_TOKEN);
            id.ok_or(Error::NoTokenForByte(byte))
        });
        word::merge(ids, &self.merges, work, each)
    }
}
