//! Run models trained with the xIELU activation ([arXiv 2411.13010]) anywhere: from a
//! microcontroller without an allocator to a server.
//!
//! ```text
//! x >  0:  f(x) = alpha_p*x^2 + beta*x                  alpha_p = softplus(raw_p)
//! x <= 0:  f(x) = alpha_n*(e^x - 1 - x) + beta*x        alpha_n = beta + softplus(raw_n)
//! ```
//!
//! The core allocates nothing, copies no weights and does not panic. Weights are borrowed from
//! the bytes of a checkpoint at any alignment; working memory is the caller's, and its size is a
//! `const fn` of the model's [`Config`].
//!
//! - [`activation`]: the maths. [`RawXielu`] is what checkpoints store, [`Xielu`] what is computed.
//! - [`checkpoint`]: GGUF files and Hugging Face directories as named tensors.
//! - `Session` (feature `session`): a model that owns its memory, text in and text out.
//! - [`Mlp`]: one quantized MLP layer, whole or in tiles.
//! - [`llama`]: the decoder around it, its KV cache and sampler.
//! - `chat` (feature `chat`): conversations as text, by a model's own chat template.
//! - [`tokenizer::bpe`]: text to token ids and back, with the vocabulary inside a GGUF file.
//! - [`quant`]: encoders of the block formats.
//! - `embedded` (feature `heapless`): firmware in ten lines, text in and text out.
//! - `convert` (feature `std`): any checkpoint to a GGUF file, a few rows at a time.
//! - [`selftest()`]: whether this machine computes what it should.
//! - [`kernels`]: the SIMD kernels under all of it, one table per instruction set.
//!
//! # One layer of a real model on your own vectors
//!
//! ```
//! use xielu::checkpoint::{Checkpoint, gguf::Gguf};
//! use xielu::mlp::MlpSizes;
//! use xielu::{Backend, Mlp};
//!
//! static MODEL: &[u8] = include_bytes!("../models/tiny-Q8_0.gguf");
//! const TILE: usize = 64;
//!
//! let gguf = Gguf::parse(MODEL)?;
//! let mlp = Mlp::load(&gguf, &gguf.config()?, 2)?;
//! let x = [0.5; 128];
//! let mut y = [0.0; 128];
//! let mut scratch = [0.0; MlpSizes { hidden_size: 128, tile: TILE, tokens: 1 }.scratch_len()];
//! mlp.forward_tiled(&Backend::default(), TILE, &x, &mut y, &mut scratch)?;
//! assert!(y.iter().any(|v| *v != 0.0));
//! # Ok::<(), xielu::Error>(())
//! ```
//!
//! # Features
//!
//! | feature | adds |
//! |---|---|
//! | none (`--no-default-features`) | the embedded build: everything above but files and threads |
//! | `std` (default) | `checkpoint::open`, files that appear whole or not at all, the GGUF writer, conversion |
//! | `mmap` | model files mapped into memory instead of read |
//! | `safetensors` | Hugging Face directories, mapped into memory |
//! | `rayon` | `Rayon`, threads above the kernels |
//! | `tokenizer` | `tokenizer::Tokenizer`: text to token ids and back by the `tokenizers` crate, from every kind of file |
//! | `session` | `Session`: a model that owns its memory, text in and text out |
//! | `chat` | `chat`: conversations as text, by a model's own chat template |
//! | `grammar` | `session::Grammar`: texts that follow a JSON schema, a grammar or a regular expression |
//! | `capi` | the C functions of `include/xielu.h`, without an allocator too |
//! | `heapless` | `embedded`: a session in one static of fixed capacity, checked when a program is compiled; a prompt for serial lines |
//! | `two-cores` | `TwoCores`: products divided among two cores of a microcontroller |
//! | `streamed` | `llama::streamed`: models whose weights are read in tiles from a flash that is not mapped, a card or a file |
//! | `defmt` | `defmt::Format` of errors (the texts of their `Display`), configurations, parameters and names, for firmware's logs |
//! | `micromath` | `activation::rough` and `Backend::with_rough_functions`: cheaper, less exact, only on request |
//! | `cuda` | CUDA devices: whole models (`llama::CudaDecoder`), activations and gradients on device slices, called as on the CPU (`cuda::OnStream`); needs a driver at run time only |
//! | `train` | training, on CPU and CUDA: the model, its optimiser, checkpoints |
//! | `cli` | the `xielu` command |
//!
//! [arXiv 2411.13010]: https://arxiv.org/abs/2411.13010
#![no_std]
#![deny(unsafe_code)]

#[cfg(feature = "alloc")]
extern crate alloc;
#[cfg(any(feature = "std", feature = "tokenizer", test))]
extern crate std;

pub mod activation;
#[cfg(feature = "capi")]
pub mod capi;
#[cfg(feature = "chat")]
pub mod chat;
pub mod checkpoint;
mod compute;
pub mod config;
#[cfg(feature = "std")]
pub mod convert;
#[cfg(feature = "heapless")]
pub mod embedded;
mod error;
#[cfg(feature = "std")]
pub mod imatrix;
pub mod llama;
pub mod mlp;
mod names;
mod numeric;
pub mod quant;
mod selftest;
#[cfg(feature = "session")]
pub mod session;
#[cfg(feature = "tokenizer")]
pub mod tokenizer;
/// Text to token ids and back: what needs no allocator. Feature `tokenizer` has more.
#[cfg(not(feature = "tokenizer"))]
pub mod tokenizer {
    pub mod bpe;
}
#[cfg(feature = "train")]
pub mod train;

pub use activation::{RawXielu, Xielu};
#[cfg(feature = "rayon")]
pub use compute::Rayon;
#[cfg(all(feature = "two-cores", target_has_atomic = "32"))]
pub use compute::TwoCores;
pub use compute::{Backend, Executor, Serial};
pub use config::Config;
#[cfg(feature = "cuda")]
pub use error::DeviceError;
pub use error::{ElementType, Error, Key, NonFinite, ShortName};
pub use error::{Escaped, escaped, escaped_lines};
pub use mlp::Mlp;
pub use selftest::{SelftestError, selftest};
#[cfg(feature = "session")]
pub use session::Session;
#[cfg(feature = "cuda")]
pub use xielu_kernels_cuda as cuda;
pub use xielu_kernels_simd as kernels;

/// The examples of the README, as tests.
#[cfg(all(doctest, feature = "session"))]
#[doc = include_str!("../README.md")]
struct Readme;
