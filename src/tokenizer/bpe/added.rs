//! Tokens that are matched in a text as a whole: special tokens and those added by hand.

use super::hash::Hash;
use super::lookup::Lookup;
use super::vocabulary::LONGEST_ADDED;

/// Whether text may name special tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Special {
    /// `</s>` in the text is the token: prompts.
    Parse,
    /// `</s>` in the text is four characters: text to be measured.
    Plain,
}

/// A set of small numbers.
#[derive(Clone, Copy, Debug)]
struct Bits([u32; 8]);

impl Bits {
    fn insert(&mut self, n: u8) {
        if let Some(word) = self.0.get_mut(usize::from(n >> 5)) {
            *word |= 1 << (n & 31);
        }
    }

    fn has(&self, n: u8) -> bool {
        self.0.get(usize::from(n >> 5)).is_some_and(|word| word >> (n & 31) & 1 == 1)
    }
}

/// What such tokens begin with and how long they are, so that most places of a text are no
/// question.
#[derive(Clone, Copy, Debug)]
pub(super) struct Added {
    first_bytes: Bits,
    /// Less 1.
    lengths: Bits,
    longest: usize,
}

/// A token in a text, from byte to byte.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found {
    pub id: u32,
    pub start: usize,
    pub end: usize,
}

impl Added {
    pub(super) fn new<'w>(vocabulary: &impl Lookup<'w>) -> Self {
        let none = Bits([0; 8]);
        let mut added = Added { first_bytes: none, lengths: none, longest: 0 };
        for text in vocabulary.added() {
            let length = text.len().checked_sub(1).and_then(|n| u8::try_from(n).ok());
            if let (Some(first), Some(length)) = (text.first(), length) {
                added.first_bytes.insert(*first);
                added.lengths.insert(length);
                added.longest = added.longest.max(text.len());
            }
        }
        added
    }

    /// The first such token of `text`, the longest that begins there. Special tokens count only
    /// where they are parsed; where not, what they cover holds no other.
    pub(super) fn first<'w>(
        &self,
        vocabulary: &impl Lookup<'w>,
        text: &str,
        special: Special,
    ) -> Option<Found> {
        let mut start = 0;
        loop {
            let rest = text.as_bytes().get(start..)?;
            start += rest.iter().position(|&byte| self.first_bytes.has(byte))?;
            match self.longest_at(vocabulary, text.as_bytes().get(start..)?) {
                None => start += 1,
                Some((id, length)) => {
                    let end = start + length;
                    if special == Special::Parse || !vocabulary.is_control(id) {
                        return Some(Found { id, start, end });
                    }
                    start = end;
                }
            }
        }
    }

    /// The longest such token that `text` begins with, and its length.
    fn longest_at<'w>(&self, vocabulary: &impl Lookup<'w>, text: &[u8]) -> Option<(u32, usize)> {
        let text = text.get(..text.len().min(self.longest))?;
        let (mut hash, mut found) = (Hash::new(), None);
        for (less, &byte) in (0..LONGEST_ADDED).zip(text) {
            hash = hash.byte(byte);
            if self.lengths.has(less as u8) {
                let length = less + 1;
                let id = text.get(..length).and_then(|text| vocabulary.added_of(hash, text));
                found = id.map(|id| (id, length)).or(found);
            }
        }
        found
    }
}
