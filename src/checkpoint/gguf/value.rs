//! Metadata values, read where they lie.

use super::array::{Array, LongArrays};
use super::cursor::Cursor;
use super::{GgufError, GgufErrorKind};

/// The type of a metadata value, as numbered by the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueType {
    /// 0.
    U8,
    /// 1.
    I8,
    /// 2.
    U16,
    /// 3.
    I16,
    /// 4.
    U32,
    /// 5.
    I32,
    /// 6.
    F32,
    /// 7: one byte, 0 or 1.
    Bool,
    /// 8: UTF-8, or what was meant to be.
    Str,
    /// 9: a count and elements of one type, which is not an array.
    Array,
    /// 10.
    U64,
    /// 11.
    I64,
    /// 12.
    F64,
}

impl ValueType {
    /// In the order of the format's numbers.
    pub const ALL: [ValueType; 13] = [
        ValueType::U8,
        ValueType::I8,
        ValueType::U16,
        ValueType::I16,
        ValueType::U32,
        ValueType::I32,
        ValueType::F32,
        ValueType::Bool,
        ValueType::Str,
        ValueType::Array,
        ValueType::U64,
        ValueType::I64,
        ValueType::F64,
    ];

    /// The format's number.
    pub const fn id(self) -> u32 {
        self as u32
    }

    /// Bytes of one value; `None` for strings and arrays.
    pub const fn size(self) -> Option<u64> {
        match self {
            ValueType::U8 | ValueType::I8 | ValueType::Bool => Some(1),
            ValueType::U16 | ValueType::I16 => Some(2),
            ValueType::U32 | ValueType::I32 | ValueType::F32 => Some(4),
            ValueType::U64 | ValueType::I64 | ValueType::F64 => Some(8),
            ValueType::Str | ValueType::Array => None,
        }
    }

    /// The name that the format's description has for it.
    pub const fn name(self) -> &'static str {
        match self {
            ValueType::U8 => "u8",
            ValueType::I8 => "i8",
            ValueType::U16 => "u16",
            ValueType::I16 => "i16",
            ValueType::U32 => "u32",
            ValueType::I32 => "i32",
            ValueType::F32 => "f32",
            ValueType::Bool => "bool",
            ValueType::Str => "string",
            ValueType::Array => "array",
            ValueType::U64 => "u64",
            ValueType::I64 => "i64",
            ValueType::F64 => "f64",
        }
    }

    /// Whether it is a type of numbers.
    pub(super) const fn is_number(self) -> bool {
        !matches!(self, ValueType::Bool | ValueType::Str | ValueType::Array)
    }

    /// Whether it is a type of integers.
    pub(super) const fn is_integer(self) -> bool {
        self.is_number() && !matches!(self, ValueType::F32 | ValueType::F64)
    }

    pub(super) fn read(cursor: &mut Cursor<'_>) -> Result<Self, GgufError> {
        let here = *cursor;
        let id = cursor.u32()?;
        let known = usize::try_from(id).ok().and_then(|id| Self::ALL.get(id).copied());
        known.ok_or(here.error(GgufErrorKind::UnknownValueType(id)))
    }
}

/// One metadata value, borrowed from the file.
#[derive(Clone, Copy, Debug, PartialEq)]
#[allow(missing_docs, reason = "the variants are those of `ValueType`")]
pub enum Value<'w> {
    U8(u8),
    I8(i8),
    U16(u16),
    I16(i16),
    U32(u32),
    I32(i32),
    F32(f32),
    Bool(bool),
    Str(&'w str),
    /// A string that is not UTF-8: what nothing needs may be wrong.
    BadStr(&'w [u8]),
    Array(Array<'w>),
    U64(u64),
    I64(i64),
    F64(f64),
}

impl<'w> Value<'w> {
    /// The type of the value.
    pub const fn value_type(&self) -> ValueType {
        match self {
            Value::U8(_) => ValueType::U8,
            Value::I8(_) => ValueType::I8,
            Value::U16(_) => ValueType::U16,
            Value::I16(_) => ValueType::I16,
            Value::U32(_) => ValueType::U32,
            Value::I32(_) => ValueType::I32,
            Value::F32(_) => ValueType::F32,
            Value::Bool(_) => ValueType::Bool,
            Value::Str(_) | Value::BadStr(_) => ValueType::Str,
            Value::Array(_) => ValueType::Array,
            Value::U64(_) => ValueType::U64,
            Value::I64(_) => ValueType::I64,
            Value::F64(_) => ValueType::F64,
        }
    }

    /// The value of an integer of any width that is not negative.
    pub fn as_u64(&self) -> Option<u64> {
        match *self {
            Value::U8(v) => Some(v.into()),
            Value::U16(v) => Some(v.into()),
            Value::U32(v) => Some(v.into()),
            Value::U64(v) => Some(v),
            Value::I8(v) => v.try_into().ok(),
            Value::I16(v) => v.try_into().ok(),
            Value::I32(v) => v.try_into().ok(),
            Value::I64(v) => v.try_into().ok(),
            _ => None,
        }
    }

    /// The value of an integer of any width that fits.
    pub fn as_i64(&self) -> Option<i64> {
        match *self {
            Value::I8(v) => Some(v.into()),
            Value::I16(v) => Some(v.into()),
            Value::I32(v) => Some(v.into()),
            Value::I64(v) => Some(v),
            _ => self.as_u64()?.try_into().ok(),
        }
    }

    /// The value of an integer of any width that fits.
    pub fn as_u32(&self) -> Option<u32> {
        self.as_u64()?.try_into().ok()
    }

    /// The value of an integer of any width that fits.
    pub fn as_i32(&self) -> Option<i32> {
        self.as_i64()?.try_into().ok()
    }

    /// The value of a number, rounded; `None` for a finite one that is too large, or an integer
    /// that an i32 does not hold.
    pub fn as_f32(&self) -> Option<f32> {
        match *self {
            Value::F32(v) => Some(v),
            Value::F64(v) => {
                let rounded = v as f32;
                (rounded.is_finite() || !v.is_finite()).then_some(rounded)
            }
            // 64 bits would be converted in software where there is no such instruction.
            _ => self.as_i32().map(|v| v as f32),
        }
    }

    /// The value of a bool, or of an integer that is 0 or 1.
    pub fn as_bool(&self) -> Option<bool> {
        match (*self, self.as_u64()) {
            (Value::Bool(v), _) => Some(v),
            (_, Some(0)) => Some(false),
            (_, Some(1)) => Some(true),
            _ => None,
        }
    }

    /// The value of a string that is UTF-8.
    pub const fn as_str(&self) -> Option<&'w str> {
        if let Value::Str(v) = *self { Some(v) } else { None }
    }

    /// The array.
    pub const fn as_array(&self) -> Option<Array<'w>> {
        if let Value::Array(v) = *self { Some(v) } else { None }
    }

    /// Reads a type and its value. The elements of an array are measured, not read: see
    /// [`Array::check`].
    pub(super) fn read(cursor: &mut Cursor<'w>, long: &LongArrays) -> Result<Self, GgufError> {
        match ValueType::read(cursor)? {
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
