//! Generating: a prompt in, text or tokens out as they come.

use std::ops::ControlFlow;
use std::vec::Vec;

use super::{DefaultContext, Grammar, Session, SessionError, SessionSampler, StopTexts};
use crate::checkpoint::{ModelView, Sampling};
use crate::llama::{
    ChainOptions, Generation, LAST_N, Penalties, SamplerChain, SamplerOptions, Stop,
};
use crate::tokenizer::{Special, TextStream, Tokenizer};

/// Tokens that a context chosen by default has room for at least, where no limit is given.
const LEAST_TOKENS: usize = 64;
/// Tokens before a generated text that decide what its first tokens are as text.
const TEXT_BEFORE: usize = 16;

/// What to generate.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GenerateOptions {
    /// Tokens at most; when `None`, until the text ends or the context is full.
    pub limit: Option<usize>,
    /// How tokens are drawn: greedily by default. A [`SamplerOptions`] becomes one by `into`.
    pub sampling: ChainOptions,
    /// Special tokens are given as text, too, by [`Session::generate`] and
    /// [`Session::write_text`]: what a model marks with them, such as its deliberation, is seen.
    /// (Not those that end a text.)
    pub special: bool,
    /// What the text is to be; anything when `None`. Only with feature `grammar`.
    pub grammar: Option<Grammar>,
}

impl GenerateOptions {
    /// Whether a prompt of so many tokens and what is to be generated (one token at least, without
    /// a limit) fit into `context` positions.
    ///
    /// # Errors
    /// [`SessionError::ContextFull`].
    pub fn check(&self, prompt: usize, context: usize) -> Result<(), SessionError> {
        let tokens = self.limit.unwrap_or(1);
        if prompt.saturating_add(tokens) > context {
            return Err(SessionError::ContextFull { prompt, tokens, context });
        }
        Ok(())
    }
}

/// What was generated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Generated {
    /// Tokens that were drawn, with the one that ended the text.
    pub tokens: usize,
    /// Why there are no more; `None` if the caller stopped, or a text to stop at came.
    pub stop: Option<Stop>,
}

/// How a model's authors sample: its `generation_config.json`, or the keys `general.sampling.*` of
/// a GGUF file.
///
/// # Errors
/// If a file cannot be read, or a value is out of its range.
pub fn recommended_sampling(view: &ModelView<'_>) -> Result<Sampling, SessionError> {
    match view {
        ModelView::Gguf(gguf) => Ok(Sampling::from_gguf(gguf.first())?),
        #[cfg(feature = "safetensors")]
        ModelView::Hf(dir) => dir.sampling().map_err(SessionError::Directory),
    }
}

impl Session {
    /// The ids of a prompt, with what the tokenizer puts around every text; special tokens in it
    /// are recognised.
    ///
    /// # Errors
    /// [`SessionError::EmptyPrompt`], [`SessionError::NoText`], [`SessionError::Text`].
    pub fn prompt_ids(&self, prompt: &str) -> Result<Vec<u32>, SessionError> {
        let ids = self.tokenizer()?.encode_prompt(prompt)?;
        if ids.is_empty() { Err(SessionError::EmptyPrompt) } else { Ok(ids) }
    }

    /// The ids of a text that brings its special tokens along, as a rendered chat template does:
    /// they are recognised, and nothing is put around it.
    ///
    /// # Errors
    /// As [`Session::prompt_ids`].
    pub fn text_ids(&self, text: &str) -> Result<Vec<u32>, SessionError> {
        let ids = self.tokenizer()?.encode(text, Special::Parse)?;
        if ids.is_empty() { Err(SessionError::EmptyPrompt) } else { Ok(ids) }
    }

    /// Begins a text with `prompt` and continues it. `on_text` gets what is generated, whole
    /// characters at a time, and may stop it.
    ///
    /// # Errors
    /// [`SessionError`]; what was generated before is given.
    pub fn generate(
        &mut self,
        prompt: &str,
        options: &GenerateOptions,
        mut on_text: impl FnMut(&str) -> ControlFlow<()>,
    ) -> Result<Generated, SessionError> {
        let ids = self.prompt_ids(prompt)?;
        self.begin(ids.len(), options)?;
        self.read(&ids, |_| ControlFlow::Continue(()))?;
        let tokenizer = self.tokenizer()?.clone();
        let mut stream = TextStream::new(&*tokenizer).with_special(options.special);
        // What a token is as text may depend on those before it.
        ids.iter().try_for_each(|&id| stream.push(id).map(|_| ()))?;
        self.write_stream(stream, options, &mut on_text)
    }

    /// As [`Session::write`]: `on_text` gets what is generated as text, whole characters at a
    /// time, and may stop it. Nothing of a text in `stops` is given, nor what follows it; the
    /// generation ends there.
    ///
    /// # Errors
    /// As [`Session::write`], and [`SessionError::Text`].
    pub fn write_text(
        &mut self,
        options: &GenerateOptions,
        mut stops: StopTexts,
        mut on_text: impl FnMut(&str) -> ControlFlow<()>,
    ) -> Result<Generated, SessionError> {
        let tokenizer = self.tokenizer()?.clone();
        let mut stream = TextStream::new(&*tokenizer).with_special(options.special);
        let before = self.ids.len().saturating_sub(TEXT_BEFORE);
        for &id in self.ids.get(before..).unwrap_or_default() {
            stream.push(id)?;
        }
        let mut stopped = false;
        let generated = self.write_stream(stream, options, &mut |text| {
            let (text, stop) = stops.push(text);
            stopped = (!text.is_empty() && on_text(&text).is_break()) || stop;
            if stopped { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        let rest = stops.finish();
        if !stopped && !rest.is_empty() {
            // It is the last, whatever comes back.
            let _ = on_text(&rest);
        }
        Ok(generated)
    }

    /// Generates, and gives the text that `stream` makes of it.
    fn write_stream(
        &mut self,
        mut stream: TextStream<&Tokenizer>,
        options: &GenerateOptions,
        on_text: &mut dyn FnMut(&str) -> ControlFlow<()>,
    ) -> Result<Generated, SessionError> {
        let mut failed = None;
        let mut stopped = false;
        let generated = self.write(options, |id| {
            let flow = match stream.push(id) {
                Ok(text) => text.map_or(ControlFlow::Continue(()), |text| on_text(&text)),
                Err(e) => {
                    failed = Some(e);
                    ControlFlow::Break(())
                }
            };
            stopped = flow.is_break();
            flow
        })?;
        if let Some(e) = failed {
            return Err(e.into());
        }
        if let Some(rest) = stream.finish()?.filter(|_| !stopped) {
            // It is the last, whatever comes back.
            let _ = on_text(&rest);
        }
        Ok(generated)
    }

    /// Begins a text: forgets the one before, and sees to it that there is room for `prompt`
    /// tokens and those to generate.
    ///
    /// # Errors
    /// [`SessionError::ContextFull`] if there is not, [`SessionError::Memory`].
    pub fn begin(&mut self, prompt: usize, options: &GenerateOptions) -> Result<(), SessionError> {
        self.reset();
        let grows = self.options.context.is_none();
        if self.context() > 0 && (!grows || options.check(prompt, self.context()).is_ok()) {
            return options.check(prompt, self.context());
        }
        let context = self.options.context;
        let context = context.unwrap_or_else(|| self.context_for(prompt, options).positions);
        options.check(prompt, context)?;
        self.reserve(context)
    }

    /// The default context for a prompt of so many tokens and those to generate; without a limit
    /// there is to be room for some.
    pub fn context_for(&self, prompt: usize, options: &GenerateOptions) -> DefaultContext {
        let tokens = options.limit.unwrap_or(0).max(LEAST_TOKENS);
        self.default_context(prompt.saturating_add(tokens))
    }

    /// Reads tokens after those that were read or generated before, as many at a time as go
    /// through the layers together. `on_batch` is told how many were read after each of these
    /// batches, and may stop; what it was not told of is not read.
    ///
    /// # Errors
    /// [`SessionError::Run`]: the context is full, a token is beyond the vocabulary, or a value is
    /// not finite.
    pub fn read(
        &mut self,
        ids: &[u32],
        mut on_batch: impl FnMut(usize) -> ControlFlow<()>,
    ) -> Result<(), SessionError> {
        if ids.is_empty() {
            return Ok(());
        }
        let unread: Vec<u32> = self.unread.take().into_iter().chain(ids.iter().copied()).collect();
        let (batch, before) = (self.options.batch.max(1), self.position());
        let result = self.with_decoder_and_logits(|decoder, logits| {
            for (number, ids) in unread.chunks(batch).enumerate() {
                decoder.batch(ids)?;
                if on_batch(number * batch + ids.len()).is_break() {
                    break;
                }
            }
            decoder.logits(logits)
        });
        self.remember(before, &unread);
        result
    }

    /// A generation as `options` say, for [`Session::next_token`], after what was read. Penalties
    /// count the tokens of this session's text (those that were read or generated; not what the
    /// decoder of [`Session::with_decoder`] was given).
    ///
    /// # Errors
    /// [`SessionError::Sampling`] or [`SessionError::Grammar`] if the options cannot be used with
    /// this model.
    pub fn generation(
        &self,
        options: &GenerateOptions,
    ) -> Result<Generation<SessionSampler>, SessionError> {
        let mut sampling = options.sampling.clone();
        // A text is no longer than the context: all of it counts.
        let context = self.context();
        sampling.last_n = sampling.last_n.filter(|&n| context == 0 || n <= context);
        let mut chain = SamplerChain::new(sampling, self.config().output_vocab_size)?;
        self.ids.iter().chain(&self.unread).for_each(|&id| chain.accept(id));
        let sampler = SessionSampler::new(self, chain, options.grammar.as_ref())?;
        Ok(Generation::new(sampler, options.limit.unwrap_or(usize::MAX)))
    }

    /// Generates after what was read. `on_token` gets every token but the one that ends the text,
    /// and may stop it. [`Session::read`] and another call continue the text.
    ///
    /// # Errors
    /// [`SessionError::EmptyPrompt`] if nothing was read; [`SessionError::NoText`] if nothing is
    /// known of the tokens that end a text; [`SessionError::Sampling`]; [`SessionError::Grammar`];
    /// [`SessionError::Run`].
    pub fn write(
        &mut self,
        options: &GenerateOptions,
        mut on_token: impl FnMut(u32) -> ControlFlow<()>,
    ) -> Result<Generated, SessionError> {
        let tokenizer = self.tokenizer()?.clone();
        let mut generation = self.generation(options)?;
        self.catch_up(&generation)?;
        let (before, mut drawn) = (self.position(), Vec::new());
        let result = self.with_decoder_and_logits(|decoder, logits| {
            let is_end = |id| tokenizer.is_end(id);
            while let Some(id) = generation.next_token(decoder, logits, is_end)? {
                drawn.push(id);
                if on_token(id).is_break() {
                    return Ok(None);
                }
            }
            Ok(generation.stopped())
        });
        self.unread = generation.last();
        self.remember(before, &drawn);
        generation.sampler().check()?;
        Ok(Generated { tokens: generation.count(), stop: result? })
    }
}

impl ChainOptions {
    /// As a model's files recommend; what they leave out is as transformers has it: temperature
    /// 1, top-k 50, top-p 1, and no more. A repetition penalty counts all tokens where it comes from
    /// a `generation_config.json`, and as many as llama.cpp would count where it comes from a GGUF
    /// file that does not say.
    pub fn recommended(sampling: &Sampling) -> Self {
        let sampler = SamplerOptions {
            temperature: sampling.temperature.unwrap_or(1.0),
            top_k: sampling.top_k.unwrap_or(50) as usize,
            top_p: sampling.top_p.unwrap_or(1.0),
            seed: 0,
        };
        let repetition = sampling.repetition_penalty.unwrap_or(1.0);
        ChainOptions {
            min_p: sampling.min_p.unwrap_or(0.0),
            typical_p: sampling.typical_p.unwrap_or(1.0),
            penalties: Penalties { repetition, ..Penalties::NONE },
            last_n: sampling.penalty_last_n.map_or(Some(LAST_N), |n| usize::try_from(n).ok()),
            ..sampler.into()
        }
    }
}
