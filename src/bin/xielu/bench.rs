//! `xielu bench`: tokens per second.

use std::time::Instant;

use anyhow::{Context as _, bail};
use xielu::llama::Decoder;

use crate::interrupt;
use crate::model::{ModelArgs, reserve};

/// Measure tokens per second for prompts and for generation.
///
/// Each measurement is repeated; the median is shown, with the slowest and the fastest.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  xielu bench models/tiny-Q8_0.gguf
  xielu bench model.gguf --isa scalar --threads 1 --prompt 512 -n 32")]
pub struct Args {
    #[command(flatten)]
    model: ModelArgs,
    /// Tokens of the prompt
    #[arg(long, value_name = "N", default_value_t = 128)]
    prompt: usize,
    /// Tokens to generate
    #[arg(short = 'n', long = "tokens", value_name = "N", default_value_t = 64)]
    n: usize,
    /// Prompt tokens that go through the layers together
    #[arg(long, value_name = "N", default_value_t = 64)]
    batch: usize,
    /// Repeats of each measurement
    #[arg(long, value_name = "N", default_value_t = 5)]
    repeats: usize,
}

pub fn run(args: &Args) -> anyhow::Result<()> {
    for (flag, value) in [
        ("--prompt", args.prompt),
        ("-n", args.n),
        ("--batch", args.batch),
        ("--repeats", args.repeats),
    ] {
        if value == 0 {
            bail!("{flag} is 0; give 1 or more");
        }
    }
    let context = args.prompt.checked_add(args.n).context("--prompt and -n are too large")?;
    let mut session = args.model.session(args.batch.min(args.prompt))?;
    interrupt::catch()?;
    reserve(&mut session, context, "lower --prompt and -n")?;
    let (config, isa) = (*session.config(), session.kernels().isa());
    session.with_decoder(|decoder| {
        let (path, threads) = (args.model.path().display(), rayon::current_num_threads());
        say!("{path}, {isa}, {threads} threads, KV {:?}", args.model.kv_type);
        say!("{:<10} {:>7} {:>12} {:>12} {:>12}", "", "tokens", "tokens/s", "slowest", "fastest");
        let prompt = fill(args.prompt, config.vocab_size);
        let mut logits = vec![0.0; config.output_vocab_size];
        // Caches and clocks warm up once, unmeasured.
        one_prompt(decoder, &prompt, &mut logits)?;
        let rates =
            repeat(args.repeats, args.prompt, || one_prompt(decoder, &prompt, &mut logits))?;
        print_row("prompt", args.prompt, rates)?;
        let next = fill(args.n, config.vocab_size);
        let rates = repeat(args.repeats, args.n, || {
            decoder.rewind(prompt.len());
            next.iter().try_for_each(|&id| Ok(decoder.step(id, &mut logits)?))
        })?;
        print_row("generation", args.n, rates)
    })?
}

/// `n` token ids that differ.
fn fill(n: usize, vocab_size: usize) -> Vec<u32> {
    (0..n).map(|i| (i * 7919 % vocab_size) as u32).collect()
}

fn one_prompt(
    decoder: &mut Decoder<'_, '_, '_>,
    prompt: &[u32],
    logits: &mut [f32],
) -> anyhow::Result<()> {
    decoder.rewind(0);
    decoder.prompt(prompt)?;
    Ok(decoder.logits(logits)?)
}

/// Tokens per second of every repeat, slowest first.
fn repeat(
    repeats: usize,
    tokens: usize,
    mut work: impl FnMut() -> anyhow::Result<()>,
) -> anyhow::Result<Vec<f64>> {
    let mut rates = Vec::with_capacity(repeats);
    for _ in 0..repeats {
        interrupt::check()?;
        let start = Instant::now();
        work()?;
        rates.push(tokens as f64 / start.elapsed().as_secs_f64().max(1e-9));
    }
    rates.sort_by(f64::total_cmp);
    Ok(rates)
}

fn print_row(name: &str, tokens: usize, rates: Vec<f64>) -> anyhow::Result<()> {
    let at = |i: usize| rates.get(i).copied().unwrap_or(f64::NAN);
    let last = rates.len().saturating_sub(1);
    let median = 0.5 * (at(last / 2) + at(rates.len() / 2));
    say!("{name:<10} {tokens:>7} {median:>12.1} {:>12.1} {:>12.1}", at(0), at(last));
    Ok(())
}
