//! What can go wrong with text.

use std::fmt::{self, Write as _};
use std::format;
use std::string::{String, ToString as _};
use std::vec::Vec;

use crate::error::escape::Escaping;

/// Why a vocabulary cannot be used or a text not be tokenized: one line of English.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenizerError(pub(super) String);

impl TokenizerError {
    /// An error of the `tokenizers` crate, and what was being done.
    pub(super) fn of(what: &str, e: &tokenizers::Error) -> Self {
        TokenizerError(format!("{what}: {}", one_line(e)))
    }
}

impl fmt::Display for TokenizerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Escaping(f).write_str(&self.0)
    }
}

impl core::error::Error for TokenizerError {}

/// An error of the crate, which may span lines, on one.
pub(crate) fn one_line(e: &tokenizers::Error) -> String {
    e.to_string().split_whitespace().collect::<Vec<_>>().join(" ")
}
