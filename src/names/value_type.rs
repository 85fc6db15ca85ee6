//! The types of metadata values in GGUF files.

/// The type of a metadata value, as numbered by the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
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
    xielu_kernels_simd::every_variant! {
        /// In the order of the format's numbers.
        pub const ALL: ValueType = [
            U8,
            I8,
            U16,
            I16,
            U32,
            I32,
            F32,
            Bool,
            Str,
            Array,
            U64,
            I64,
            F64,
        ];
    }

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
    pub(crate) const fn is_number(self) -> bool {
        !matches!(self, ValueType::Bool | ValueType::Str | ValueType::Array)
    }

    /// Whether it is a type of integers.
    pub(crate) const fn is_integer(self) -> bool {
        self.is_number() && !matches!(self, ValueType::F32 | ValueType::F64)
    }
}
