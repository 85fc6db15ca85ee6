//! Saved states that cannot be written or used.

use core::fmt;
use std::io;

use crate::llama::KvType;

/// Why a state cannot be saved, or a saved one not be used: one sentence, without the file's name.
#[derive(Debug)]
#[non_exhaustive]
pub enum StateError {
    /// It cannot be read or written.
    Io(io::Error),
    /// There is nothing to save, or the tokens that were decoded are not known.
    NothingKnown,
    /// It is something else.
    NotAState,
    /// It ends before it is whole.
    Truncated,
    /// Bytes of it have changed.
    Damaged,
    /// It was written in another format than this version of the library reads.
    Version(u32),
    /// It was made by another model.
    OtherModel,
    /// Its keys and values are of another type.
    OtherType {
        /// That of the state.
        found: KvType,
        /// That of the session.
        wanted: KvType,
    },
    /// The KV cache has too few positions for it.
    Context {
        /// Tokens of the state.
        tokens: usize,
        /// Positions there are.
        context: usize,
    },
}

impl fmt::Display for StateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StateError::Io(e) => write!(f, "{e}"),
            StateError::NothingKnown => f.write_str("there are no tokens whose state is known"),
            StateError::NotAState => f.write_str("it is no saved state"),
            StateError::Truncated => f.write_str("the saved state ends before it is whole"),
            StateError::Damaged => f.write_str("the saved state is damaged"),
            StateError::Version(version) => {
                write!(f, "the saved state has format {version}, which this version does not read")
            }
            StateError::OtherModel => f.write_str("the saved state was made by another model"),
            StateError::OtherType { found, wanted } => write!(
                f,
                "the saved state has keys and values of type {}, not {}",
                found.name(),
                wanted.name()
            ),
            StateError::Context { tokens, context } => write!(
                f,
                "the saved state has {tokens} tokens, and the context {context} positions"
            ),
        }
    }
}

impl core::error::Error for StateError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            StateError::Io(e) => Some(e),
            _ => None,
        }
    }
}

impl From<io::Error> for StateError {
    fn from(e: io::Error) -> Self {
        if e.kind() == io::ErrorKind::UnexpectedEof { StateError::Truncated } else { Self::Io(e) }
    }
}
