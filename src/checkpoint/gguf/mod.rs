//! GGUF files: a zero-copy view of their metadata and tensors.

mod error;
mod ggml_type;

pub use error::{GgufError, GgufErrorKind};
pub use ggml_type::GgmlType;
