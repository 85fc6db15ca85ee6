//! Metadata arrays: iterators over the file's own bytes.

use super::cursor::Cursor;
use super::value::{Value, ValueType};
use super::{GgufError, GgufErrorKind};

/// An array of scalars or strings, borrowed from the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Array<'w> {
    element_type: ValueType,
    len: usize,
    bytes: &'w [u8],
}

impl<'w> Array<'w> {
    /// The type of every element.
    pub const fn element_type(&self) -> ValueType {
        self.element_type
    }

    /// Number of elements.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no elements.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The elements as the file holds them.
    pub const fn as_bytes(&self) -> &'w [u8] {
        self.bytes
    }

    /// The elements.
    pub const fn iter(&self) -> Elements<'w> {
        Elements {
            cursor: Cursor::new(self.bytes, 0),
            element_type: self.element_type,
            left: self.len,
        }
    }

    /// Element `index`.
    pub fn get(&self, index: usize) -> Option<Value<'w>> {
        self.iter().nth(index)
    }

    /// The elements of an array of strings, if all of them are UTF-8.
    pub fn strs(&self) -> Option<impl Iterator<Item = &'w str> + Clone + use<'w>> {
        self.converted(ValueType::Str, |value| value.as_str())
    }

    /// The elements of an array of numbers, as [`Value::as_f32`] has them.
    pub fn f32s(&self) -> Option<impl ExactSizeIterator<Item = f32> + Clone + use<'w>> {
        self.converted(ValueType::F32, |value| value.as_f32())
    }

    /// The elements of an array of integers, if all of them fit.
    pub fn u32s(&self) -> Option<impl ExactSizeIterator<Item = u32> + Clone + use<'w>> {
        self.converted(ValueType::U32, |value| value.as_u32())
    }

    /// The elements of an array of integers, if all of them fit.
    pub fn i32s(&self) -> Option<impl ExactSizeIterator<Item = i32> + Clone + use<'w>> {
        self.converted(ValueType::I32, |value| value.as_i32())
    }

    /// The elements as another type, if each has a value there. Those of type `exact` are known
    /// to, strings apart.
    fn converted<T: Default>(
        &self,
        exact: ValueType,
        convert: fn(&Value<'w>) -> Option<T>,
    ) -> Option<impl ExactSizeIterator<Item = T> + Clone + use<'w, T>> {
        let known = self.element_type == exact && exact != ValueType::Str;
        let fits = known || self.iter().all(|value| convert(&value).is_some());
        let typed = !self.is_empty() || self.could_be(exact);
        (fits && typed).then(|| self.iter().map(move |value| convert(&value).unwrap_or_default()))
    }

    /// Whether the type of the elements, of which there are none, is one that converts.
    fn could_be(&self, exact: ValueType) -> bool {
        match exact {
            ValueType::Str => self.element_type == ValueType::Str,
            ValueType::F32 => self.element_type.is_number(),
            _ => self.element_type.is_integer(),
        }
    }

    /// Reads the element type and the count, and measures the elements.
    pub(super) fn read(cursor: &mut Cursor<'w>, long: &LongArrays) -> Result<Self, GgufError> {
        let here = *cursor;
        let element_type = ValueType::read(cursor)?;
        if element_type == ValueType::Array {
            return Err(here.error(GgufErrorKind::NestedArray));
        }
        let at_count = *cursor;
        let count = cursor.u64()?;
        let start = *cursor;
        let bytes = match element_type.size() {
            Some(size) => {
                let total = count.checked_mul(size);
                let total = total.ok_or(at_count.error(GgufErrorKind::Overflow))?;
                cursor.take(total).map_err(|e| at_count.error(e.kind))?
            }
            None => {
                let end = match long.end_of(start.position()) {
                    Some(end) => end,
                    None => end_of_strings(start, count)?,
                };
                cursor.take(end.abs_diff(start.position()) as u64)?
            }
        };
        // Every element takes at least a byte, so the count fits.
        let len = usize::try_from(count).map_err(|_| at_count.error(GgufErrorKind::Overflow))?;
        Ok(Array { element_type, len, bytes })
    }

    /// Checks what measuring does not: that bools are 0 or 1.
    ///
    /// `offset` is where the elements begin in the file.
    pub(super) fn check(&self, offset: usize) -> Result<(), GgufError> {
        if self.element_type != ValueType::Bool {
            return Ok(());
        }
        let mut cursor = Cursor::new(self.bytes, 0);
        for _ in 0..self.len {
            let read = Value::read_scalar(&mut cursor, self.element_type);
            read.map_err(|e| GgufError {
                kind: e.kind,
                offset: e.offset.saturating_add(offset as u64),
            })?;
        }
        Ok(())
    }
}

/// Where `count` strings end.
fn end_of_strings(mut cursor: Cursor<'_>, count: u64) -> Result<usize, GgufError> {
    for _ in 0..count {
        cursor.length_prefixed()?;
    }
    Ok(cursor.position())
}

/// Where the longest arrays of strings begin and end, so that a search among the pairs steps
/// over a vocabulary instead of walking through it. Kept: the longest, in bytes; none on
/// microcontrollers, whose models have small ones.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct LongArrays([(usize, usize); LONG]);

const LONG: usize = if usize::BITS >= 64 || cfg!(target_family = "wasm") { 3 } else { 0 };

impl LongArrays {
    /// Remembers `value`, which ends at `end`, if it is an array of strings and long.
    pub(super) fn note(&mut self, value: &Value<'_>, end: usize) {
        let Value::Array(array) = value else { return };
        if array.element_type != ValueType::Str {
            return;
        }
        let shortest = self.0.iter_mut().min_by_key(|(start, end)| end.abs_diff(*start));
        if let Some(shortest) = shortest
            && array.bytes.len() > shortest.1.abs_diff(shortest.0)
        {
            *shortest = (end.saturating_sub(array.bytes.len()), end);
        }
    }

    fn end_of(&self, start: usize) -> Option<usize> {
        self.0.iter().find(|known| known.0 == start && known.1 > start).map(|known| known.1)
    }
}

impl<'w> IntoIterator for Array<'w> {
    type Item = Value<'w>;
    type IntoIter = Elements<'w>;

    fn into_iter(self) -> Elements<'w> {
        self.iter()
    }
}

/// The elements of an [`Array`].
#[derive(Clone, Debug)]
pub struct Elements<'w> {
    cursor: Cursor<'w>,
    element_type: ValueType,
    left: usize,
}

impl<'w> Iterator for Elements<'w> {
    type Item = Value<'w>;

    fn next(&mut self) -> Option<Value<'w>> {
        self.left = self.left.checked_sub(1)?;
        Value::read_scalar(&mut self.cursor, self.element_type).ok()
    }

    fn nth(&mut self, n: usize) -> Option<Value<'w>> {
        match self.element_type.size() {
            // Of one size: stepped over.
            Some(size) => {
                self.left = self.left.checked_sub(n)?;
                self.cursor.take(size.checked_mul(n as u64)?).ok()?;
            }
            None => {
                for _ in 0..n {
                    self.next()?;
                }
            }
        }
        self.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Elements<'_> {}
