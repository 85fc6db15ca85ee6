//! What can go wrong with a grammar.

use std::fmt::{self, Write as _};
use std::string::String;

use crate::error::escape::Escaping;

/// Why a text cannot follow a grammar: one sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum GrammarError {
    /// This program was built without feature `grammar`.
    NotBuilt,
    /// The text of a JSON schema is not JSON: why.
    NotJson(String),
    /// The grammar cannot be used: a sentence that says why.
    Refused(String),
    /// The model's vocabulary names no token that ends a text.
    NoEnd,
    /// The vocabulary cannot be read token by token: why.
    Vocabulary(String),
    /// The other options forbid every token that the grammar allows.
    NothingLeft,
    /// The matching gave up, within its limits of time and memory: why.
    Stuck(String),
}

impl fmt::Display for GrammarError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let f = &mut Escaping(f);
        match self {
            GrammarError::NotBuilt => {
                f.write_str("grammars are not in this build: it lacks the feature grammar")
            }
            GrammarError::NotJson(why) => write!(f, "the JSON schema is not JSON: {why}"),
            GrammarError::Refused(why) => f.write_str(why),
            GrammarError::NoEnd => f.write_str(
                "a text that follows a grammar needs a token that ends it, and the model's \
                 vocabulary names none",
            ),
            GrammarError::Vocabulary(why) => {
                write!(f, "the vocabulary cannot be matched with a grammar: {why}")
            }
            GrammarError::NothingLeft => {
                f.write_str("the sampling options forbid every token that the grammar allows")
            }
            GrammarError::Stuck(why) => write!(f, "the grammar cannot be followed further: {why}"),
        }
    }
}

impl core::error::Error for GrammarError {}
