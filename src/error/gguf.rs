//! What can be wrong with a GGUF file.

/// Most metadata pairs that the reader accepts; real files have fewer than 100.
pub(crate) const MAX_PAIRS: u64 = 16384;
/// Most tensors that the reader accepts; real files have fewer than 3000.
pub(crate) const MAX_TENSORS: u64 = 16384;

/// Why bytes are not a GGUF file this library reads, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GgufError {
    /// What is wrong.
    pub kind: GgufErrorKind,
    /// Byte offset in the file of the field that is wrong.
    pub offset: u64,
}

/// The ways a GGUF file can be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum GgufErrorKind {
    /// The file does not begin with `GGUF`.
    BadMagic,
    /// The file is in big-endian byte order.
    BigEndian,
    /// The version is neither 2 nor 3.
    UnsupportedVersion(u32),
    /// The file ends before this field does.
    Truncated,
    /// A count or size does not fit 64 bits.
    Overflow,
    /// More metadata pairs than the reader accepts.
    TooManyPairs(u64),
    /// More tensors than the reader accepts.
    TooManyTensors(u64),
    /// A key or a tensor's name is not UTF-8.
    BadUtf8,
    /// A key is empty or longer than 65535 bytes.
    KeyLength(u64),
    /// Two metadata pairs have the same key.
    DuplicateKey,
    /// A number that is not a value type.
    UnknownValueType(u32),
    /// An array of arrays.
    NestedArray,
    /// A bool that is neither 0 nor 1.
    BadBool(u8),
    /// `general.alignment` is no number that a u32 holds.
    AlignmentType,
    /// The alignment is not a power of two.
    AlignmentNotPowerOfTwo(u32),
    /// The alignment is larger than the reader accepts.
    AlignmentTooLarge(u32),
    /// A tensor name is empty or longer than 63 bytes.
    TensorNameLength(u64),
    /// Two tensors have the same name.
    DuplicateTensor,
    /// The number of dimensions is not 1, 2, 3 or 4.
    DimensionCount(u32),
    /// A dimension is 0.
    ZeroDimension,
    /// The row is not a whole number of its type's blocks.
    PartialBlock,
    /// The tensor's offset is not a multiple of the alignment.
    TensorAlignment,
    /// The tensor reaches beyond the end of the file.
    TensorBeyondFile,
    /// The tensor overlaps the one before it.
    TensorOverlap,
    /// The tensor's data is before that of the one listed before it.
    TensorOrder,
}

crate::kernels::messages!(GgufError {
    GgufError { kind, offset } => ("not a usable GGUF file: {} (at byte {})", kind, offset),
});

crate::kernels::messages!(GgufErrorKind {
    GgufErrorKind::BadMagic => ("it does not begin with \"GGUF\""),
    GgufErrorKind::BigEndian => ("it is in big-endian byte order"),
    GgufErrorKind::UnsupportedVersion(v) => ("its version is {}, not 2 or 3", v),
    GgufErrorKind::Truncated => ("it ends too early"),
    GgufErrorKind::Overflow => ("a count or size overflows"),
    GgufErrorKind::TooManyPairs(n) => (
        "it claims {} metadata pairs, more than {}", n, MAX_PAIRS,
    ),
    GgufErrorKind::TooManyTensors(n) => ("it claims {} tensors, more than {}", n, MAX_TENSORS),
    GgufErrorKind::BadUtf8 => ("a name is not UTF-8"),
    GgufErrorKind::KeyLength(n) => ("a metadata key is {} bytes long", n),
    GgufErrorKind::DuplicateKey => ("a metadata key occurs twice"),
    GgufErrorKind::UnknownValueType(t) => ("no value type has the number {}", t),
    GgufErrorKind::NestedArray => ("an array holds arrays"),
    GgufErrorKind::BadBool(b) => ("a bool is {}, not 0 or 1", b),
    GgufErrorKind::AlignmentType => ("general.alignment is not a u32"),
    GgufErrorKind::AlignmentNotPowerOfTwo(n) => (
        "general.alignment is {}, not a power of two", n,
    ),
    GgufErrorKind::AlignmentTooLarge(n) => ("general.alignment is {}, too large", n),
    GgufErrorKind::TensorNameLength(n) => ("a tensor name is {} bytes long, not 1 to 63", n),
    GgufErrorKind::DuplicateTensor => ("a tensor name occurs twice"),
    GgufErrorKind::DimensionCount(n) => ("a tensor has {} dimensions, not 1 to 4", n),
    GgufErrorKind::ZeroDimension => ("a tensor has a dimension of 0"),
    GgufErrorKind::PartialBlock => ("a tensor's row is not a whole number of blocks"),
    GgufErrorKind::TensorAlignment => ("a tensor's offset is not a multiple of the alignment"),
    GgufErrorKind::TensorBeyondFile => ("a tensor reaches beyond the end of the file"),
    GgufErrorKind::TensorOverlap => ("a tensor overlaps the one before it"),
    GgufErrorKind::TensorOrder => ("a tensor lies before the one listed before it"),
});

impl core::error::Error for GgufError {}
