//! What C functions return, and how bodies become returns.

use core::ffi::{CStr, c_char};

use crate::Error;
use crate::kernels::ShapeError;

/// What a function returns: XIELU_STATUS_OK, or why nothing came of it.
#[repr(i32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It worked.
    Ok = 0,
    /// A pointer is NULL.
    Null = 1,
    /// A pointer is not aligned for what it points to.
    Misaligned = 2,
    /// Memory is smaller than the matching size function says, or larger than the address space.
    Short = 3,
    /// Memory that is written overlaps other memory in use.
    Overlap = 4,
    /// An object was never made, or was moved since.
    Uninitialized = 5,
    /// A field of an options struct has an unusable value.
    Option = 6,
    /// The length of an array does not fit the model or the other arrays.
    Length = 7,
    /// The bytes are not a well-formed GGUF file.
    Gguf = 8,
    /// The model is of an architecture or has tensors of a type that is not supported.
    Unsupported = 9,
    /// The model lacks a metadata key or a tensor.
    Missing = 10,
    /// A metadata key or a tensor of the model has an unusable value or shape.
    Invalid = 11,
    /// The shape of the model is unusable.
    Config = 12,
    /// A scalar of an activation has an unusable value.
    Parameter = 13,
    /// The model has no such layer.
    Layer = 14,
    /// The tile of the MLP cuts a block: it is no multiple of what xielu_model_tile says.
    Tile = 15,
    /// The KV cache has no room for so many tokens.
    ContextFull = 16,
    /// A token id is beyond the vocabulary.
    Token = 17,
    /// The file has nothing of that name or number.
    NotFound = 18,
    /// A mistake inside the library; please report it.
    Internal = 19,
    /// A value is NaN, infinite or beyond the range of the KV cache's type.
    NonFinite = 20,
    /// Text is not UTF-8, or the vocabulary has no token for a byte of it.
    Text = 21,
}

impl Status {
    xielu_kernels_simd::every_variant! {
        const ALL: Status = [
            Ok,
            Null,
            Misaligned,
            Short,
            Overlap,
            Uninitialized,
            Option,
            Length,
            Gguf,
            Unsupported,
            Missing,
            Invalid,
            Config,
            Parameter,
            Layer,
            Tile,
            ContextFull,
            Token,
            NotFound,
            Internal,
            NonFinite,
            Text,
        ];
    }

    const fn text(self) -> &'static CStr {
        match self {
            Status::Ok => c"ok",
            Status::Null => c"a pointer is NULL",
            Status::Misaligned => c"a pointer is misaligned",
            Status::Short => c"memory is too small for what it must hold",
            Status::Overlap => c"memory that is written overlaps other memory in use",
            Status::Uninitialized => c"an object was never made, or was moved since",
            Status::Option => c"an option has an unusable value",
            Status::Length => c"the length of an array does not fit",
            Status::Gguf => c"not a well-formed GGUF file",
            Status::Unsupported => c"the model's architecture or a tensor type is not supported",
            Status::Missing => c"the model lacks a key or a tensor",
            Status::Invalid => c"a key or tensor of the model has an unusable value or shape",
            Status::Config => c"the model's shape is unusable",
            Status::Parameter => c"a scalar of an activation has an unusable value",
            Status::Layer => c"the model has no such layer",
            Status::Tile => {
                c"the MLP tile is not a multiple of 32, or of 256 where the weights are K-quants"
            }
            Status::ContextFull => c"the KV cache is full",
            Status::Token => c"a token id is beyond the vocabulary",
            Status::NotFound => c"the file has nothing of that name or number",
            Status::Internal => c"an error inside the library",
            Status::NonFinite => {
                c"a value is NaN, infinite or beyond the range of the KV cache's type"
            }
            Status::Text => c"text is not UTF-8, or the vocabulary has no token for a byte of it",
        }
    }
}

impl From<Error> for Status {
    fn from(e: Error) -> Status {
        match e {
            Error::Config(_) => Status::Config,
            Error::Gguf(_) => Status::Gguf,
            Error::UnsupportedArchitecture(_)
            | Error::UnknownTensor(_)
            | Error::UnsupportedType { .. }
            | Error::NotBuilt(_)
            | Error::Product(ShapeError::NotBuilt(_)) => Status::Unsupported,
            // No C function decodes on a device.
            #[cfg(feature = "cuda")]
            Error::Device(_) => Status::Unsupported,
            // Nor reads weights.
            #[cfg(feature = "streamed")]
            Error::Source(_) => Status::Unsupported,
            Error::MissingKey(_) | Error::MissingTensor(_) => Status::Missing,
            Error::BadKey { .. }
            | Error::KeyType { .. }
            | Error::Split(_)
            | Error::TensorRank { .. }
            | Error::TensorShape { .. } => Status::Invalid,
            Error::Parameter { .. } => Status::Parameter,
            Error::NoGradient(_) => Status::Option,
            Error::NoSuchLayer(_) => Status::Layer,
            Error::Length(_) | Error::Shape { .. } | Error::Product(_) => Status::Length,
            Error::Tile { .. } => Status::Tile,
            Error::Memory { .. } => Status::Short,
            Error::ContextFull { .. } => Status::ContextFull,
            Error::Token { .. } => Status::Token,
            Error::NoTokenForByte(_) => Status::Text,
            Error::OutOfRange(_) => Status::Internal,
            Error::NonFinite(_) | Error::NothingToDraw => Status::NonFinite,
        }
    }
}

/// Runs the body of a C function. With `std` a panic, which no body has, would stop here; without
/// it there is none to catch.
pub(super) fn call(body: impl FnOnce() -> Result<(), Status>) -> Status {
    #[cfg(feature = "std")]
    let result = std::panic::catch_unwind(core::panic::AssertUnwindSafe(body))
        .unwrap_or(Err(Status::Internal));
    #[cfg(not(feature = "std"))]
    let result = body();
    result.err().unwrap_or(Status::Ok)
}

/// One line of English that says what a status means; never NULL.
#[unsafe(no_mangle)]
pub extern "C" fn xielu_status_text(status: i32) -> *const c_char {
    let known = Status::ALL.into_iter().find(|&known| known as i32 == status);
    known.map_or(c"not a status of this library", Status::text).as_ptr()
}
