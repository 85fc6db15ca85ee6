//! How a session runs its model.

use crate::checkpoint::Access;
use crate::kernels::Kernels;
use crate::llama::{DecoderOptions, KvType};

/// How a [`Session`](super::Session) runs its model.
#[derive(Clone, Copy, Debug)]
pub struct SessionOptions {
    /// Positions of the KV cache; when `None`, [`default_context`](super::default_context) and
    /// more where a text needs more.
    pub context: Option<usize>,
    /// How cached keys and values are stored.
    pub kv_type: KvType,
    /// Tokens of a prompt that go through the layers together; at least 1.
    pub batch: usize,
    /// Hidden values of the MLP held at a time; `usize::MAX` holds all. See
    /// [`DecoderOptions::mlp_tile`].
    pub mlp_tile: usize,
    /// Copy the weights to an order that is faster for a few tokens at a time: as many bytes
    /// again as the quantized matrices.
    pub pack: bool,
    /// The kernels of one instruction set; the fastest that this machine runs by default.
    pub kernels: Kernels,
    /// Threads of the session's own, 1 being the caller's; those of the current rayon pool when
    /// `None`.
    #[cfg(feature = "rayon")]
    pub threads: Option<usize>,
    /// The CUDA device that computes, by its number; the CPU when `None`. Its memory holds the
    /// weights, in the blocks of the file, and the KV cache; `mlp_tile` and `pack` are the CPU's.
    #[cfg(feature = "cuda")]
    pub device: Option<usize>,
    /// Whether files are mapped or read; without feature `mmap` they are read.
    pub access: Access,
    /// Compute xIELU and the softmax to three digits; see
    /// [`Backend::with_rough_functions`](crate::Backend::with_rough_functions).
    #[cfg(feature = "micromath")]
    pub rough: bool,
}

impl Default for SessionOptions {
    fn default() -> Self {
        let DecoderOptions { batch, mlp_tile } = DecoderOptions::default();
        SessionOptions {
            context: None,
            kv_type: KvType::default(),
            batch,
            mlp_tile,
            pack: false,
            kernels: Kernels::detect(),
            #[cfg(feature = "rayon")]
            threads: None,
            #[cfg(feature = "cuda")]
            device: None,
            access: Access::default(),
            #[cfg(feature = "micromath")]
            rough: false,
        }
    }
}

impl SessionOptions {
    /// Those of the decoder.
    pub const fn decoder(&self) -> DecoderOptions {
        DecoderOptions { batch: self.batch, mlp_tile: self.mlp_tile }
    }
}
