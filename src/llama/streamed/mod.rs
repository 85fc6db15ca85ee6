//! Models whose weights are not in memory: a flash that is not mapped, a card, a file. (Feature
//! `streamed`.)
//!
//! Weights are read in tiles of some rows to one of two buffers of the caller's, a few KiB each,
//! while the tile in the other is computed with ([`Source`]; what reads at once is a [`Read`]). A
//! batch of tokens reads every matrix once, front to back, and of the embedding a row a token: the
//! logits are those of the mapped model with its MLP in one tile, bit by bit. What is in memory
//! besides is known before anything is read: the file's head
//! ([`GgufHead`](crate::checkpoint::gguf::GgufHead)), where its tensors lie ([`StreamedLayer`]), KV
//! cache, scratch.
//!
//! ```
//! use xielu::Backend;
//! use xielu::checkpoint::Checkpoint as _;
//! use xielu::checkpoint::gguf::GgufHead;
//! use xielu::llama::streamed::{Blocking, Fault, Read, StreamedDecoder, StreamedLayer, StreamedModel};
//! use xielu::llama::{KvCache, KvType, argmax};
//!
//! /// Stands for a card: what it reads is copied.
//! struct Card(&'static [u8]);
//! impl Read for Card {
//!     fn size(&self) -> u64 {
//!         self.0.len() as u64
//!     }
//!     fn read(&mut self, offset: u64, buffer: &mut [u8]) -> Result<usize, Fault> {
//!         let start = usize::try_from(offset).map_err(|_| Fault(1))?;
//!         let bytes = self.0.get(start..start + buffer.len()).ok_or(Fault(2))?;
//!         buffer.copy_from_slice(bytes);
//!         Ok(bytes.len())
//!     }
//! }
//! static FILE: &[u8] = include_bytes!("../../../models/tiny-Q8_0.gguf");
//! # const HEAD: usize = 64 * 1024;
//!
//! let card = Card(FILE);
//! let head = GgufHead::parse(&FILE[..HEAD], card.size())?; // the first 64 KiB: all of the head
//! let config = head.gguf().config()?;
//! let mut layers = [StreamedLayer::EMPTY; 4];
//! let model = StreamedModel::load(&head, &mut layers)?;
//! let mut cache = vec![0; KvCache::bytes_needed(&config, 64, KvType::F16)];
//! let cache = KvCache::new(&config, 64, KvType::F16, &mut cache)?;
//! let mut scratch = vec![0.0; StreamedModel::scratch_len(&config, 8, true)];
//! let (mut one, mut other) = ([0; 4096], [0; 4096]);
//! let source = (Blocking::new(card), [&mut one[..], &mut other[..]]);
//! let mut decoder =
//!     StreamedDecoder::new(&model, Backend::default(), 8, cache, &mut scratch, source)?;
//!
//! let mut logits = vec![0.0; config.output_vocab_size];
//! decoder.prompt(&[443, 372, 56, 539, 30, 54, 32, 66, 459, 313])?; // "The `Vec<T>` type is"
//! decoder.logits(&mut logits)?;
//! assert_eq!(argmax(&logits), Some(436)); // " not"
//! # Ok::<(), xielu::Error>(())
//! ```

mod decoder;
mod layer;
mod mlp;
mod model;
mod source;
mod tiles;
mod view;

pub use decoder::StreamedDecoder;
pub use layer::StreamedLayer;
pub use model::StreamedModel;
#[cfg(feature = "std")]
pub use source::FileReader;
pub use source::{Blocking, Fault, Read, Source};

pub use crate::error::SourceError;
