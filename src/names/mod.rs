//! The closed lists by which files, errors and messages name things: roles of tensors, types of
//! elements and of metadata values, activations, types of a KV cache.

mod ggml_type;
mod hidden_act;
mod kv_type;
mod role;
mod value_type;

pub use ggml_type::GgmlType;
pub use hidden_act::HiddenAct;
pub use kv_type::KvType;
pub use role::{LayerRole, Role};
pub use value_type::ValueType;
