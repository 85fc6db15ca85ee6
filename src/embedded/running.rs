//! A session that runs: a prompt in, tokens and text as they come.

use crate::Error;
use crate::llama::{Decoder, Generation, Sampler, SamplerOptions, Stop};
use crate::tokenizer::bpe::{Bpe, InPlace, Utf8Stream};

/// A model that reads and writes ids.
#[derive(Debug)]
pub struct Tokens {
    decoder: Decoder<'static, 'static, 'static>,
    logits: &'static mut [f32],
    sampling: SamplerOptions,
    generation: Generation,
}

impl Tokens {
    pub(super) fn new(
        decoder: Decoder<'static, 'static, 'static>,
        logits: &'static mut [f32],
    ) -> Self {
        let sampling = SamplerOptions { temperature: 0.0, top_k: 0, top_p: 1.0, seed: 0 };
        Tokens { decoder, logits, sampling, generation: Generation::new(Sampler::new(sampling), 0) }
    }

    /// How tokens are drawn after the next prompt; greedily, unless this is called.
    pub const fn set_sampling(&mut self, sampling: SamplerOptions) {
        self.sampling = sampling;
    }

    /// Reads a prompt in place of what came before, for at most `limit` tokens to follow.
    ///
    /// # Errors
    /// Those of [`Decoder::prompt`]; [`Error::Length`] if there are no ids.
    pub fn prompt(&mut self, ids: &[u32], limit: usize) -> Result<(), Error> {
        self.generation = Generation::new(Sampler::new(self.sampling), 0);
        self.decoder.rewind(0);
        self.decoder.prompt(ids)?;
        self.decoder.logits(self.logits)?;
        self.generation = Generation::new(Sampler::new(self.sampling), limit);
        Ok(())
    }

    /// The next token, or `None` when the text has ended: see [`Tokens::stopped`]. `is_end` says
    /// whether a token ends a text.
    ///
    /// # Errors
    /// Those of [`Decoder::step`].
    pub fn next_token(&mut self, is_end: impl FnOnce(u32) -> bool) -> Result<Option<u32>, Error> {
        self.generation.next_token(&mut self.decoder, self.logits, is_end)
    }

    /// Why the text has ended, once it has.
    pub const fn stopped(&self) -> Option<Stop> {
        self.generation.stopped()
    }

    /// Tokens read so far: the prompt, and what follows but for the last token.
    pub const fn position(&self) -> usize {
        self.decoder.position()
    }

    /// Positions there are.
    pub const fn context(&self) -> usize {
        self.decoder.context()
    }
}

/// A model that reads and writes text.
#[derive(Debug)]
pub struct Running {
    tokens: Tokens,
    bpe: Bpe<InPlace<'static>>,
    work: &'static mut [u32],
    ids: &'static mut [u32],
    text: Utf8Stream,
}

impl Running {
    pub(super) fn new(
        tokens: Tokens,
        bpe: Bpe<InPlace<'static>>,
        work: &'static mut [u32],
        ids: &'static mut [u32],
    ) -> Self {
        Running { tokens, bpe, work, ids, text: Utf8Stream::default() }
    }

    /// Answers a prompt with at most `limit` tokens, their text as it comes; returns how many there
    /// were. What came before is forgotten.
    ///
    /// # Errors
    /// As [`Running::prompt`] and [`Running::next_token`].
    pub fn generate(
        &mut self,
        prompt: &str,
        limit: usize,
        mut write: impl FnMut(&str),
    ) -> Result<usize, Error> {
        self.prompt(prompt, limit)?;
        let mut count = 0;
        while let Some(id) = self.next_token()? {
            self.write(id, &mut write);
            count += 1;
        }
        self.finish(&mut write);
        Ok(count)
    }

    /// Reads a prompt in place of what came before, for at most `limit` tokens to follow; returns
    /// how many tokens it has. The model's special tokens are recognised in it, and what stands
    /// before every text is put there.
    ///
    /// # Errors
    /// [`Error::ContextFull`] if it does not fit, [`Error::Memory`] if a word is longer than
    /// [`Program::LONGEST_WORD`](super::Program::LONGEST_WORD), [`Error::NoTokenForByte`],
    /// [`Error::Length`] if it is empty, and those of [`Decoder::prompt`].
    pub fn prompt(&mut self, text: &str, limit: usize) -> Result<usize, Error> {
        self.text = Utf8Stream::default();
        let needed = self.bpe.encode_prompt(text, self.work, self.ids)?;
        let context = self.tokens.context();
        let ids = self.ids.get(..needed).ok_or(Error::ContextFull { needed, context })?;
        self.tokens.prompt(ids, limit)?;
        Ok(needed)
    }

    /// The next token, or `None` when the text has ended: see [`Tokens::stopped`].
    ///
    /// # Errors
    /// Those of [`Decoder::step`].
    pub fn next_token(&mut self) -> Result<Option<u32>, Error> {
        let bpe = &self.bpe;
        self.tokens.next_token(|id| bpe.is_end(id))
    }

    /// Calls `write` with the text that a token completes: none, where it ends within a character.
    pub fn write(&mut self, id: u32, write: &mut dyn FnMut(&str)) {
        if self.bpe.is_control(id) {
            return;
        }
        for byte in self.bpe.token(id).into_iter().flatten() {
            self.text.push(byte, write);
        }
    }

    /// The end of the text: calls `write` with U+FFFD if a character is not whole.
    pub fn finish(&mut self, write: &mut dyn FnMut(&str)) {
        self.text.finish(write);
    }

    /// The model below the text.
    pub const fn tokens(&self) -> &Tokens {
        &self.tokens
    }

    /// As [`Tokens::set_sampling`].
    pub const fn set_sampling(&mut self, sampling: SamplerOptions) {
        self.tokens.set_sampling(sampling);
    }
}
