//! `xielu imatrix`: how much each column of a model's matrices matters on a text.

use std::path::PathBuf;

use anyhow::{Context as _, bail};
use indicatif::{ProgressBar, ProgressStyle};
use xielu::checkpoint::AtomicFile;
use xielu::session::{Collector, PerplexityOptions};

use crate::interrupt;
use crate::model::{ModelArgs, advised};
use crate::windows::{ADVICE, prepare_windows};

/// Tokens that go through the layers together.
const BATCH: usize = 512;

/// Make an importance matrix: what `quantize --imatrix` weighs errors by.
///
/// The text is cut into windows of N tokens. The model reads each, and the squares of what every
/// matrix of its layers is multiplied with are added up. The file is a GGUF file as llama.cpp's
/// llama-imatrix writes and its quantizer reads it. Activations that are NaN or infinite are left
/// out, counted and named.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  xielu imatrix model-bf16.gguf --text calibration.txt -o imatrix.gguf
  xielu imatrix ./Apertus-8B --text calibration.txt -o imatrix.gguf --windows 100")]
pub struct Args {
    #[command(flatten)]
    model: ModelArgs,
    /// The text; `-` is standard input
    #[arg(long, value_name = "FILE")]
    text: PathBuf,
    /// File to write
    #[arg(long, short, value_name = "FILE")]
    output: PathBuf,
    /// Tokens of a window
    #[arg(long, value_name = "N", default_value_t = 512)]
    window: usize,
    /// Windows to read; all when not given
    #[arg(long, value_name = "N")]
    windows: Option<usize>,
    /// Replace the file if it exists
    #[arg(long)]
    force: bool,
}

pub fn run(args: &Args) -> anyhow::Result<()> {
    args.model.device.require_cpu("imatrix")?;
    let shown = args.output.display();
    if args.output.is_dir() {
        bail!("{shown} is a directory; give the name of the file to write");
    }
    if args.output.is_file() && !args.force {
        bail!("{shown} exists; give --force to replace it");
    }
    // What cannot be written is said before anything is read.
    let cannot_write = || format!("cannot write {shown}");
    let file = AtomicFile::create(&args.output).with_context(cannot_write)?;
    let mut session = args.model.session(args.window.min(BATCH))?;
    let options = PerplexityOptions {
        window: args.window,
        windows: args.windows,
        ..PerplexityOptions::default()
    };
    let windows = prepare_windows(&mut session, &args.text, &options)?;
    let bar = ProgressBar::new(windows.len() as u64)
        .with_style(ProgressStyle::with_template("{bar:32} {pos}/{len} windows, {eta} left")?);
    let collected = session.importance(&windows, |_, _| {
        bar.inc(1);
        interrupt::go_on()
    });
    let (collector, whole) = collected.map_err(|e| advised(e, ADVICE))?;
    interrupt::check()?;
    bar.finish_and_clear();
    warn(&collector);
    let count = |n: usize| u32::try_from(n).context("there are too many windows");
    let dataset = args.text.display().to_string();
    let matrix = collector.matrix(&dataset, count(whole)?, count(args.window)?);
    if matrix.entries().len() == 0 {
        bail!(
            "no activations of any token are numbers; `xielu selftest MODEL` finds damaged weights"
        );
    }
    matrix.write(file).and_then(AtomicFile::commit).with_context(cannot_write)?;
    let entries = matrix.entries().len();
    say!("wrote {shown}: {entries} matrices, {whole} windows of {} tokens", args.window);
    Ok(())
}

/// Says where activations were no numbers.
fn warn(collector: &Collector) {
    for left_out in collector.left_out() {
        tell!(
            "warning: {}: the activations of {} tokens are NaN, infinite or too large; left out",
            left_out.role,
            left_out.tokens
        );
    }
    for (place, windows) in collector.failed() {
        tell!("warning: {windows} windows were not read to their end: {place}");
    }
}
