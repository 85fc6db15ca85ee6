//! `xielu perplexity`: how well a model predicts a text, measured as llama.cpp measures it.

use std::path::{Path, PathBuf};

use anyhow::bail;
use indicatif::{ProgressBar, ProgressStyle};
use xielu::llama::Decoder;
use xielu::tokenizer::{Special, Tokenizer};

use crate::args::ModelArgs;
use crate::interrupt;
use crate::model::ReadsText as _;
use crate::room::allocate;
use crate::session::{Need, with_decoder};
use crate::text;

/// Measure a model's perplexity on a text.
///
/// The text is cut into windows of N tokens; in each, the predictions made at positions N/2 to
/// N-2 are scored, so that every one has at least N/2 tokens to go by. This is the protocol of
/// llama.cpp's perplexity program.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  xielu perplexity models/tiny-Q8_0.gguf --text models/heldout.txt
  xielu perplexity model.gguf --text wiki.test.raw --window 512 --tiled-mlp")]
pub struct Args {
    #[command(flatten)]
    model: ModelArgs,
    /// The text; `-` is standard input
    #[arg(long, value_name = "FILE")]
    text: PathBuf,
    /// Tokens of a window
    #[arg(long, value_name = "N", default_value_t = 256)]
    window: usize,
    /// Windows to measure; all when not given
    #[arg(long, value_name = "N")]
    windows: Option<usize>,
    /// Score all predictions of a window, not only those of its second half: what training
    /// reports as validation loss
    #[arg(long)]
    from_start: bool,
}

/// Sums over all predictions scored so far.
#[derive(Clone, Copy, Debug, Default)]
struct Score {
    predictions: u32,
    nll: f64,
    nll_squares: f64,
}

impl Score {
    fn add(&mut self, nll: f64) {
        self.predictions += 1;
        self.nll += nll;
        self.nll_squares += nll * nll;
    }

    /// Nats per token.
    fn loss(&self) -> f64 {
        self.nll / f64::from(self.predictions)
    }

    fn perplexity(&self) -> f64 {
        self.loss().exp()
    }

    /// One standard error of [`Score::perplexity`], to first order.
    fn standard_error(&self) -> f64 {
        let n = f64::from(self.predictions);
        let mean = self.nll / n;
        let variance = (self.nll_squares / n - mean * mean).max(0.0);
        self.perplexity() * (variance / (n - 1.0).max(1.0)).sqrt()
    }
}

pub fn run(args: &Args) -> anyhow::Result<()> {
    let file = args.model.open()?;
    let view = file.view()?;
    let windows = read_windows(&args.text, &view.tokenizer()?, args.window, args.windows)?;
    interrupt::catch()?;
    let batch = args.window / 2;
    let need = Need { context: args.window, batch, advice: "lower --window" };
    let score = with_decoder(&view, file.path(), &args.model, &need, |d, config| {
        if args.window > config.context_length {
            let trained = config.context_length;
            tell!("warning: the model was trained for a context of {trained}");
        }
        let bar = progress_bar(windows.len())?;
        let mut score = Score::default();
        let first = if args.from_start { 0 } else { args.window / 2 };
        score_windows(d, config.output_vocab_size, &windows, first, |nlls| {
            nlls.iter().for_each(|&nll| score.add(nll));
            bar.inc(1);
            bar.set_message(format!("{:.4}", score.perplexity()));
        })?;
        bar.finish_and_clear();
        Ok(score)
    })?;
    if !score.perplexity().is_finite() {
        bail!(
            "a loss of {:e} nats per token has no perplexity that can be printed; \
             `xielu selftest MODEL` finds damaged weights",
            score.loss()
        );
    }
    say!(
        "perplexity {:.4} +/- {:.4} (loss {:.5}, {} windows of {}, {} predictions)",
        score.perplexity(),
        score.standard_error(),
        score.loss(),
        windows.len(),
        args.window,
        score.predictions
    );
    Ok(())
}

fn progress_bar(windows: usize) -> anyhow::Result<ProgressBar> {
    let style = "{bar:32} {pos}/{len} windows, {eta} left, perplexity so far {msg}";
    Ok(ProgressBar::new(windows as u64).with_style(ProgressStyle::with_template(style)?))
}

/// The tokens of a text, cut into windows; each starts with the model's BOS token, if it has one.
pub fn read_windows(
    path: &Path,
    tokenizer: &Tokenizer,
    window: usize,
    limit: Option<usize>,
) -> anyhow::Result<Vec<Vec<u32>>> {
    if window < 4 {
        bail!("--window {window} is too small to score anything; give 4 or more");
    }
    let shown = path.display();
    let text = text::read(path, "text")?;
    let mut ids: Vec<u32> = tokenizer.bos().into_iter().collect();
    ids.extend(tokenizer.encode(&text, Special::Plain)?);
    let cut = ids.chunks_exact(window).take(limit.unwrap_or(usize::MAX));
    let mut windows: Vec<_> = cut.map(<[u32]>::to_vec).collect();
    if windows.is_empty() {
        bail!(
            "{shown} has {} tokens, less than one window of {window}; \
             give more text or a smaller --window",
            ids.len()
        );
    }
    if let Some(bos) = tokenizer.bos() {
        windows.iter_mut().filter_map(|window| window.first_mut()).for_each(|id| *id = bos);
    }
    Ok(windows)
}

/// Hands `-ln p` of the predictions made at positions `first .. n-1` of every window to `scored`,
/// window by window. The decoder's batch is `n/2`.
pub fn score_windows(
    decoder: &mut Decoder<'_, '_, '_>,
    vocab_size: usize,
    windows: &[Vec<u32>],
    first: usize,
    mut scored: impl FnMut(&[f64]),
) -> anyhow::Result<()> {
    let mut logits: Box<[f32]> = Box::default();
    for window in windows {
        interrupt::check()?;
        let written = |&&id: &&u32| (id as usize) < vocab_size;
        if let Some(id) = window.get(first + 1..).and_then(|t| t.iter().find(|id| !written(id))) {
            bail!(
                "token {id} of the text is one that the model reads but never writes: \
                 its output head has {vocab_size} rows"
            );
        }
        decoder.rewind(0);
        let batch = window.len() / 2;
        // The last token predicts nothing that is known.
        let last = window.len() - 1;
        decoder.prompt(&window[..first])?;
        let mut nlls = Vec::with_capacity(last - first);
        let batches = window[first..last].chunks(batch);
        for (batch, targets) in batches.zip(window[first + 1..].chunks(batch)) {
            decoder.batch(batch)?;
            let n = batch.len() * vocab_size;
            if logits.len() < n {
                let what = format!("the logits of {} tokens take", batch.len());
                logits = allocate(n, &what, "lower --window")?;
            }
            let logits = logits.get_mut(..n).unwrap_or_default();
            decoder.logits(logits)?;
            let rows = logits.chunks_exact(vocab_size).zip(targets);
            nlls.extend(rows.map(|(row, &target)| negative_log_likelihood(row, target)));
        }
        scored(&nlls);
    }
    Ok(())
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
        let mut score = Score::default();
        for target in 0..8 {
            score.add(negative_log_likelihood(&[-3.5; 8], target));
        }
        assert!((score.perplexity() - 8.0).abs() < 1e-12);
        assert!(score.standard_error() < 1e-6);
        assert_eq!(negative_log_likelihood(&[0.0, f32::NEG_INFINITY], 0), 0.0);
        assert_eq!(negative_log_likelihood(&[1000.0, 0.0], 1), 1000.0);
    }
}
