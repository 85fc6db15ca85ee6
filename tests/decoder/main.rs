//! The decoder and its parts: against f64, against transformers, and with bad input.

#[cfg(feature = "safetensors")]
mod golden;
mod kv_q8_0;
mod long_context;
mod mlp;
mod non_finite;
mod packed;
mod packed_products;
mod random_weights;
#[cfg(feature = "streamed")]
mod streamed;
#[cfg(feature = "two-cores")]
mod two_cores;
