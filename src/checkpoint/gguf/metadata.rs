//! The metadata pairs.

use super::cursor::Cursor;
use super::read::LongArrays;
use super::value::Value;
use super::{GgufError, GgufErrorKind};

/// Longest key accepted, in bytes. The format allows 65535; real keys have fewer than 100, and
/// the bound keeps the search for repeated keys cheap on hostile files.
const MAX_KEY: usize = 1024;

/// The pairs of a checked file, in file order.
#[derive(Clone, Debug)]
pub struct Metadata<'w> {
    pub(super) cursor: Cursor<'w>,
    pub(super) left: usize,
    pub(super) long: LongArrays,
}

impl<'w> Metadata<'w> {
    /// The next pair and where its key and its value begin.
    pub(super) fn next_at(&mut self) -> Option<(usize, &'w str, usize, Value<'w>)> {
        self.left = self.left.checked_sub(1)?;
        let at = self.cursor.position();
        let (at_value, key, value) = read_pair(&mut self.cursor, &self.long).ok()?;
        Some((at, key, at_value.position(), value))
    }

    /// The value that begins at `position`.
    pub(super) fn value_at(&self, position: usize) -> Option<Value<'w>> {
        Value::read(&mut self.cursor.at(position), &self.long).ok()
    }
}

impl<'w> Iterator for Metadata<'w> {
    type Item = (&'w str, Value<'w>);

    fn next(&mut self) -> Option<Self::Item> {
        self.next_at().map(|(_, key, _, value)| (key, value))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Metadata<'_> {}

/// Reads one pair; returns also where its value begins.
pub(super) fn read_pair<'w>(
    cursor: &mut Cursor<'w>,
    long: &LongArrays,
) -> Result<(Cursor<'w>, &'w str, Value<'w>), GgufError> {
    let at_key = *cursor;
    let key = cursor.string()?;
    if key.is_empty() || key.len() > MAX_KEY {
        return Err(at_key.error(GgufErrorKind::KeyLength(key.len() as u64)));
    }
    let at_value = *cursor;
    Ok((at_value, key, Value::read(cursor, long)?))
}
