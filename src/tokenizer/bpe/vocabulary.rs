//! The tokens of a file, found by number and by text.

use super::bytes::written;
use super::hash::{Filling, Hash, Table, Taken};
use super::keys::{self, TOKENS, bad};
use super::kind::{self, Kind};
use crate::Error;
use crate::checkpoint::gguf::{Array, Gguf};

/// Above the kind, in an entry: where a token begins in the file's array.
const OFFSET_SHIFT: u32 = kind::BITS;

/// Longest token that is matched as a whole, in bytes.
pub(super) const LONGEST_ADDED: usize = 256;

/// The tokens, and where they are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Vocabulary<'w, 's> {
    bytes: &'w [u8],
    entries: &'s [u32],
    table: Table<'s>,
}

impl<'w, 's> Vocabulary<'w, 's> {
    /// Indexes the strings of `tokens` in memory for one number each, and for the table.
    pub(super) fn new(
        gguf: &Gguf<'w>,
        tokens: &Array<'w>,
        entries: &'s mut [u32],
        slots: &'s mut [u32],
    ) -> Result<Self, Error> {
        let bytes = tokens.as_bytes();
        let ends = keys::ends(gguf, tokens.len())?;
        let mut kinds = keys::types(gguf)?.map(|kinds| kinds.iter());
        let mut offset = 0;
        for entry in entries.iter_mut() {
            let text = text_at(bytes, offset).ok_or(Error::OutOfRange("tokens"))?;
            let stated = kinds.as_mut().map(|kinds| kinds.next().and_then(|kind| kind.as_i64()));
            let kind = Kind::of(stated, ends.listed(), || text);
            if kind.is_added() && text.len() > LONGEST_ADDED {
                return Err(bad(TOKENS, "has a special token of more than 256 bytes"));
            }
            let start = u32::try_from(offset).ok().filter(|o| o.leading_zeros() >= OFFSET_SHIFT);
            let start = start.ok_or(bad(TOKENS, "is larger than 512 MiB"))?;
            *entry = start << OFFSET_SHIFT | kind.0;
            offset += LENGTH_BYTES + text.len();
        }
        for end in ends.iter() {
            if let Some(entry) = usize::try_from(end).ok().and_then(|end| entries.get_mut(end)) {
                *entry |= Kind::in_bits(*entry).and_end().0;
            }
        }
        let mut filling = Filling::new(slots);
        for (id, entry) in (0u32..).zip(entries.iter()) {
            let text = text_of(bytes, *entry);
            let hash = Hash::new().bytes(text.iter().copied());
            let same = |other| text_by(bytes, entries, other) == Some(text);
            filling.enter(hash, id, same).map_err(|taken| match taken {
                Taken::By(_) => bad(TOKENS, "has a token twice"),
                Taken::Crowded => bad(TOKENS, "has texts that were chosen to collide"),
            })?;
        }
        Ok(Vocabulary { bytes, entries, table: filling.done() })
    }

    /// How many tokens there are.
    pub(super) const fn len(&self) -> usize {
        self.entries.len()
    }

    fn entry(&self, id: u32) -> Option<u32> {
        self.entries.get(usize::try_from(id).ok()?).copied()
    }

    /// The text of a token as the file has it.
    pub(super) fn text(&self, id: u32) -> Option<&'w [u8]> {
        text_by(self.bytes, self.entries, id)
    }

    /// What a token is.
    pub(super) fn kind(&self, id: u32) -> Option<Kind> {
        self.entry(id).map(Kind::in_bits)
    }

    /// The token of these bytes of a text.
    pub(super) fn of_bytes(&self, bytes: &[u8]) -> Option<u32> {
        let hash = Hash::new().bytes(written(bytes));
        self.table.find(hash, |id| {
            self.text(id).is_some_and(|text| written(bytes).eq(text.iter().copied()))
        })
    }

    /// The token whose text is `left` and `right`.
    pub(super) fn of_parts(&self, left: &[u8], right: &[u8]) -> Option<u32> {
        let hash = Hash::new().bytes(left.iter().chain(right).copied());
        self.of_text(hash, |text| text.strip_prefix(left) == Some(right))
    }

    /// The token of this hash whose text `is_it`.
    pub(super) fn of_text(&self, hash: Hash, is_it: impl Fn(&[u8]) -> bool) -> Option<u32> {
        self.table.find(hash, |id| self.text(id).is_some_and(&is_it))
    }
}

/// Bytes of the length before each string.
const LENGTH_BYTES: usize = 8;

/// The string that begins at `offset` of an array's bytes.
pub(super) fn text_at(bytes: &[u8], offset: usize) -> Option<&[u8]> {
    let (length, rest) = bytes.get(offset..)?.split_first_chunk::<LENGTH_BYTES>()?;
    rest.get(..usize::try_from(u64::from_le_bytes(*length)).ok()?)
}

fn text_of(bytes: &[u8], entry: u32) -> &[u8] {
    text_at(bytes, (entry >> OFFSET_SHIFT) as usize).unwrap_or_default()
}

fn text_by<'w>(bytes: &'w [u8], entries: &[u32], id: u32) -> Option<&'w [u8]> {
    entries.get(usize::try_from(id).ok()?).map(|&entry| text_of(bytes, entry))
}
