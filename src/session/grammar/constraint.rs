//! A grammar on its way through a text.

use std::string::{String, ToString};
use std::vec::Vec;

use llguidance::{Matcher, TokenParser};

use super::GrammarError;

/// Which tokens may follow.
pub struct Constraint {
    matcher: Matcher,
    /// End a text.
    ends: Vec<u32>,
}

impl Constraint {
    pub fn new(parser: TokenParser, ends: Vec<u32>) -> Self {
        Constraint { matcher: Matcher::new(Ok(parser)), ends }
    }

    /// Forbids, by logits of minus infinity, what cannot follow. A text that is whole may end by
    /// any token that ends texts.
    pub fn forbid(&mut self, logits: &mut [f32]) -> Result<(), GrammarError> {
        let allowed = self.matcher.compute_mask_or_eos().map_err(|e| stuck(&e))?;
        let allows = |id: usize| id < allowed.len() && allowed.get(id);
        let may_end = self.ends.iter().any(|&end| allows(end as usize));
        for (id, logit) in logits.iter_mut().enumerate() {
            let is_end = u32::try_from(id).is_ok_and(|id| self.ends.contains(&id));
            let allowed = if is_end { may_end } else { allows(id) };
            // What is no number stays, and is an error whichever token has it.
            if !allowed && logit.is_finite() {
                *logit = f32::NEG_INFINITY;
            }
        }
        Ok(())
    }

    /// Takes the token that follows.
    pub fn accept(&mut self, id: u32) -> Result<(), GrammarError> {
        if self.ends.contains(&id) {
            return Ok(());
        }
        self.matcher.consume_token(id).map_err(|e| stuck(&e))
    }

    /// What of the grammar is not followed, such as parts of a schema that mean nothing.
    pub fn warnings(&mut self) -> Vec<String> {
        self.matcher.grammar_warnings()
    }
}

fn stuck(e: &dyn ToString) -> GrammarError {
    GrammarError::Stuck(e.to_string())
}
