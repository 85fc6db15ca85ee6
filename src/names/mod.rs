//! The closed lists by which files, errors and messages name things: architectures, roles of
//! tensors, types of elements, metadata values and tokens, activations, types of a KV cache,
//! pre-tokenizers.

mod architecture;
mod ggml_type;
mod kv_type;
pub(crate) mod pre_tokenizer;
mod role;
mod token_kind;
mod value_type;

pub(crate) use architecture::Architecture;
pub use ggml_type::GgmlType;
pub use kv_type::KvType;
#[cfg(feature = "safetensors")]
pub(crate) use pre_tokenizer::is_known_pre;
pub use role::{LayerRole, Role};
pub use token_kind::TokenKind;
pub use value_type::ValueType;
