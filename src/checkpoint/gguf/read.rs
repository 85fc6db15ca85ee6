//! Metadata values from bytes, checked.

use super::cursor::{Cursor, product};
use super::value::{Array, Value};
use super::{GgufError, GgufErrorKind};
use crate::names::ValueType;

impl<'w> Value<'w> {
    /// Reads a type and its value. The elements of an array are measured, not read: see
    /// [`Array::check`].
    pub(super) fn read(cursor: &mut Cursor<'w>, long: &LongArrays) -> Result<Self, GgufError> {
        match read_type(cursor)? {
            ValueType::Array => Array::read(cursor, long).map(Value::Array),
            value_type => Self::read_scalar(cursor, value_type),
        }
    }

    /// Reads a value that is no array.
    pub(super) fn read_scalar(
        cursor: &mut Cursor<'w>,
        value_type: ValueType,
    ) -> Result<Self, GgufError> {
        let here = *cursor;
        let bits = match value_type.size() {
            Some(size) => cursor.little_endian(size)?,
            None => 0,
        };
        Ok(match value_type {
            ValueType::U8 => Value::U8(bits as u8),
            ValueType::I8 => Value::I8(bits as i8),
            ValueType::U16 => Value::U16(bits as u16),
            ValueType::I16 => Value::I16(bits as i16),
            ValueType::U32 => Value::U32(bits as u32),
            ValueType::I32 => Value::I32(bits as i32),
            ValueType::F32 => Value::F32(f32::from_bits(bits as u32)),
            ValueType::U64 => Value::U64(bits),
            ValueType::I64 => Value::I64(bits as i64),
            ValueType::F64 => Value::F64(f64::from_bits(bits)),
            ValueType::Str => {
                let bytes = cursor.length_prefixed()?;
                core::str::from_utf8(bytes).map_or(Value::BadStr(bytes), Value::Str)
            }
            ValueType::Bool => match bits {
                0 => Value::Bool(false),
                1 => Value::Bool(true),
                other => return Err(here.error(GgufErrorKind::BadBool(other as u8))),
            },
            ValueType::Array => return Err(here.error(GgufErrorKind::NestedArray)),
        })
    }
}

impl<'w> Array<'w> {
    /// Reads the element type and the count, and measures the elements.
    pub(super) fn read(cursor: &mut Cursor<'w>, long: &LongArrays) -> Result<Self, GgufError> {
        let here = *cursor;
        let element_type = read_type(cursor)?;
        if element_type == ValueType::Array {
            return Err(here.error(GgufErrorKind::NestedArray));
        }
        let at_count = *cursor;
        let count = cursor.u64()?;
        let start = *cursor;
        let bytes = match element_type.size() {
            Some(size) => {
                let total = product(count, size);
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

/// Reads a type's number.
fn read_type(cursor: &mut Cursor<'_>) -> Result<ValueType, GgufError> {
    let here = *cursor;
    let id = cursor.u32()?;
    let known = usize::try_from(id).ok().and_then(|id| ValueType::ALL.get(id).copied());
    known.ok_or(here.error(GgufErrorKind::UnknownValueType(id)))
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
