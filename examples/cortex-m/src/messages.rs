//! An error of every kind, whose texts must be the same on every board and on this machine.

use xielu::checkpoint::gguf::{GgmlType, GgufError, GgufErrorKind, SplitError, ValueType};
use xielu::checkpoint::{LayerRole, Role};
use xielu::kernels::{ActivationKind, DType, LengthError, ShapeError};
use xielu::llama::KvType;
use xielu::{ElementType, Error, Key, NonFinite, ShortName};

/// Shows one error after the other.
pub fn each(mut show: impl FnMut(Error)) {
    let key = Key { prefix: "apertus", name: "block_count" };
    let name = ShortName::new("a\u{1b}[31m\u{e9}");
    let role = Role::Layer(17, LayerRole::FfnUp);
    for error in [
        Error::Config("it has no layers"),
        Error::NotBuilt(ActivationKind::Xielu),
        Error::NoGradient(ActivationKind::Elu),
        Error::UnsupportedArchitecture(name),
        Error::MissingKey(key),
        Error::BadKey { key: "general.alignment".into(), problem: "is not a number" },
        Error::KeyType { key, found: ValueType::Str, elements: None, wanted: "a number" },
        Error::KeyType {
            key,
            found: ValueType::Array,
            elements: Some(ValueType::F64),
            wanted: "numbers",
        },
        Error::UnknownTensor(name),
        Error::MissingTensor(Role::RopeFreqs),
        Error::UnsupportedType { role, found: ElementType::Ggml(GgmlType(12)) },
        Error::UnsupportedType { role, found: ElementType::Ggml(GgmlType(99)) },
        Error::UnsupportedType { role, found: ElementType::Named("F8_E4M3") },
        Error::TensorRank { role, dims: 3 },
        Error::TensorShape { role, expected: [1, 2], found: [3, 4] },
        Error::Parameter { name: "alpha_p", problem: "is NaN" },
        Error::NoSuchLayer(3),
        Error::Length(LengthError { expected: 5, found: 6 }),
        Error::Shape { what: "down", expected: [1, 2], found: [3, 4] },
        Error::Product(ShapeError::PartialBlock { cols: 33, block_len: 32 }),
        Error::Product(ShapeError::Bytes { expected: 1, found: 2 }),
        Error::Product(ShapeError::Input { expected: 1, found: 2 }),
        Error::Product(ShapeError::Rows { expected: 1, found: 2 }),
        Error::Product(ShapeError::InputType(DType::Q8_0)),
        Error::Product(ShapeError::InputType(DType::F16)),
        Error::Product(ShapeError::Packing(DType::F32)),
        Error::Product(ShapeError::NotBuilt(DType::Q4_K)),
        Error::Tile { tile: 7, multiple: 32 },
        Error::Memory { what: "scratch", needed: 10, found: 9 },
        Error::ContextFull { needed: 65, context: 64 },
        Error::Token { id: 70_000, vocab_size: 2048 },
        Error::NonFinite(NonFinite::Embedding),
        Error::NonFinite(NonFinite::Attention(1)),
        Error::NonFinite(NonFinite::Mlp(2)),
        Error::NonFinite(NonFinite::KvCache { layer: 3, kv_type: KvType::F16 }),
        Error::NonFinite(NonFinite::Logit { token: 4 }),
        Error::NoTokenForByte(9),
        Error::NoTokenForByte(255),
        Error::NothingToDraw,
        Error::OutOfRange("batch"),
    ] {
        show(error);
    }
    for error in [
        SplitError::Count { expected: 2, found: 3 },
        SplitError::NotSplit { part: 2 },
        SplitError::Order { part: 2, found: 3 },
        SplitError::OtherModel { part: 2, key: "split.count" },
        SplitError::Tensors { expected: 20, found: 19 },
        SplitError::Duplicate { name, parts: [1, 2] },
    ] {
        show(Error::Split(error));
    }
    for (kind, offset) in [
        GgufErrorKind::BadMagic,
        GgufErrorKind::BigEndian,
        GgufErrorKind::UnsupportedVersion(4),
        GgufErrorKind::Truncated,
        GgufErrorKind::Overflow,
        GgufErrorKind::TooManyPairs(1 << 40),
        GgufErrorKind::TooManyTensors(1 << 40),
        GgufErrorKind::BadUtf8,
        GgufErrorKind::KeyLength(0),
        GgufErrorKind::DuplicateKey,
        GgufErrorKind::UnknownValueType(13),
        GgufErrorKind::NestedArray,
        GgufErrorKind::BadBool(2),
        GgufErrorKind::AlignmentType,
        GgufErrorKind::AlignmentNotPowerOfTwo(33),
        GgufErrorKind::AlignmentTooLarge(1 << 30),
        GgufErrorKind::TensorNameLength(64),
        GgufErrorKind::DuplicateTensor,
        GgufErrorKind::DimensionCount(5),
        GgufErrorKind::ZeroDimension,
        GgufErrorKind::PartialBlock,
        GgufErrorKind::TensorAlignment,
        GgufErrorKind::TensorBeyondFile,
        GgufErrorKind::TensorOverlap,
        GgufErrorKind::TensorOrder,
    ]
    .into_iter()
    .zip(1 << 33..)
    {
        show(Error::Gguf(GgufError { kind, offset }));
    }
}
