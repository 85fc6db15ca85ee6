//! One token after the other: the loop of every program that generates.

use super::{Decoder, Sampler};
use crate::Error;

/// Why no token follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// The model ended the text with this token.
    End(u32),
    /// As many tokens were generated as may be.
    Limit,
    /// The KV cache has no position left.
    ContextFull,
}

/// Draws tokens from logits, one after the other: [`Sampler`], with feature `alloc` the
/// `SamplerChain`, or the caller's own.
pub trait Sample {
    /// The next token's id, from its logits, which may be changed.
    ///
    /// # Errors
    /// If they are none that a token can be drawn from.
    fn next(&mut self, logits: &mut [f32]) -> Result<u32, Error>;

    /// Whether it always takes the first of the largest logits, as they are: a decoder on a device
    /// then need not copy them.
    fn is_greedy(&self) -> bool {
        false
    }
}

impl Sample for Sampler {
    fn next(&mut self, logits: &mut [f32]) -> Result<u32, Error> {
        self.sample(logits)
    }

    fn is_greedy(&self) -> bool {
        Sampler::is_greedy(self)
    }
}

#[cfg(feature = "alloc")]
impl Sample for super::SamplerChain {
    fn next(&mut self, logits: &mut [f32]) -> Result<u32, Error> {
        self.sample(logits)
    }

    fn is_greedy(&self) -> bool {
        super::SamplerChain::is_greedy(self)
    }
}

/// Where a generation is: its sampler, and the token that the decoder has yet to read.
///
/// It borrows nothing, so that a program may do other things between two tokens, and allocates
/// nothing.
///
/// ```
/// use xielu::checkpoint::{Checkpoint as _, gguf::Gguf};
/// use xielu::llama::{Decoder, DecoderOptions, Generation, KvCache, KvType, Layer, Model};
/// use xielu::llama::{Sampler, SamplerOptions};
/// use xielu::Backend;
///
/// static MODEL: &[u8] = include_bytes!("../../models/tiny-Q8_0.gguf");
/// const CONTEXT: usize = 64;
///
/// let gguf = Gguf::parse(MODEL)?;
/// let config = gguf.config()?;
/// let mut layers = [Layer::EMPTY; 4];
/// let model = Model::load(&gguf, &mut layers)?;
/// let mut cache = vec![0; KvCache::bytes_needed(&config, CONTEXT, KvType::F16)];
/// let cache = KvCache::new(&config, CONTEXT, KvType::F16, &mut cache)?;
/// let options = DecoderOptions::SMALLEST;
/// let mut scratch = vec![0.0; Decoder::scratch_len(&config, &options)];
/// let mut decoder = Decoder::new(&model, Backend::default(), options, cache, &mut scratch)?;
///
/// let mut logits = vec![0.0; config.output_vocab_size];
/// decoder.prompt(&[443, 372, 56, 539, 30, 54, 32, 66, 459, 313])?; // "The `Vec<T>` type is"
/// decoder.logits(&mut logits)?;
/// let mut generation = Generation::new(Sampler::new(SamplerOptions::default()), 20);
/// let mut ids = Vec::new();
/// while let Some(id) = generation.next_token(&mut decoder, &mut logits, |_| false)? {
///     ids.push(id);
/// }
/// assert_eq!((ids.len(), generation.count()), (20, 20));
/// # Ok::<(), xielu::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Generation<S = Sampler> {
    sampler: S,
    limit: usize,
    count: usize,
    /// The last token, which is decoded when another is to follow it.
    last: Option<u32>,
    stopped: Option<Stop>,
}

impl<S: Sample> Generation<S> {
    /// At most `limit` tokens drawn by `sampler`; `usize::MAX` is no limit.
    pub const fn new(sampler: S, limit: usize) -> Self {
        Generation { sampler, limit, count: 0, last: None, stopped: None }
    }

    /// The next token, or `None` when the text has ended: see [`Generation::stopped`].
    ///
    /// `logits` (`output_vocab_size` values) holds what [`Decoder::logits`] wrote after the
    /// prompt, and is kept as this leaves it from one call to the next. (Where the decoder is on a
    /// device and the sampler greedy, they stay there.) `is_end` says whether a token ends
    /// a generation; such a token is counted and not returned.
    ///
    /// The last token is decoded only if another one may follow it.
    ///
    /// # Errors
    /// Those of [`Decoder::step`] and [`Sample::next`].
    pub fn next_token(
        &mut self,
        decoder: &mut Decoder<'_, '_, '_>,
        logits: &mut [f32],
        is_end: impl FnOnce(u32) -> bool,
    ) -> Result<Option<u32>, Error> {
        if self.limit == 0 {
            self.stopped = Some(Stop::Limit);
        }
        if self.stopped.is_some() {
            return Ok(None);
        }
        let mut chosen = None;
        if let Some(last) = self.last {
            if decoder.position() == decoder.context() {
                self.stopped = Some(Stop::ContextFull);
                return Ok(None);
            }
            chosen = self.chosen(decoder, last)?;
            if chosen.is_none() {
                decoder.step(last, logits)?;
            }
        }
        let id = match chosen {
            Some(id) => id,
            None => self.sampler.next(logits)?,
        };
        self.last = Some(id);
        self.count += 1;
        if is_end(id) {
            self.stopped = Some(Stop::End(id));
            return Ok(None);
        }
        if self.count == self.limit {
            self.stopped = Some(Stop::Limit);
        }
        Ok(Some(id))
    }

    /// What follows `last`, if the decoder can choose without its logits being copied.
    #[cfg(feature = "cuda")]
    fn chosen(&self, decoder: &mut Decoder<'_, '_, '_>, last: u32) -> Result<Option<u32>, Error> {
        if self.sampler.is_greedy() { decoder.choose(last) } else { Ok(None) }
    }

    #[cfg(not(feature = "cuda"))]
    const fn chosen(&self, _: &mut Decoder<'_, '_, '_>, _: u32) -> Result<Option<u32>, Error> {
        Ok(None)
    }

    /// Tokens drawn so far, with the one that ended the text.
    pub const fn count(&self) -> usize {
        self.count
    }

    /// What draws the tokens.
    pub const fn sampler(&self) -> &S {
        &self.sampler
    }

    /// What draws the tokens, for programs that draw some themselves.
    pub const fn sampler_mut(&mut self) -> &mut S {
        &mut self.sampler
    }

    /// The last token drawn, which the decoder has not read.
    pub const fn last(&self) -> Option<u32> {
        self.last
    }

    /// Why the text has ended, once it has.
    pub const fn stopped(&self) -> Option<Stop> {
        self.stopped
    }
}
