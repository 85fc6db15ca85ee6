//! A text in windows, as perplexity is measured on it.

use std::path::Path;

use anyhow::bail;
use xielu::Session;
use xielu::session::{PerplexityOptions, SessionError, windows};
use xielu::tokenizer::Tokenizer;

use crate::model::reserve;
use crate::{interrupt, text};

/// What the user can do if there is not enough memory.
pub const ADVICE: &str = "lower --window";

/// The windows of the text at `path`, and a session with room for one of them; from here on Ctrl-C
/// is caught.
pub fn prepare_windows(
    session: &mut Session,
    path: &Path,
    options: &PerplexityOptions,
) -> anyhow::Result<Vec<Vec<u32>>> {
    let windows = read_windows(path, session.tokenizer()?, options)?;
    interrupt::catch()?;
    reserve(session, options.window, ADVICE)?;
    let trained = session.config().context_length;
    if options.window > trained {
        tell!("warning: the model was trained for a context of {trained}");
    }
    Ok(windows)
}

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
