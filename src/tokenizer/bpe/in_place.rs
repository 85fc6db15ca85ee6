//! A vocabulary without indexes: tokens and merges are searched for in the file, from the first on.
//!
//! A word is cut by walking through the merges until one joins two of its parts, and again from
//! the first; its tokens are found by walking through the vocabulary. That takes instructions in
//! proportion to the vocabulary for every token, and for a word in proportion to its length
//! squared, but no memory beyond the word's own: for prompts on microcontrollers.

use core::cell::Cell;

use super::bytes::{byte_of, written};
use super::hash::Hash;
use super::keys::{self, Ends, MERGES, bad};
use super::kind::Kind;
use super::lookup::Lookup;
use crate::Error;
use crate::checkpoint::gguf::{Array, Gguf};

/// The strings of an array as the file has them.
#[derive(Clone, Copy, Debug)]
struct Strings<'w>(&'w [u8]);

impl<'w> Iterator for Strings<'w> {
    type Item = &'w [u8];

    fn next(&mut self) -> Option<&'w [u8]> {
        let (length, rest) = self.0.split_first_chunk::<8>()?;
        let length = usize::try_from(u64::from_le_bytes(*length)).ok()?;
        let (text, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some(text)
    }
}

/// The tokens and merges of a file, where they are.
#[derive(Clone, Copy, Debug)]
pub struct InPlace<'w> {
    tokens: Array<'w>,
    merges: Strings<'w>,
    kinds: Option<Array<'w>>,
    ends: Ends<'w>,
}

impl<'w> InPlace<'w> {
    /// u32 elements of work that one byte of a word takes: where its part ends, and its two bytes
    /// as vocabularies write them.
    const PER_BYTE: usize = 2;

    /// u32 elements of work that [`Bpe::encode`](super::Bpe::encode) takes for text whose longest
    /// word has so many bytes.
    pub const fn work_len(longest_word: usize) -> usize {
        longest_word.saturating_mul(Self::PER_BYTE)
    }

    pub(super) fn new(gguf: &Gguf<'w>) -> Result<Self, Error> {
        let tokens = keys::tokens(gguf)?;
        let merges = keys::merges(gguf)?.map(|merges| merges.as_bytes());
        Ok(InPlace {
            merges: Strings(merges.unwrap_or_default()),
            kinds: keys::types(gguf)?,
            ends: keys::ends(gguf, tokens.len())?,
            tokens,
        })
    }

    fn texts(&self) -> Strings<'w> {
        Strings(self.tokens.as_bytes())
    }

    fn kind(&self, id: u32) -> Option<Kind> {
        let place = usize::try_from(id).ok().filter(|place| *place < self.tokens.len())?;
        let stated = self.kinds.map(|kinds| kinds.get(place).and_then(|kind| kind.as_i64()));
        let text = || self.text(id).unwrap_or_default();
        Some(Kind::of(stated, self.ends.listed(), text))
    }

    /// The texts of all tokens and what they are.
    fn with_kinds(&self) -> impl Iterator<Item = (&'w [u8], Kind)> + use<'w> {
        let (mut kinds, listed) = (self.kinds.map(|kinds| kinds.iter()), self.ends.listed());
        self.texts().map(move |text| {
            let stated = kinds.as_mut().map(|kinds| kinds.next().and_then(|kind| kind.as_i64()));
            (text, Kind::of(stated, listed, || text))
        })
    }

    /// The place of the two parts that are joined next: those of the first merge that has any,
    /// the leftmost. Parts end where `ends` says.
    fn next(&self, word: &[u8], ends: &[u32]) -> Option<usize> {
        // Which lengths two neighbours have together; longer ones share a bit.
        let (mut lengths, mut start) = (0u32, 0);
        for pair in ends.windows(2) {
            if let [middle, end] = *pair {
                lengths |= 1 << (end - start).min(u32::BITS - 1);
                start = middle;
            }
        }
        let mut merges = self.merges;
        while let Some(merge) = merges.next() {
            let length = (merge.len() as u32).wrapping_sub(1).min(u32::BITS - 1);
            if lengths >> length & 1 == 0 {
                continue;
            }
            let (place, mut rest) = (place_of(merge, word, ends), merges);
            // Of a merge that is there twice the last one counts, as in the `tokenizers` crate.
            if place.is_some() && !rest.any(|later| later == merge) {
                return place;
            }
        }
        None
    }

    /// The token of this text.
    fn of_text(&self, text: &[u8]) -> Option<u32> {
        (0u32..).zip(self.texts()).find(|(_, token)| *token == text).map(|(id, _)| id)
    }
}

/// Where `merge`, two texts and a space between them, joins two parts of a word.
fn place_of(merge: &[u8], word: &[u8], ends: &[u32]) -> Option<usize> {
    let mut start = 0;
    ends.windows(2).position(|pair| {
        let [middle, end] = *pair else { return false };
        let left = part(word, start, middle);
        start = middle;
        // The first token of a byte-level vocabulary has no space.
        merge.len() == left.len() + 1 + (end - middle) as usize
            && merge.strip_prefix(left).and_then(|rest| rest.strip_prefix(b" "))
                == Some(part(word, middle, end))
    })
}

fn part(word: &[u8], start: u32, end: u32) -> &[u8] {
    word.get(start as usize..end as usize).unwrap_or_default()
}

/// Makes one of the parts at `place` and after it.
fn join(ends: &mut [u32], place: usize) {
    let after = ends.get_mut(place..).unwrap_or_default();
    for pair in Cell::from_mut(after).as_slice_of_cells().windows(2) {
        if let [end, next] = pair {
            end.set(next.get());
        }
    }
}

/// Why a part of a word is no token.
fn no_token(part: &[u8]) -> Error {
    let mut chars = core::str::from_utf8(part).unwrap_or_default().chars();
    match (chars.next().and_then(byte_of), chars.next()) {
        (Some(byte), None) => Error::NoTokenForByte(byte),
        _ => bad(MERGES, "has a merge whose tokens are not in the vocabulary"),
    }
}

impl<'w> Lookup<'w> for InPlace<'w> {
    fn count(&self) -> usize {
        self.tokens.len()
    }

    fn text(&self, id: u32) -> Option<&'w [u8]> {
        self.texts().nth(usize::try_from(id).ok()?)
    }

    fn is_control(&self, id: u32) -> bool {
        self.kind(id).is_some_and(Kind::is_control)
    }

    fn is_end(&self, id: u32) -> bool {
        self.ends.iter().any(|end| end == id) || self.kind(id).is_some_and(Kind::is_end)
    }

    fn added(&self) -> impl Iterator<Item = &'w [u8]> {
        self.with_kinds().filter(|(_, kind)| kind.is_added()).map(|(text, _)| text)
    }

    fn added_of(&self, _hash: Hash, text: &[u8]) -> Option<u32> {
        let mut tokens = (0u32..).zip(self.with_kinds());
        let found = tokens.find(|(_, (token, kind))| *token == text && kind.is_added());
        found.map(|(id, _)| id)
    }

    fn of_bytes(&self, bytes: &[u8]) -> Option<u32> {
        let is_it = |token: &[u8]| written(bytes).eq(token.iter().copied());
        (0u32..).zip(self.texts()).find(|(_, token)| is_it(token)).map(|(id, _)| id)
    }

    fn cut(&self, word: &[u8], work: &mut [u32], each: &mut dyn FnMut(u32)) -> Result<(), Error> {
        let (needed, found) = (Self::work_len(word.len()), work.len());
        let short = Error::Memory { what: "the tokenizer's work", needed, found };
        let work = work.get_mut(..needed).ok_or(short)?;
        let (ends, text) = work.split_at_mut_checked(word.len()).ok_or(short)?;
        let text: &mut [u8] = bytemuck::try_cast_slice_mut(text).map_err(|_| short)?;

        let (mut places, mut length) = (text.iter_mut(), 0);
        for (byte, end) in word.iter().zip(ends.iter_mut()) {
            for (byte, place) in written(core::slice::from_ref(byte)).zip(places.by_ref()) {
                *place = byte;
                length += 1;
            }
            *end = length;
        }
        let text = text.get(..length as usize).ok_or(short)?;
        let mut parts = ends;
        while let Some(place) = self.next(text, parts) {
            join(parts, place);
            let (_, fewer) = parts.split_last_mut().ok_or(short)?;
            parts = fewer;
        }
        let mut start = 0;
        for &mut end in parts {
            let part = part(text, start, end);
            each(self.of_text(part).ok_or_else(|| no_token(part))?);
            start = end;
        }
        Ok(())
    }
}
