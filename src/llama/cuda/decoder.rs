//! A model and a sequence of tokens on a device.

use alloc::string::String;
#[cfg(feature = "session")]
use alloc::vec::Vec;
use std::sync::Arc;

use super::memory::CudaMemory;
use super::needs::check;
use super::weights::Weights;
use super::work::{CODES, Work, code};
use crate::cuda::cudarc::driver::CudaStream;
use crate::cuda::{Cuda, OnStream};
use crate::llama::KvType;
use crate::llama::model::Model;
use crate::{Error, NonFinite};

/// Why a model cannot have the memory of a device that it asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReserveError {
    /// There is less.
    Memory {
        /// Bytes that it takes.
        needed: u64,
        /// Bytes that are free.
        free: u64,
    },
    /// The device failed.
    Failed(Error),
}

impl core::fmt::Display for ReserveError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            ReserveError::Memory { needed, free } => write!(
                f,
                "{needed} bytes of the CUDA device's memory are needed and {free} are free"
            ),
            ReserveError::Failed(e) => e.fmt(f),
        }
    }
}

impl core::error::Error for ReserveError {}

impl<E: Into<Error>> From<E> for ReserveError {
    fn from(e: E) -> Self {
        ReserveError::Failed(e.into())
    }
}

/// A model's weights, cache and working memory on a CUDA device, for
/// [`Decoder::on_device`](crate::llama::Decoder::on_device).
///
/// ```no_run
/// use xielu::checkpoint::{Checkpoint as _, gguf::Gguf};
/// use xielu::llama::{CudaDecoder, Decoder, DecoderOptions, KvType, Layer, Model};
///
/// let bytes = std::fs::read("models/tiny-Q8_0.gguf").unwrap();
/// let gguf = Gguf::parse(&bytes)?;
/// let mut layers = vec![Layer::EMPTY; gguf.config()?.num_layers];
/// let model = Model::load(&gguf, &mut layers)?;
/// let options = DecoderOptions::default();
/// let mut device = CudaDecoder::open(0, &model, KvType::F16, options.batch)?;
/// device.reserve(&model, 256).unwrap();
/// let mut decoder = Decoder::on_device(&model, options, &mut device);
/// decoder.prompt(&[443, 372, 56])?;
/// # Ok::<(), xielu::Error>(())
/// ```
#[derive(Debug)]
pub struct CudaDecoder {
    cuda: Cuda,
    stream: Arc<CudaStream>,
    kv_type: KvType,
    batch: usize,
    weights: Option<Weights>,
    work: Option<Work>,
}

impl CudaDecoder {
    /// Opens a device (by its number) and sees whether there are kernels for the model; nothing is
    /// copied yet. `batch` tokens may go through the layers together.
    ///
    /// # Errors
    /// [`Error::Device`] if there is no driver, or an old one, no such device, or no kernel for
    /// something of the model: its activation, heads wider than 256, packed weights;
    /// [`KvType::check`]'s.
    pub fn open(
        device: usize,
        model: &Model<'_, '_>,
        kv_type: KvType,
        batch: usize,
    ) -> Result<Self, Error> {
        check(model, kv_type)?;
        kv_type.check(&model.config)?;
        let cuda = Cuda::new(device)?;
        let stream = cuda.context().default_stream();
        Ok(CudaDecoder { cuda, stream, kv_type, batch: batch.max(1), weights: None, work: None })
    }

    /// What the driver calls the device.
    ///
    /// # Errors
    /// What the driver reports.
    pub fn name(&self) -> Result<String, Error> {
        Ok(self.cuda.name()?)
    }

    /// How keys and values are stored.
    pub const fn kv_type(&self) -> KvType {
        self.kv_type
    }

    /// Tokens that may go through the layers together.
    pub const fn batch_size(&self) -> usize {
        self.batch
    }

    /// Positions there is room for.
    pub fn context(&self) -> usize {
        self.work.as_ref().map_or(0, |work| work.context)
    }

    /// Whether the device has the memory for `context` positions, and for the weights if they are
    /// not there yet.
    ///
    /// # Errors
    /// [`ReserveError::Memory`] if it has not.
    pub fn check(&self, model: &Model<'_, '_>, context: usize) -> Result<(), ReserveError> {
        let needs = CudaMemory::new(model, context, self.kv_type, self.batch);
        let loaded = self.weights.is_some();
        let needed = if loaded { needs.working() } else { needs.total() };
        let own = self.work.as_ref().map_or(0, |work| {
            CudaMemory::new(model, work.context, self.kv_type, self.batch).working()
        });
        let free = self.cuda.free_memory()?.saturating_add(own);
        if needed > free { Err(ReserveError::Memory { needed, free }) } else { Ok(()) }
    }

    /// Copies the weights to the device if they are not there, and makes room for `context`
    /// positions there: if it has the memory, which is known before anything is copied. What was
    /// decoded is forgotten.
    ///
    /// # Errors
    /// [`ReserveError::Memory`], and everything stays as it was; [`ReserveError::Failed`], and
    /// nothing is reserved.
    pub fn reserve(&mut self, model: &Model<'_, '_>, context: usize) -> Result<(), ReserveError> {
        self.check(model, context)?;
        self.work = None;
        let on = self.cuda.on(&self.stream)?;
        if self.weights.is_none() {
            self.weights = Some(Weights::upload(&on, model)?);
        }
        self.work = Some(Work::new(&on, model, context, self.kv_type, self.batch)?);
        Ok(())
    }

    /// Decodes tokens from `position` on, which fit the context and the batch, and waits for them.
    pub(in crate::llama) fn batch(
        &mut self,
        model: &Model<'_, '_>,
        position: usize,
        tokens: &[u32],
    ) -> Result<(), Error> {
        self.queue(model, position, tokens)?;
        let (on, _, work) = self.parts()?;
        let code = work.buffers.marks.take(&on, tokens.len())?;
        self.finish(model, code, tokens.len())
    }

    /// The same of one token, and the logits of what follows it.
    pub(in crate::llama) fn step(
        &mut self,
        model: &Model<'_, '_>,
        position: usize,
        token: u32,
        logits: &mut [f32],
    ) -> Result<(), Error> {
        self.queue(model, position, &[token])?;
        self.queue_logits(0..1)?;
        let (on, _, work) = self.parts()?;
        work.buffers.copy_logits(&on, 1, logits)?;
        let code = work.buffers.marks.take(&on, 1)?;
        self.finish(model, code, 1)
    }

    /// The same, with the token of the largest logit.
    pub(in crate::llama) fn choose(
        &mut self,
        model: &Model<'_, '_>,
        position: usize,
        token: u32,
    ) -> Result<u32, Error> {
        self.queue(model, position, &[token])?;
        self.queue_logits(0..1)?;
        let (on, _, work) = self.parts()?;
        work.buffers.argmax(&on)?;
        let ([id, bad], code) = work.buffers.marks.take_with_choice(&on, 1)?;
        self.finish(model, code, 1)?;
        match bad.checked_sub(1) {
            Some(token) => Err(Error::NonFinite(NonFinite::Logit { token: token as usize })),
            None => Ok(id),
        }
    }

    /// Logits of the last tokens of the last batch, as many as fit `out`.
    pub(in crate::llama) fn logits(&mut self, vocab: usize, out: &mut [f32]) -> Result<(), Error> {
        let (_, _, work) = self.parts()?;
        let (last, most) = (work.last_batch, work.buffers.logit_rows());
        let n = out.len().checked_div(vocab).unwrap_or(0);
        let mut first = last.checked_sub(n).ok_or(Error::OutOfRange("final states"))?;
        for out in out.chunks_mut(most * vocab) {
            let count = out.len() / vocab;
            self.queue_logits(first..first + count)?;
            let (on, _, work) = self.parts()?;
            work.buffers.copy_logits(&on, count, out)?;
            first += count;
        }
        Ok(())
    }

    /// Copies bytes of the cache from the device, as `KvCache::filled` counts them.
    #[cfg(feature = "session")]
    pub(crate) fn read_cache(
        &self,
        model: &Model<'_, '_>,
        range: core::ops::Range<usize>,
    ) -> Result<Vec<u8>, Error> {
        let on = self.cuda.on(&self.stream)?;
        let work = self.work.as_ref().ok_or(Error::OutOfRange("the device's memory"))?;
        let (layer, values, start) = work.place(model, self.kv_type, range.start)?;
        Ok(layer.read(&on, values, start..start + range.len())?)
    }

    /// Copies bytes of the cache to the device.
    #[cfg(feature = "session")]
    pub(crate) fn write_cache(
        &mut self,
        model: &Model<'_, '_>,
        start: usize,
        bytes: &[u8],
    ) -> Result<(), Error> {
        let kv_type = self.kv_type;
        let on = self.cuda.on(&self.stream)?;
        let work = self.work.as_mut().ok_or(Error::OutOfRange("the device's memory"))?;
        let (layer, values, start) = work.place_of(model, kv_type, start);
        let layer = work.cache.get_mut(layer).ok_or(Error::OutOfRange("layers of the cache"))?;
        Ok(layer.write(&on, values, start, bytes)?)
    }

    fn parts(&mut self) -> Result<(OnStream<'_>, &Weights, &mut Work), Error> {
        let on = self.cuda.on(&self.stream)?;
        match (&self.weights, &mut self.work) {
            (Some(weights), Some(work)) => Ok((on, weights, work)),
            _ => Err(Error::OutOfRange("the device's memory")),
        }
    }

    /// Remembers a batch in which nothing was noted.
    fn finish(
        &mut self,
        model: &Model<'_, '_>,
        code: Option<u32>,
        tokens: usize,
    ) -> Result<(), Error> {
        if let Some(code) = code {
            return Err(Error::NonFinite(self.blame(model, code)));
        }
        if let Some(work) = &mut self.work {
            work.last_batch = tokens;
        }
        Ok(())
    }

    /// Where the values come from of which a code tells.
    fn blame(&self, model: &Model<'_, '_>, code: u32) -> NonFinite {
        let (layer, what) = ((code - 1) / CODES, (code - 1) % CODES);
        let layer = layer as usize;
        match what {
            // The norm of a layer, and of the end, finds what the layer before it left.
            0 => match layer.checked_sub(1) {
                Some(before) => NonFinite::Mlp(before.min(model.layers.len())),
                None => NonFinite::Embedding,
            },
            2 => NonFinite::KvCache { layer, kv_type: self.kv_type },
            _ => NonFinite::Attention(layer),
        }
    }

    /// Queues tokens' way through the layers and the last norm.
    fn queue(
        &mut self,
        model: &Model<'_, '_>,
        position: usize,
        tokens: &[u32],
    ) -> Result<(), Error> {
        let vocab_size = model.token_embd.rows();
        if let Some(&id) = tokens.iter().find(|&&id| id as usize >= vocab_size) {
            return Err(Error::Token { id, vocab_size });
        }
        let (on, weights, work) = self.parts()?;
        work.last_batch = 0;
        work.embed(&on, model, weights, tokens)?;
        for (index, layer) in weights.layers.iter().enumerate() {
            work.attention(&on, layer, index, position, tokens.len())?;
            work.mlp(&on, layer, index, tokens.len())?;
        }
        let end = code(weights.layers.len());
        work.buffers.norm(&on, &weights.output_norm, tokens.len(), end)
    }

    /// Queues the logits of some of the normed final states.
    fn queue_logits(&mut self, rows: core::ops::Range<usize>) -> Result<(), Error> {
        let (on, weights, work) = self.parts()?;
        work.buffers.queue_logits(&on, &weights.output, rows)
    }
}
