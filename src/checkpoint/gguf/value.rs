//! Metadata values, borrowed from the file.

use crate::names::ValueType;

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

    /// The value of an integer of any width: its 64 bits, and whether they are those of an i64
    /// below 0.
    fn integer(&self) -> Option<(u64, bool)> {
        let signed = match *self {
            Value::U8(v) => v.into(),
            Value::U16(v) => v.into(),
            Value::U32(v) => v.into(),
            Value::I8(v) => v.into(),
            Value::I16(v) => v.into(),
            Value::I32(v) => v.into(),
            Value::I64(v) => v,
            Value::U64(v) => return Some((v, false)),
            _ => return None,
        };
        Some((signed as u64, signed < 0))
    }

    /// The value of an integer of any width that is not negative.
    pub fn as_u64(&self) -> Option<u64> {
        self.integer().filter(|(_, negative)| !negative).map(|(bits, _)| bits)
    }

    /// The value of an integer of any width that fits.
    pub fn as_i64(&self) -> Option<i64> {
        let (bits, negative) = self.integer()?;
        Some(bits as i64).filter(|value| negative || *value >= 0)
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
}

/// An array of scalars or strings, borrowed from the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Array<'w> {
    pub(super) element_type: ValueType,
    pub(super) len: usize,
    pub(super) bytes: &'w [u8],
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
}
