//! How well a model predicts a text, measured as llama.cpp measures it.

use std::boxed::Box;
use std::format;
use std::ops::ControlFlow;
use std::vec::Vec;

use super::memory::allocate;
use super::{Session, SessionError};
use crate::llama::Decoder;
use crate::tokenizer::{Special, Tokenizer};

/// What of a text is scored: it is cut into windows of so many tokens; in each, the predictions
/// made at positions `window/2 .. window-1` are, so that every one has at least `window/2` tokens
/// to go by. This is the protocol of llama.cpp's perplexity program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PerplexityOptions {
    /// Tokens of a window; 4 at least.
    pub window: usize,
    /// Windows at most; all when `None`.
    pub windows: Option<usize>,
    /// Score all predictions of a window: what training reports as validation loss.
    pub from_start: bool,
}

impl Default for PerplexityOptions {
    /// All windows of 256.
    fn default() -> Self {
        PerplexityOptions { window: 256, windows: None, from_start: false }
    }
}

impl PerplexityOptions {
    /// The first position whose prediction is scored.
    pub const fn first(&self) -> usize {
        if self.from_start { 0 } else { self.window / 2 }
    }
}

/// The predictions of a text's tokens, added up.
#[derive(Clone, Copy, Debug, Default)]
pub struct Perplexity {
    predictions: u32,
    nll: f64,
    nll_squares: f64,
}

impl Perplexity {
    /// Adds one prediction, its negative log-likelihood `-ln p` in nats.
    pub fn add(&mut self, nll: f64) {
        self.predictions += 1;
        self.nll += nll;
        self.nll_squares += nll * nll;
    }

    /// Predictions that were scored.
    pub const fn predictions(&self) -> u32 {
        self.predictions
    }

    /// The mean of `-ln p`, in nats per token.
    pub fn loss(&self) -> f64 {
        self.nll / f64::from(self.predictions)
    }

    /// `exp(loss)`: among how many tokens the model hesitates, in the mean.
    pub fn value(&self) -> f64 {
        self.loss().exp()
    }

    /// One standard error of [`Perplexity::value`], to first order.
    pub fn standard_error(&self) -> f64 {
        let n = f64::from(self.predictions);
        let mean = self.nll / n;
        let variance = (self.nll_squares / n - mean * mean).max(0.0);
        self.value() * (variance / (n - 1.0).max(1.0)).sqrt()
    }
}

/// The tokens of `text`, cut into whole windows; each starts with the model's BOS token, if it has
/// one.
///
/// # Errors
/// [`SessionError::Window`], [`SessionError::ShortText`], [`SessionError::Text`].
pub fn windows(
    tokenizer: &Tokenizer,
    text: &str,
    options: &PerplexityOptions,
) -> Result<Vec<Vec<u32>>, SessionError> {
    let window = options.window;
    if window < 4 {
        return Err(SessionError::Window(window));
    }
    let mut ids: Vec<u32> = tokenizer.bos().into_iter().collect();
    ids.extend(tokenizer.encode(text, Special::Plain)?);
    let cut = ids.chunks_exact(window).take(options.windows.unwrap_or(usize::MAX));
    let mut windows: Vec<_> = cut.map(<[u32]>::to_vec).collect();
    if windows.is_empty() {
        return Err(SessionError::ShortText { tokens: ids.len(), window });
    }
    if let Some(bos) = tokenizer.bos() {
        windows.iter_mut().filter_map(|window| window.first_mut()).for_each(|id| *id = bos);
    }
    Ok(windows)
}

impl Session {
    /// The model's perplexity on `text`. `on_window` is told what is known after each window, and
    /// may stop there.
    ///
    /// ```
    /// use std::ops::ControlFlow;
    /// use xielu::Session;
    /// use xielu::session::PerplexityOptions;
    ///
    /// let mut session = Session::open("models/tiny-Q8_0.gguf")?;
    /// let text = std::fs::read_to_string("models/heldout.txt").unwrap();
    /// let options = PerplexityOptions { windows: Some(2), ..Default::default() };
    /// let result = session.perplexity(&text, &options, |_| ControlFlow::Continue(()))?;
    /// assert_eq!(result.predictions(), 2 * 127);
    /// assert!((result.value() - 21.1).abs() < 0.5, "{}", result.value());
    /// # Ok::<(), xielu::session::SessionError>(())
    /// ```
    ///
    /// # Errors
    /// As [`windows`] and [`Session::score`].
    pub fn perplexity(
        &mut self,
        text: &str,
        options: &PerplexityOptions,
        mut on_window: impl FnMut(&Perplexity) -> ControlFlow<()>,
    ) -> Result<Perplexity, SessionError> {
        let windows = windows(self.tokenizer()?, text, options)?;
        let mut result = Perplexity::default();
        self.score(&windows, options.first(), |nlls| {
            nlls.iter().for_each(|&nll| result.add(nll));
            on_window(&result)
        })?;
        Ok(result)
    }

    /// Hands `-ln p`, in nats, of the predictions made at positions `first .. n-1` of every window
    /// of `n` tokens to `on_window`, window by window, until that stops.
    ///
    /// # Errors
    /// [`SessionError::NeverWritten`], [`SessionError::Memory`], [`SessionError::Run`].
    pub fn score(
        &mut self,
        windows: &[Vec<u32>],
        first: usize,
        mut on_window: impl FnMut(&[f64]) -> ControlFlow<()>,
    ) -> Result<(), SessionError> {
        let longest = windows.iter().map(Vec::len).max().unwrap_or(0);
        if self.context() < longest {
            self.reserve(longest)?;
        }
        let rows = self.config().output_vocab_size;
        let batch = self.options.batch.max(1);
        self.reset();
        self.with_decoder(|decoder| {
            let mut logits = allocate(0, "")?;
            for window in windows {
                decoder.rewind(0);
                let nlls = score_window(decoder, window, first, batch, rows, &mut logits)?;
                if on_window(&nlls).is_break() {
                    break;
                }
            }
            Ok(())
        })?
    }
}

/// `-ln p` of the predictions made at positions `first .. n-1` of one window. The decoder is at
/// position 0; `rows` are those of its output head, and `logits` grow as they must.
fn score_window(
    decoder: &mut Decoder<'_, '_, '_>,
    window: &[u32],
    first: usize,
    batch: usize,
    rows: usize,
    logits: &mut Box<[f32]>,
) -> Result<Vec<f64>, SessionError> {
    // The last token predicts nothing that is known.
    let last = window.len().saturating_sub(1);
    let (before, scored) = (window.get(..first), window.get(first..last));
    let targets = window.get(first + 1..).unwrap_or_default();
    let (Some(before), Some(scored)) = (before, scored) else {
        return Err(SessionError::Window(window.len()));
    };
    if let Some(&id) = targets.iter().find(|&&id| id as usize >= rows) {
        return Err(SessionError::NeverWritten { id, rows });
    }
    let batch = batch.min(window.len() / 2).max(1);
    decoder.prompt(before)?;
    let mut nlls = Vec::with_capacity(scored.len());
    for (batch, targets) in scored.chunks(batch).zip(targets.chunks(batch)) {
        decoder.batch(batch)?;
        let n = batch.len() * rows;
        if logits.len() < n {
            *logits = allocate(n, &format!("the logits of {} tokens take", batch.len()))?;
        }
        let logits = logits.get_mut(..n).unwrap_or_default();
        decoder.logits(logits)?;
        let rows = logits.chunks_exact(rows).zip(targets);
        nlls.extend(rows.map(|(row, &target)| negative_log_likelihood(row, target)));
    }
    Ok(nlls)
}

/// `-ln softmax(logits)[target]`.
fn negative_log_likelihood(logits: &[f32], target: u32) -> f64 {
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = logits.iter().map(|&l| f64::from(l - largest).exp()).sum();
    let target = logits.get(target as usize).copied().unwrap_or(f32::NEG_INFINITY);
    sum.ln() - f64::from(target - largest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_even_choice_among_n_has_perplexity_n() {
        let mut score = Perplexity::default();
        for target in 0..8 {
            score.add(negative_log_likelihood(&[-3.5; 8], target));
        }
        assert!((score.value() - 8.0).abs() < 1e-12);
        assert!(score.standard_error() < 1e-6);
        assert_eq!(negative_log_likelihood(&[0.0, f32::NEG_INFINITY], 0), 0.0);
        assert_eq!(negative_log_likelihood(&[1000.0, 0.0], 1), 1000.0);
    }
}
