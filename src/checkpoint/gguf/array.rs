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

    /// The elements of an array of strings.
    pub fn strs(&self) -> Option<impl Iterator<Item = &'w str> + Clone + use<'w>> {
        let strings = self.element_type == ValueType::Str;
        strings.then(|| self.iter().filter_map(|value| value.as_str()))
    }

    /// The elements of an array of f32.
    pub fn f32s(&self) -> Option<impl ExactSizeIterator<Item = f32> + Clone + use<'w>> {
        self.words(ValueType::F32).map(|words| words.map(f32::from_le_bytes))
    }

    /// The elements of an array of u32.
    pub fn u32s(&self) -> Option<impl ExactSizeIterator<Item = u32> + Clone + use<'w>> {
        self.words(ValueType::U32).map(|words| words.map(u32::from_le_bytes))
    }

    /// The elements of an array of i32.
    pub fn i32s(&self) -> Option<impl ExactSizeIterator<Item = i32> + Clone + use<'w>> {
        self.words(ValueType::I32).map(|words| words.map(i32::from_le_bytes))
    }

    fn words(
        &self,
        wanted: ValueType,
    ) -> Option<impl ExactSizeIterator<Item = [u8; 4]> + Clone + use<'w>> {
        (self.element_type == wanted).then(|| self.bytes.as_chunks().0.iter().copied())
    }

    /// Reads the element type and the count, and measures the elements.
    pub(super) fn read(cursor: &mut Cursor<'w>) -> Result<Self, GgufError> {
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
                let mut ahead = start;
                for _ in 0..count {
                    ahead.length_prefixed()?;
                }
                cursor.take(ahead.position().abs_diff(start.position()) as u64)?
            }
        };
        // Every element takes at least a byte, so the count fits.
        let len = usize::try_from(count).map_err(|_| at_count.error(GgufErrorKind::Overflow))?;
        Ok(Array { element_type, len, bytes })
    }

    /// Checks what measuring does not: that strings are UTF-8 and bools are 0 or 1.
    ///
    /// `offset` is where the elements begin in the file.
    pub(super) fn check(&self, offset: usize) -> Result<(), GgufError> {
        if !matches!(self.element_type, ValueType::Str | ValueType::Bool) {
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

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Elements<'_> {}
