//! A text in windows, as perplexity is measured on it.

use std::path::Path;

use anyhow::bail;
use xielu::session::{PerplexityOptions, SessionError, windows};
use xielu::tokenizer::Tokenizer;

use crate::text;

/// What the user can do if there is not enough memory.
pub const ADVICE: &str = "lower --window";

/// The tokens of the text at `path`, cut into windows.
pub fn read_windows(
    path: &Path,
    tokenizer: &Tokenizer,
    options: &PerplexityOptions,
) -> anyhow::Result<Vec<Vec<u32>>> {
    let window = options.window;
    if window < 4 {
        bail!("--window {window} is too small to score anything; give 4 or more");
    }
    let text = text::read(path, "text")?;
    match windows(tokenizer, &text, options) {
        Err(SessionError::ShortText { tokens, window }) => bail!(
            "{} has {tokens} tokens, less than one window of {window}; \
             give more text or a smaller --window",
            path.display()
        ),
        windows => Ok(windows?),
    }
}
