//! Everything that may happen to logits before a token is drawn, in one order.

use alloc::vec::Vec;

use super::cuts::Cuts;
use super::penalties::Penalties;
use super::{Sampler, SamplerOptions, SamplingError};
use crate::Error;

/// What a [`SamplerChain`] does. What is not named changes nothing.
#[derive(Clone, Debug, PartialEq)]
pub struct ChainOptions {
    /// Temperature, top-k, top-p and seed.
    pub sampler: SamplerOptions,
    /// Only tokens of at least this share of the likeliest token's probability (Nguyen et al., arXiv
    /// 2407.01082); 0 is all.
    pub min_p: f32,
    /// Only the tokens whose surprise `-ln p` is closest to its expectation (Meister et al., arXiv
    /// 2202.00666) and that together reach this probability; 1 is all.
    pub typical_p: f32,
    /// Penalties for tokens that have occurred.
    pub penalties: Penalties,
    /// Penalties count among the last so many tokens, the prompt's among them; all when `None`.
    pub last_n: Option<usize>,
    /// Added to the logits of these tokens; minus infinity forbids one. Twice the same token counts
    /// twice.
    pub bias: Vec<(u32, f32)>,
}

/// Of how many tokens llama.cpp counts the penalties.
pub(crate) const LAST_N: usize = 64;

impl Default for ChainOptions {
    /// Greedy; penalties, once there are some, count among the last 64 tokens, as in llama.cpp.
    fn default() -> Self {
        SamplerOptions::default().into()
    }
}

impl From<SamplerOptions> for ChainOptions {
    fn from(sampler: SamplerOptions) -> Self {
        ChainOptions {
            sampler,
            min_p: 0.0,
            typical_p: 1.0,
            penalties: Penalties::NONE,
            last_n: Some(LAST_N),
            bias: Vec::new(),
        }
    }
}

impl ChainOptions {
    /// Whether they can be used on `vocabulary` logits.
    ///
    /// # Errors
    /// [`SamplingError`], which says what cannot.
    pub fn check(&self, vocabulary: usize) -> Result<(), SamplingError> {
        let SamplerOptions { temperature, top_p, .. } = self.sampler;
        let Penalties { repetition, presence, frequency } = self.penalties;
        if !(temperature >= 0.0 && temperature.is_finite()) {
            return Err(SamplingError::Temperature(temperature));
        }
        if !(top_p > 0.0 && top_p <= 1.0) {
            return Err(SamplingError::TopP(top_p));
        }
        if !(0.0..=1.0).contains(&self.min_p) {
            return Err(SamplingError::MinP(self.min_p));
        }
        if !(self.typical_p > 0.0 && self.typical_p <= 1.0) {
            return Err(SamplingError::TypicalP(self.typical_p));
        }
        if !(repetition > 0.0 && repetition.is_finite()) {
            return Err(SamplingError::Repetition(repetition));
        }
        if let Some(bad) = [presence, frequency].into_iter().find(|p| !p.is_finite()) {
            return Err(SamplingError::Penalty(bad));
        }
        for &(token, bias) in &self.bias {
            if token as usize >= vocabulary {
                return Err(SamplingError::NoSuchToken { token, vocabulary });
            }
            if bias.is_nan() || bias == f32::INFINITY {
                return Err(SamplingError::Bias { token, bias });
            }
        }
        Ok(())
    }
}

/// Changes logits and draws tokens, always in this order, which is transformers':
///
/// 1. the bias is added;
/// 2. [`Penalties`] lower what has occurred;
///
/// and, unless the temperature is 0, which takes the likeliest token now,
///
/// 3. logits are divided by the temperature;
/// 4. top-k, 5. top-p, 6. min-p, 7. typical-p, each on what the one before has left, forbid tokens
///    (equals of the last token left are left, too);
/// 8. a token is drawn.
///
/// (llama.cpp divides by the temperature last, so that its top-p, min-p and typical-p are of the
/// undivided logits, and has typical-p before top-p.)
///
/// It takes its memory when it is made, and none for a token.
///
/// ```
/// use xielu::llama::{ChainOptions, Penalties, SamplerChain, SamplerOptions};
///
/// let mut options = ChainOptions::from(SamplerOptions { temperature: 0.8, ..Default::default() });
/// options.min_p = 0.1;
/// options.penalties = Penalties { frequency: 0.5, ..Penalties::NONE };
/// options.bias = vec![(3, f32::NEG_INFINITY)];
/// let mut chain = SamplerChain::new(options, 4)?;
/// chain.accept(0); // of the prompt
///
/// let mut logits = [0.25, 1.0, -3.0, 9.0];
/// let id = chain.sample(&mut logits).unwrap();
/// assert!(id < 2);
/// assert_eq!(logits, [-0.25, 1.0, f32::NEG_INFINITY, f32::NEG_INFINITY]);
/// # Ok::<(), xielu::llama::SamplingError>(())
/// ```
#[derive(Clone, Debug)]
pub struct SamplerChain {
    options: ChainOptions,
    /// Draws by the temperature alone: the rest has been done by then.
    sampler: Sampler,
    /// How often each token occurs among the last ones; empty without penalties.
    counts: Vec<u32>,
    /// The last tokens, a ring; empty where all count.
    last: Vec<u32>,
    /// Where the oldest of a full ring is.
    oldest: usize,
}

impl SamplerChain {
    /// A chain for `vocabulary` logits, before the first token.
    ///
    /// # Errors
    /// [`ChainOptions::check`]'s, and [`SamplingError::Memory`].
    pub fn new(options: ChainOptions, vocabulary: usize) -> Result<Self, SamplingError> {
        options.check(vocabulary)?;
        let (mut counts, mut last) = (Vec::new(), Vec::new());
        if !options.penalties.is_none() && options.last_n != Some(0) {
            let window = options.last_n.unwrap_or(0);
            let failed = |_| SamplingError::Memory { tokens: vocabulary.max(window) };
            counts.try_reserve_exact(vocabulary).map_err(failed)?;
            counts.resize(vocabulary, 0);
            last.try_reserve_exact(window).map_err(failed)?;
        }
        let SamplerOptions { temperature, seed, .. } = options.sampler;
        let alone = SamplerOptions { temperature, seed, ..SamplerOptions::default() };
        Ok(SamplerChain { options, sampler: Sampler::new(alone), counts, last, oldest: 0 })
    }

    /// Counts a token of the text: those of the prompt, since [`SamplerChain::sample`] counts what
    /// it draws. Tokens beyond the logits cannot be drawn, and only take their place among the last.
    pub fn accept(&mut self, id: u32) {
        if self.counts.is_empty() {
            return;
        }
        if let Some(count) = self.counts.get_mut(id as usize) {
            *count = count.saturating_add(1);
        }
        let Some(window) = self.options.last_n else { return };
        if self.last.len() < window {
            self.last.push(id);
        } else if let Some(place) = self.last.get_mut(self.oldest) {
            let old = core::mem::replace(place, id);
            self.oldest = (self.oldest + 1) % window.max(1);
            if let Some(count) = self.counts.get_mut(old as usize) {
                *count = count.saturating_sub(1);
            }
        }
    }

    /// Draws the next token's id from its logits, and counts it. The logits are left as
    /// [`SamplerChain::process`] leaves them.
    ///
    /// # Errors
    /// As [`Sampler::sample`]: a logit is NaN or plus infinity, or no token may be drawn.
    pub fn sample(&mut self, logits: &mut [f32]) -> Result<u32, Error> {
        self.process(logits);
        let id = self.sampler.sample(logits)?;
        self.accept(id);
        Ok(id)
    }

    /// Whether it takes the likeliest token, and nothing changes its logits.
    pub(super) fn is_greedy(&self) -> bool {
        self.sampler.is_greedy() && self.options.bias.is_empty() && self.counts.is_empty()
    }

    /// All but drawing: bias and penalties change `logits`, and what may not be drawn becomes minus
    /// infinity. They are not divided by the temperature.
    pub fn process(&self, logits: &mut [f32]) {
        let o = &self.options;
        for &(id, bias) in &o.bias {
            if let Some(logit) = logits.get_mut(id as usize) {
                *logit += bias;
            }
        }
        o.penalties.apply(logits, &self.counts);
        let SamplerOptions { temperature, top_k, top_p, .. } = o.sampler;
        let (min_p, typical_p) = (o.min_p, o.typical_p);
        Cuts { temperature, top_k, top_p, min_p, typical_p }.apply(logits);
    }
}

#[cfg(test)]
#[path = "chain_tests.rs"]
mod tests;
