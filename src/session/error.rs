//! What can go wrong in a session.

use std::boxed::Box;
use std::fmt;
use std::string::String;

use super::{GrammarError, StateError};
use crate::Error;
use crate::checkpoint::OpenError;
use crate::llama::SamplingError;
use crate::tokenizer::TokenizerError;

/// Why a session cannot be made, or cannot go on: one sentence.
#[derive(Debug)]
#[non_exhaustive]
pub enum SessionError {
    /// The model cannot be opened.
    Open(OpenError),
    /// The file is not a model that can be run.
    Load(Error),
    /// The model has no vocabulary that can be used.
    NoText(TokenizerError),
    /// A text cannot be turned into tokens, or tokens into text.
    Text(TokenizerError),
    /// The decoder failed.
    Run(Error),
    /// A state cannot be saved, or a saved one not be used.
    State(StateError),
    /// Tokens cannot be drawn as the options say.
    Sampling(SamplingError),
    /// A text cannot follow the grammar that the options name.
    Grammar(GrammarError),
    /// There is not as much memory.
    Memory {
        /// What takes it, such as `a context of 4096 tokens takes`.
        what: String,
        /// Bytes that it takes.
        bytes: u64,
        /// Bytes that are free, where the system says so.
        free: Option<u64>,
    },
    /// The device has not as much memory.
    #[cfg(feature = "cuda")]
    DeviceMemory {
        /// What takes it, such as `the model and a context of 4096 tokens take`.
        what: String,
        /// Bytes that it takes.
        bytes: u64,
        /// Bytes that are free.
        free: u64,
    },
    /// The threads cannot be started.
    Threads(Box<dyn core::error::Error + Send + Sync>),
    /// The prompt is empty, and the model begins no text by itself.
    EmptyPrompt,
    /// The KV cache has too few positions.
    ContextFull {
        /// Tokens of the prompt.
        prompt: usize,
        /// Tokens to generate.
        tokens: usize,
        /// Positions there are.
        context: usize,
    },
    /// A window of perplexity is too small to score anything.
    Window(usize),
    /// A text is shorter than one window of perplexity.
    ShortText {
        /// Tokens of the text.
        tokens: usize,
        /// Tokens of a window.
        window: usize,
    },
    /// A text has a token that the model reads and never writes: its output head has fewer rows
    /// than its embedding.
    NeverWritten {
        /// The token.
        id: u32,
        /// Rows of the output head.
        rows: usize,
    },
    /// The files of a directory cannot be read.
    #[cfg(feature = "safetensors")]
    Directory(crate::checkpoint::hf::HfError),
}

/// A size in the unit that suits it, with two decimals.
struct Size(u64);

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
        if self.0 < 1024 {
            return write!(f, "{} B", self.0);
        }
        let (mut size, mut unit) = (self.0 as f64, "B");
        for larger in UNITS {
            if size < 1024.0 {
                break;
            }
            (size, unit) = (size / 1024.0, larger);
        }
        write!(f, "{size:.2} {unit}")
    }
}

impl fmt::Display for SessionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SessionError::Open(e) => write!(f, "{e}"),
            SessionError::Load(e) | SessionError::Run(e) => write!(f, "{e}"),
            SessionError::NoText(e) => write!(f, "this model cannot read text: {e}"),
            SessionError::Text(e) => write!(f, "{e}"),
            SessionError::Sampling(e) => write!(f, "{e}"),
            SessionError::Grammar(e) => write!(f, "{e}"),
            SessionError::State(e) => write!(f, "{e}"),
            SessionError::Memory { what, bytes, free: Some(free) } => {
                let (bytes, free) = (Size(*bytes), Size(*free));
                write!(f, "{what} {bytes} of memory and {free} are free")
            }
            SessionError::Memory { what, bytes, free: None } => {
                write!(f, "{what} {} of memory, more than this process is given", Size(*bytes))
            }
            #[cfg(feature = "cuda")]
            SessionError::DeviceMemory { what, bytes, free } => {
                let (bytes, free) = (Size(*bytes), Size(*free));
                write!(f, "{what} {bytes} of the CUDA device's memory and {free} are free")
            }
            SessionError::Threads(_) => f.write_str("the threads cannot be started"),
            SessionError::EmptyPrompt => f.write_str(
                "the prompt is empty, and this model begins no text by itself; give it some text",
            ),
            SessionError::ContextFull { prompt, tokens, context } => write!(
                f,
                "context full: a prompt of {prompt} tokens and {tokens} to generate need {} \
                 positions and there are {context}",
                prompt.saturating_add(*tokens)
            ),
            SessionError::Window(window) => {
                write!(f, "a window of {window} is too small to score anything; give 4 or more")
            }
            SessionError::ShortText { tokens, window } => {
                write!(f, "the text has {tokens} tokens, less than one window of {window}")
            }
            SessionError::NeverWritten { id, rows } => write!(
                f,
                "token {id} of the text is one that the model reads but never writes: its output \
                 head has {rows} rows"
            ),
            #[cfg(feature = "safetensors")]
            SessionError::Directory(e) => write!(f, "{e}"),
        }
    }
}

impl core::error::Error for SessionError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            SessionError::Open(e) => Some(e),
            SessionError::Load(e) | SessionError::Run(e) => Some(e),
            SessionError::NoText(e) | SessionError::Text(e) => Some(e),
            SessionError::Sampling(e) => Some(e),
            SessionError::Grammar(e) => Some(e),
            SessionError::State(e) => Some(e),
            SessionError::Threads(e) => Some(&**e),
            #[cfg(feature = "safetensors")]
            SessionError::Directory(e) => Some(e),
            _ => None,
        }
    }
}

impl From<OpenError> for SessionError {
    fn from(e: OpenError) -> Self {
        SessionError::Open(e)
    }
}

impl From<Error> for SessionError {
    fn from(e: Error) -> Self {
        SessionError::Run(e)
    }
}

impl From<StateError> for SessionError {
    fn from(e: StateError) -> Self {
        SessionError::State(e)
    }
}

impl From<GrammarError> for SessionError {
    fn from(e: GrammarError) -> Self {
        SessionError::Grammar(e)
    }
}

impl From<SamplingError> for SessionError {
    fn from(e: SamplingError) -> Self {
        SessionError::Sampling(e)
    }
}

impl From<TokenizerError> for SessionError {
    fn from(e: TokenizerError) -> Self {
        SessionError::Text(e)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString as _;

    #[test]
    fn sizes_have_units() {
        let shown = |bytes| Size(bytes).to_string();
        assert_eq!(shown(0), "0 B");
        assert_eq!(shown(1023), "1023 B");
        assert_eq!(shown(1536), "1.50 KiB");
        assert_eq!(shown(1 << 30), "1.00 GiB");
        assert_eq!(shown(u64::MAX), "16.00 EiB");
    }
}
