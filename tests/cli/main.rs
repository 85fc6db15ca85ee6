//! The command line.

mod bench;
mod chat;
mod damaged;
mod device;
mod errors;
mod fp8;
mod grammar;
mod help;
mod imatrix;
mod json;
#[cfg(feature = "capi")]
mod memory;
mod prompt_cache;
mod prompts;
mod quantize;
mod quantize_k;
mod run;
mod split;
mod support;
#[cfg(target_os = "linux")]
mod terminal;
mod text;
#[cfg(feature = "train")]
mod train;
mod ways_in;

#[cfg(feature = "capi")]
#[path = "../capi/support/mod.rs"]
mod capi_support;
