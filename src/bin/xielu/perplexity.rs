//! `xielu perplexity`: how well a model predicts a text, measured as llama.cpp measures it.

use std::path::PathBuf;

use anyhow::bail;
use indicatif::{ProgressBar, ProgressStyle};
use xielu::session::{Perplexity, PerplexityOptions};

use crate::interrupt;
use crate::model::{ModelArgs, advised};
use crate::windows::{ADVICE, prepare_windows};

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
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Args) -> anyhow::Result<()> {
    let mut session = args.model.session(args.window / 2)?;
    let options = PerplexityOptions {
        window: args.window,
        windows: args.windows,
        from_start: args.from_start,
    };
    let windows = prepare_windows(&mut session, &args.text, &options)?;
    let bar = progress_bar(windows.len())?;
    let mut score = Perplexity::default();
    let scored = session.score(&windows, options.first(), |nlls| {
        nlls.iter().for_each(|&nll| score.add(nll));
        bar.inc(1);
        bar.set_message(format!("{:.4}", score.value()));
        interrupt::go_on()
    });
    scored.map_err(|e| advised(e, ADVICE))?;
    interrupt::check()?;
    bar.finish_and_clear();
    if !score.value().is_finite() {
        bail!(
            "a loss of {:e} nats per token has no perplexity that can be printed; \
             `xielu selftest MODEL` finds damaged weights",
            score.loss()
        );
    }
    if args.json {
        let result = serde_json::json!({
            "model": args.model.path().to_string_lossy(),
            "perplexity": score.value(),
            "standard_error": score.standard_error(),
            "loss": score.loss(),
            "predictions": score.predictions(),
            "windows": windows.len(),
            "window": args.window,
            "tokens": windows.len() * args.window,
            "from_start": args.from_start,
            "kv_type": session.options().kv_type.name(),
            "isa": session.kernels().isa().name(),
            "threads": rayon::current_num_threads(),
        });
        say!("{}", serde_json::to_string_pretty(&result)?);
        return Ok(());
    }
    say!(
        "perplexity {:.4} +/- {:.4} (loss {:.5}, {} windows of {}, {} predictions)",
        score.value(),
        score.standard_error(),
        score.loss(),
        windows.len(),
        args.window,
        score.predictions()
    );
    Ok(())
}

fn progress_bar(windows: usize) -> anyhow::Result<ProgressBar> {
    let style = "{bar:32} {pos}/{len} windows, {eta} left, perplexity so far {msg}";
    Ok(ProgressBar::new(windows as u64).with_style(ProgressStyle::with_template(style)?))
}
