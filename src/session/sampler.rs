//! How a session draws tokens.

use std::string::String;
use std::vec::Vec;

use super::grammar::{Constraint, Vocabulary};
use super::{Grammar, GrammarError, Session, SessionError};
use crate::Error;
use crate::llama::{Sample, SamplerChain};

/// Draws tokens by a [`SamplerChain`], among those that the options' grammar allows.
pub struct SessionSampler {
    chain: SamplerChain,
    constraint: Option<Constraint>,
    /// Why the grammar cannot be followed further.
    failed: Option<GrammarError>,
}

impl SessionSampler {
    pub(super) fn new(
        session: &Session,
        chain: SamplerChain,
        grammar: Option<&Grammar>,
    ) -> Result<Self, SessionError> {
        let constraint = grammar.map(|grammar| session.constraint(grammar)).transpose()?;
        Ok(SessionSampler { chain, constraint, failed: None })
    }

    /// Whether the grammar could be followed so far: what an [`Error::NothingToDraw`] of this
    /// sampler means.
    ///
    /// # Errors
    /// [`GrammarError::Stuck`], [`GrammarError::NothingLeft`].
    pub fn check(&self) -> Result<(), GrammarError> {
        self.failed.clone().map_or(Ok(()), Err)
    }

    /// Draws among what the grammar allows.
    fn draw(
        chain: &mut SamplerChain,
        constraint: &mut Constraint,
        logits: &mut [f32],
    ) -> Result<Result<u32, Error>, GrammarError> {
        constraint.forbid(logits)?;
        match chain.sample(logits) {
            Ok(id) => constraint.accept(id).map(|()| Ok(id)),
            Err(Error::NothingToDraw) => Err(GrammarError::NothingLeft),
            Err(e) => Ok(Err(e)),
        }
    }
}

impl Sample for SessionSampler {
    fn next(&mut self, logits: &mut [f32]) -> Result<u32, Error> {
        let Some(constraint) = &mut self.constraint else { return self.chain.sample(logits) };
        Self::draw(&mut self.chain, constraint, logits).unwrap_or_else(|e| {
            self.failed = Some(e);
            Err(Error::NothingToDraw)
        })
    }

    fn is_greedy(&self) -> bool {
        self.constraint.is_none() && self.chain.is_greedy()
    }
}

impl Session {
    /// Whether texts of this model can follow a grammar, before one is begun; what of it is not
    /// followed, such as parts of a schema that mean nothing, in sentences.
    ///
    /// # Errors
    /// [`SessionError::Grammar`], [`SessionError::NoText`].
    pub fn check_grammar(&self, grammar: &Grammar) -> Result<Vec<String>, SessionError> {
        Ok(self.constraint(grammar)?.warnings())
    }

    /// What allows the tokens of one text. The vocabulary's tree is made once.
    fn constraint(&self, grammar: &Grammar) -> Result<Constraint, SessionError> {
        let vocabulary = match self.vocabulary.get() {
            Some(vocabulary) => vocabulary,
            None => {
                let new = Vocabulary::new(self.tokenizer()?, self.config().output_vocab_size)?;
                self.vocabulary.get_or_init(|| new)
            }
        };
        Ok(vocabulary.constraint(grammar)?)
    }
}
