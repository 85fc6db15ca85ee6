//! The decoder: tokens in, logits out, one KV cache, no memory of its own.

#[cfg(feature = "cuda")]
use super::cuda::CudaDecoder;
use super::kv_cache::KvCache;
use super::model::Model;
use super::options::DecoderOptions;
use super::pass::{self, Buffers, Pass};
use super::rope;
use crate::NonFinite;
use crate::compute::Backend;
use crate::kernels::LengthError;
use crate::numeric::finite::{all_finite, first_bad};
use crate::{Config, Error};

/// What a [`Decoder`] knows that its cache and scratch do not hold.
#[cfg(feature = "session")]
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Progress {
    position: usize,
    last_batch: usize,
}

#[cfg(feature = "session")]
impl Progress {
    /// Positions decoded so far.
    pub(crate) const fn position(self) -> usize {
        self.position
    }

    /// Right after `position` tokens whose keys and values are in the cache, and no logits.
    pub(crate) const fn at(position: usize) -> Self {
        Progress { position, last_batch: 0 }
    }

    /// Back at `position`, if that is before this.
    pub(crate) fn rewound(self, position: usize) -> Self {
        let position = self.position.min(position);
        if position == self.position { self } else { Progress { position, last_batch: 0 } }
    }
}

/// The products whose inputs [`Decoder::batch_observed`] shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Observed {
    /// Queries, keys and values of normalised states.
    AttentionInput,
    /// The output projection of attention.
    AttentionOutput,
    /// The MLP's up (and gate) projection of normalised states.
    MlpInput,
}

/// Observes nothing. One function for all that do, so that they share one copy of the pass.
const fn unobserved(_: usize, _: Observed, _: &[f32]) {}

/// Runs a [`Model`] over a growing sequence.
#[derive(Debug)]
pub struct Decoder<'m, 'w, 's> {
    model: &'m Model<'m, 'w>,
    backend: Backend<'m>,
    options: DecoderOptions,
    cache: KvCache<'s>,
    scratch: &'s mut [f32],
    position: usize,
    /// Tokens of the last batch, whose final states are in `scratch`.
    last_batch: usize,
    /// What decodes instead of the CPU; it has the cache and the weights.
    #[cfg(feature = "cuda")]
    device: Option<&'s mut CudaDecoder>,
}

impl<'m, 'w, 's> Decoder<'m, 'w, 's> {
    /// f32 elements of scratch a decoder of a valid config takes, whatever the weight types;
    /// `usize::MAX` if that does not fit `usize`.
    pub const fn scratch_len(config: &Config, options: &DecoderOptions) -> usize {
        pass::scratch_len(config, options)
    }

    /// A decoder at position 0. What `cache` and `scratch` hold does not matter.
    ///
    /// # Errors
    /// If `scratch` is shorter than [`Decoder::scratch_len`], `cache` was made for another
    /// shape, the batch is 0, or the tile cuts a block of the weights.
    pub fn new(
        model: &'m Model<'m, 'w>,
        backend: Backend<'m>,
        options: DecoderOptions,
        cache: KvCache<'s>,
        scratch: &'s mut [f32],
    ) -> Result<Self, Error> {
        let config = &model.config;
        if options.batch == 0 {
            return Err(Error::Config("the decoder's batch is 0"));
        }
        if !cache.fits(config) {
            return Err(Error::Config("the KV cache was made for another model"));
        }
        for layer in model.layers {
            layer.mlp().checked_tile(options.mlp_tile)?;
        }
        let buffers = Buffers::carve(scratch, config, &options, 0)?;
        rope::inverse_frequencies(&config.rope, model.rope_freqs.as_ref(), buffers.inv_freq)?;
        Ok(Decoder {
            model,
            backend,
            options,
            cache,
            scratch,
            position: 0,
            last_batch: 0,
            #[cfg(feature = "cuda")]
            device: None,
        })
    }

    /// Positions decoded so far.
    pub const fn position(&self) -> usize {
        self.position
    }

    /// Positions the KV cache has room for.
    pub const fn context(&self) -> usize {
        self.cache.context()
    }

    /// How far it is: for another decoder on the same cache and scratch to go on from.
    #[cfg(feature = "session")]
    pub(crate) const fn progress(&self) -> Progress {
        Progress { position: self.position, last_batch: self.last_batch }
    }

    /// Goes on where a decoder of the same model, options, cache and scratch was.
    #[cfg(feature = "session")]
    pub(crate) const fn resume(&mut self, progress: Progress) {
        self.position = progress.position;
        self.last_batch = progress.last_batch;
    }

    /// The model being run.
    pub const fn model(&self) -> &'m Model<'m, 'w> {
        self.model
    }

    /// What computes.
    pub const fn backend(&self) -> Backend<'m> {
        self.backend
    }

    /// Goes back to `position` (no further than now), forgetting what came after.
    pub fn rewind(&mut self, position: usize) {
        self.position = self.position.min(position);
        self.last_batch = 0;
    }

    /// Decodes one token and writes the logits of what follows it (`output_vocab_size` values).
    ///
    /// # Errors
    /// As [`Decoder::prompt`] and [`Decoder::logits`].
    pub fn step(&mut self, token: u32, logits: &mut [f32]) -> Result<(), Error> {
        #[cfg(feature = "cuda")]
        if let Some(device) = &mut self.device {
            let (config, context) = (&self.model.config, self.cache.context());
            if self.position >= context {
                return Err(Error::ContextFull { needed: self.position + 1, context });
            }
            let (expected, found) = (config.output_vocab_size, logits.len());
            if found != expected {
                return Err(LengthError { expected, found }.into());
            }
            self.last_batch = 0;
            device.step(self.model, self.position, token, logits)?;
            self.position += 1;
            self.last_batch = 1;
            return check_logits(config, logits);
        }
        self.among_threads(1, |decoder| {
            decoder.decode(&[token], unobserved)?;
            decoder.logits(logits)
        })
    }

    /// Calls `work`, inside of [`Executor::enter`](crate::Executor::enter) if products of so many
    /// tokens are divided among threads.
    fn among_threads(
        &mut self,
        tokens: usize,
        mut work: impl FnMut(&mut Self) -> Result<(), Error> + Send,
    ) -> Result<(), Error> {
        if self.is_on_device() {
            return work(self);
        }
        let config = &self.model.config;
        let widest = config.hidden_size.saturating_mul(config.intermediate_size);
        if !self.backend.divides(widest.saturating_mul(tokens)) {
            return work(self);
        }
        let mut result = Ok(());
        self.backend.executor().enter(&mut || result = work(self));
        result
    }

    /// Decodes `tokens` after what came before, in batches. [`Decoder::logits`] then has the
    /// last batch's.
    ///
    /// # Errors
    /// [`Error::ContextFull`] if the tokens do not fit (nothing is decoded); [`Error::Token`] if
    /// one is beyond the vocabulary, [`Error::NonFinite`] if a layer gives a value that is no
    /// number (the batches before its own are decoded).
    pub fn prompt(&mut self, tokens: &[u32]) -> Result<(), Error> {
        self.check_room(tokens.len())?;
        tokens.chunks(self.options.batch.max(1)).try_for_each(|batch| self.batch(batch))
    }

    /// Decodes at most `options.batch` tokens together.
    ///
    /// # Errors
    /// As [`Decoder::prompt`], and [`Error::Length`] if they are too many.
    pub fn batch(&mut self, tokens: &[u32]) -> Result<(), Error> {
        self.among_threads(tokens.len(), |decoder| decoder.decode(tokens, unobserved))
    }

    /// As [`Decoder::batch`], showing `observe` what every layer's products take: the layer's
    /// number, which product it is, and its input, `[tokens, width]`.
    ///
    /// # Errors
    /// As [`Decoder::batch`]; a CUDA device does not show what it computes.
    pub fn batch_observed(
        &mut self,
        tokens: &[u32],
        observe: impl FnMut(usize, Observed, &[f32]),
    ) -> Result<(), Error> {
        #[cfg(feature = "cuda")]
        if self.is_on_device() {
            let what = "to observe what the products of a model take";
            return Err(crate::cuda::Error::Unsupported(what).into());
        }
        self.decode(tokens, observe)
    }

    fn decode(
        &mut self,
        tokens: &[u32],
        mut observe: impl FnMut(usize, Observed, &[f32]),
    ) -> Result<(), Error> {
        if tokens.len() > self.options.batch {
            return Err(LengthError { expected: self.options.batch, found: tokens.len() }.into());
        }
        self.check_room(tokens.len())?;
        self.last_batch = 0;
        let model = self.model;
        #[cfg(feature = "cuda")]
        if let Some(device) = &mut self.device {
            device.batch(model, self.position, tokens)?;
            self.position += tokens.len();
            self.last_batch = tokens.len();
            return Ok(());
        }
        let config = &model.config;
        let mut b = Buffers::carve(self.scratch, config, &self.options, tokens.len())?;
        pass::embed(&model.token_embd, tokens, b.x)?;
        b.fill_rope(config.head_dim, self.position);
        for (index, layer) in model.layers.iter().enumerate() {
            let pass = Pass { config, backend: &self.backend, layer, index };
            pass.attention(self.position, &mut self.cache, &mut b)?;
            observe(index, Observed::AttentionInput, b.h);
            observe(index, Observed::AttentionOutput, b.attn);
            pass.mlp(self.options.mlp_tile, &mut b)?;
            observe(index, Observed::MlpInput, b.h);
        }
        // What a layer adds is found by the next one's norm; the last layer has none after it.
        if !all_finite(b.x) {
            return Err(Error::NonFinite(self.last_layer()));
        }
        self.position += tokens.len();
        self.last_batch = tokens.len();
        Ok(())
    }

    /// Where the values come from that the output head takes.
    const fn last_layer(&self) -> NonFinite {
        NonFinite::Mlp(self.model.layers.len().saturating_sub(1))
    }

    fn check_room(&self, tokens: usize) -> Result<(), Error> {
        let (needed, context) = (self.position.saturating_add(tokens), self.context());
        if needed > context { Err(Error::ContextFull { needed, context }) } else { Ok(()) }
    }

    /// Writes the logits of the last tokens of the last batch, `[n, output_vocab_size]`, `n`
    /// being `out.len() / output_vocab_size`: with room for one, what follows the last token.
    ///
    /// # Errors
    /// [`Error::Length`] unless `out` is a whole number of tokens, at least one and at most as
    /// many as the last batch had; [`Error::NonFinite`] if a logit is NaN or infinite.
    pub fn logits(&mut self, out: &mut [f32]) -> Result<(), Error> {
        let model = self.model;
        let config = &model.config;
        let n = out.len() / config.output_vocab_size.max(1);
        let expected = config.output_vocab_size * n.clamp(1, self.last_batch.max(1));
        if out.len() != expected || self.last_batch == 0 {
            return Err(LengthError { expected, found: out.len() }.into());
        }
        #[cfg(feature = "cuda")]
        if let Some(device) = &mut self.device {
            device.logits(config.output_vocab_size, out)?;
            return check_logits(config, out);
        }
        let last_layer = self.last_layer();
        let b = Buffers::carve(self.scratch, config, &self.options, self.last_batch)?;
        let start = (self.last_batch - n) * config.hidden_size;
        let x = b.x.get(start..).ok_or(Error::OutOfRange("final states"))?;
        let h = b.h.get_mut(start..).ok_or(Error::OutOfRange("final states"))?;
        pass::copy(x, h);
        model.output_norm.apply(h, last_layer)?;
        pass::project(&self.backend, &model.output, h, b.blocks, out, false)?;
        check_logits(config, out)
    }

    #[cfg(not(feature = "cuda"))]
    const fn is_on_device(&self) -> bool {
        false
    }
}

/// Whether all logits are numbers.
pub(super) fn check_logits(config: &Config, logits: &[f32]) -> Result<(), Error> {
    match first_bad(logits) {
        Some(at) => {
            Err(Error::NonFinite(NonFinite::Logit { token: at % config.output_vocab_size.max(1) }))
        }
        None => Ok(()),
    }
}

/// On a CUDA device.
#[cfg(feature = "cuda")]
impl<'m, 'w, 's> Decoder<'m, 'w, 's> {
    /// A decoder at position 0 whose layers, cache and working memory are on a device, where there
    /// is room for as many positions as [`CudaDecoder::reserve`] was asked for. The device has the
    /// `model`'s weights. A batch is no larger than the device's.
    pub fn on_device(
        model: &'m Model<'m, 'w>,
        options: DecoderOptions,
        device: &'s mut CudaDecoder,
    ) -> Self {
        let backend = Backend::default();
        let batch = options.batch.min(device.batch_size());
        let options = DecoderOptions { batch, ..options };
        let cache = KvCache::elsewhere(&model.config, device.context(), device.kv_type());
        let scratch = &mut [];
        let (position, last_batch) = (0, 0);
        let device = Some(device);
        Decoder { model, backend, options, cache, scratch, position, last_batch, device }
    }

    const fn is_on_device(&self) -> bool {
        self.device.is_some()
    }

    /// [`Decoder::step`], and the token of the largest logit, which the device finds: no logits are
    /// copied from it. `None`, and nothing is done, where the CPU decodes.
    pub(crate) fn choose(&mut self, token: u32) -> Result<Option<u32>, Error> {
        self.check_room(1)?;
        let Some(device) = &mut self.device else { return Ok(None) };
        self.last_batch = 0;
        let id = device.choose(self.model, self.position, token)?;
        self.position += 1;
        self.last_batch = 1;
        Ok(Some(id))
    }
}
