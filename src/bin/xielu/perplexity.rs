//! `xielu perplexity`: how well a model predicts a text, measured as llama.cpp measures it.

use std::path::PathBuf;

use anyhow::{Context as _, bail};
use indicatif::{ProgressBar, ProgressStyle};
use xielu::llama::Decoder;

use crate::args::ModelArgs;
use crate::interrupt;
use crate::model::ModelFile;
use crate::session::with_decoder;
use crate::tokenizer::Special;

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
    /// The text
    #[arg(long, value_name = "FILE")]
    text: PathBuf,
    /// Tokens of a window
    #[arg(long, value_name = "N", default_value_t = 256)]
    window: usize,
    /// Windows to measure; all when not given
    #[arg(long, value_name = "N")]
    windows: Option<usize>,
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

    fn perplexity(&self) -> f64 {
        (self.nll / f64::from(self.predictions)).exp()
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
    if args.window < 4 {
        bail!("--window {} is too small to score anything; give 4 or more", args.window);
    }
    let text = std::fs::read_to_string(&args.text)
        .with_context(|| format!("cannot read the text {}", args.text.display()))?;
    let file = ModelFile::open(&args.model.model)?;
    let view = file.view()?;
    let tokenizer = view.tokenizer()?;
    let mut ids: Vec<u32> = tokenizer.bos().into_iter().collect();
    ids.extend(tokenizer.encode(&text, Special::Plain)?);
    let windows = (ids.len() / args.window).min(args.windows.unwrap_or(usize::MAX));
    if windows == 0 {
        bail!(
            "{} has {} tokens, less than one window of {}; give more text or a smaller --window",
            args.text.display(),
            ids.len(),
            args.window
        );
    }
    interrupt::catch()?;
    let batch = args.window / 2;
    let score = with_decoder(&view, file.path(), &args.model, args.window, batch, |d, config| {
        if args.window > config.context_length {
            let trained = config.context_length;
            eprintln!("warning: the model was trained for a context of {trained}");
        }
        let bar = progress_bar(windows)?;
        let mut score = Score::default();
        let mut logits = vec![0.0; config.vocab_size * batch];
        for window in ids.chunks_exact(args.window).take(windows) {
            interrupt::check()?;
            let mut window = window.to_vec();
            if let (Some(bos), Some(first)) = (tokenizer.bos(), window.first_mut()) {
                *first = bos;
            }
            score_window(d, &window, config.vocab_size, &mut logits, &mut score)?;
            bar.inc(1);
            bar.set_message(format!("{:.4}", score.perplexity()));
        }
        bar.finish_and_clear();
        Ok(score)
    })?;
    say!(
        "perplexity {:.4} +/- {:.4} ({windows} windows of {}, {} predictions)",
        score.perplexity(),
        score.standard_error(),
        args.window,
        score.predictions
    );
    Ok(())
}

fn progress_bar(windows: usize) -> anyhow::Result<ProgressBar> {
    let style = "{bar:32} {pos}/{len} windows, {eta} left, perplexity so far {msg}";
    Ok(ProgressBar::new(windows as u64).with_style(ProgressStyle::with_template(style)?))
}

/// Adds the predictions made at positions `n/2 .. n-1` of one window. `logits` holds as many
/// rows as the decoder's batch.
fn score_window(
    decoder: &mut Decoder<'_, '_, '_>,
    window: &[u32],
    vocab_size: usize,
    logits: &mut [f32],
    score: &mut Score,
) -> anyhow::Result<()> {
    decoder.rewind(0);
    let first = window.len() / 2;
    // The last token predicts nothing that is known.
    let scored = window.len() - 1;
    decoder.prompt(&window[..first])?;
    let mut position = first;
    for batch in window[first..scored].chunks(logits.len() / vocab_size) {
        decoder.batch(batch)?;
        let logits = &mut logits[..batch.len() * vocab_size];
        decoder.logits(logits)?;
        for row in logits.chunks_exact(vocab_size) {
            position += 1;
            score.add(negative_log_likelihood(row, window[position]));
        }
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
