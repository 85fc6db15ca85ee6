//! `xielu generate`: continue a prompt.

use std::io::{Write as _, stdout};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use xielu::Config;
use xielu::llama::{Decoder, Sampler, SamplerOptions};
use xielu::tokenizer::Tokenizer;

use crate::args::ModelArgs;
use crate::interrupt;
use crate::model::ReadsText as _;
use crate::session::with_decoder;

/// Context when `--context` is not given and the model was trained for more.
const DEFAULT_CONTEXT: usize = 4096;
/// Prompt tokens that go through the layers together.
const BATCH: usize = 64;

/// Continue a prompt, printing tokens as they come.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  xielu generate models/tiny-Q8_0.gguf --prompt 'The `Vec<T>` type is'
  xielu generate ./Apertus-8B --prompt 'Once upon a time' -n 200 --temp 0.8 --top-p 0.9 --seed 7
  xielu generate model.gguf --prompt-file question.txt --context 2048 --kv-type bf16 --tiled-mlp")]
pub struct Args {
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    prompt: PromptArgs,
    /// Tokens to generate at most
    #[arg(short = 'n', long = "tokens", value_name = "N", default_value_t = 64)]
    n: usize,
    /// Temperature; 0 always takes the likeliest token
    #[arg(long, value_name = "T", default_value_t = 0.0)]
    temp: f32,
    /// Sample among the K likeliest tokens only; 0 takes all
    #[arg(long, value_name = "K", default_value_t = 40)]
    top_k: usize,
    /// Sample among the likeliest tokens that together have this probability
    #[arg(long, value_name = "P", default_value_t = 0.95)]
    top_p: f32,
    /// Seed of the sampler: the same seed gives the same text
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Positions of the KV cache; what the model was trained for, at most 4096, when not given
    #[arg(long, value_name = "N")]
    context: Option<usize>,
    /// Print token ids instead of text
    #[arg(long)]
    ids: bool,
}

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct PromptArgs {
    /// The text to continue; special tokens in it are recognised
    #[arg(long, short, value_name = "TEXT")]
    prompt: Option<String>,
    /// File with the text to continue
    #[arg(long, value_name = "FILE")]
    prompt_file: Option<std::path::PathBuf>,
}

pub fn run(args: &Args) -> anyhow::Result<()> {
    let file = args.model.file.open(&args.model.model)?;
    let view = file.view()?;
    let config = view
        .checkpoint()
        .config()
        .with_context(|| format!("cannot run {}", file.path().display()))?;
    let tokenizer = view.tokenizer()?;
    let prompt = prompt_ids(&args.prompt, &tokenizer)?;
    let context = context(args, &config, prompt.len())?;
    let sampler = sampler(args)?;
    interrupt::catch()?;
    with_decoder(&view, file.path(), &args.model, context, BATCH, |decoder, config| {
        let trained = config.context_length;
        if context > trained {
            eprintln!("warning: the model was trained for a context of {trained}, not {context}");
        }
        let mut stream = tokenizer.stream();
        let mut out = stdout();
        let mut write = |text: Option<String>| -> anyhow::Result<()> {
            let Some(text) = text else { return Ok(()) };
            out.write_all(text.as_bytes())?;
            Ok(out.flush()?)
        };
        let mut print = |id: u32| match args.ids {
            true => write(Some(format!("{id} "))),
            false => write(stream.push(id)?),
        };
        if !args.ids {
            prompt.iter().try_for_each(|&id| print(id))?;
        }
        let speed = generate(
            args,
            decoder,
            config.output_vocab_size,
            sampler,
            &tokenizer,
            &prompt,
            &mut print,
        )?;
        write(stream.finish()?)?;
        say!("");
        let isa = args.model.compute.kernels()?.isa();
        eprintln!("{speed}; {isa}, {} threads", rayon::current_num_threads());
        interrupt::check()
    })
}

fn prompt_ids(args: &PromptArgs, tokenizer: &Tokenizer) -> anyhow::Result<Vec<u32>> {
    let text = match (&args.prompt, &args.prompt_file) {
        (Some(text), _) => text.clone(),
        (None, Some(file)) => std::fs::read_to_string(file)
            .with_context(|| format!("cannot read the prompt {}", file.display()))?,
        (None, None) => bail!("no prompt; give --prompt TEXT"),
    };
    let ids = tokenizer.encode_prompt(&text)?;
    if ids.is_empty() {
        bail!("the prompt is empty; give --prompt some text");
    }
    Ok(ids)
}

/// Positions of the KV cache; everything asked for must fit.
fn context(args: &Args, config: &Config, prompt: usize) -> anyhow::Result<usize> {
    let context = args.context.unwrap_or(config.context_length.min(DEFAULT_CONTEXT));
    let needed = prompt.saturating_add(args.n);
    if needed > context {
        bail!(
            "context full: a prompt of {prompt} tokens and {} to generate need {needed} positions \
             and there are {context}; lower -n, shorten the prompt or raise --context",
            args.n
        );
    }
    Ok(context)
}

fn sampler(args: &Args) -> anyhow::Result<Sampler> {
    if !(args.temp >= 0.0 && args.temp.is_finite()) {
        bail!("--temp {} is not a temperature; give 0 or more", args.temp);
    }
    if !(args.top_p > 0.0 && args.top_p <= 1.0) {
        bail!("--top-p {} is not a probability above 0", args.top_p);
    }
    Ok(Sampler::new(SamplerOptions {
        temperature: args.temp,
        top_k: args.top_k,
        top_p: args.top_p,
        seed: args.seed,
    }))
}

/// What took how long.
struct Speed {
    prompt: (usize, Duration),
    generated: (usize, Duration),
}

impl std::fmt::Display for Speed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let rate = |(n, time): (usize, Duration)| n as f64 / time.as_secs_f64().max(1e-9);
        write!(
            f,
            "prompt {} tokens, {:.0} tokens/s; generated {} tokens, {:.0} tokens/s",
            self.prompt.0,
            rate(self.prompt),
            self.generated.0,
            rate(self.generated)
        )
    }
}

fn generate(
    args: &Args,
    decoder: &mut Decoder<'_, '_, '_>,
    vocab_size: usize,
    mut sampler: Sampler,
    tokenizer: &Tokenizer,
    prompt: &[u32],
    print: &mut impl FnMut(u32) -> anyhow::Result<()>,
) -> anyhow::Result<Speed> {
    let mut logits = vec![0.0; vocab_size];
    let start = Instant::now();
    for batch in prompt.chunks(BATCH) {
        interrupt::check()?;
        decoder.batch(batch)?;
    }
    decoder.logits(&mut logits)?;
    let prompt_time = start.elapsed();
    let start = Instant::now();
    let mut generated = 0;
    while generated < args.n && !interrupt::requested() {
        let id = sampler.sample(&logits)?;
        generated += 1;
        if tokenizer.is_end(id) {
            break;
        }
        print(id)?;
        if generated < args.n {
            decoder.step(id, &mut logits)?;
        }
    }
    Ok(Speed { prompt: (prompt.len(), prompt_time), generated: (generated, start.elapsed()) })
}
