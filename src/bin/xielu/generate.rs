//! `xielu generate`: continue a prompt.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::io::{IsTerminal as _, Write as _, stdout};
use std::str::FromStr;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use xielu::checkpoint::Checkpoint;
use xielu::llama::{Decoder, Sampler};
use xielu::tokenizer::Tokenizer;
use xielu::{Config, escaped_lines};

use crate::args::ModelArgs;
use crate::interrupt;
use crate::model::ReadsText as _;
use crate::room::default_context;
use crate::sampling::SamplingArgs;
use crate::session::{self, Need, with_decoder};
use crate::text;

/// Prompt tokens that go through the layers together.
const BATCH: usize = 64;

/// Continue a prompt, printing tokens as they come.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  xielu generate models/tiny-Q8_0.gguf --prompt 'The `Vec<T>` type is'
  xielu generate ./Apertus-8B --prompt 'Once upon a time' -n 200 --temp 0.8 --top-p 0.9 --seed 7
  xielu generate ./Apertus-8B-Instruct --prompt-file chat.txt --model-sampling
  fortune | xielu generate model.gguf --prompt-file - -n -1
  xielu generate model.gguf --prompt-file question.txt --context 2048 --kv-type bf16 --tiled-mlp")]
pub struct Args {
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    prompt: PromptArgs,
    /// Tokens to generate at most; until the text ends or the context is full when not given, or
    /// -1 or `none`
    #[arg(short = 'n', long = "tokens", aliases = ["n-predict", "predict"], value_name = "N",
          allow_negative_numbers = true)]
    n: Option<Limit>,
    #[command(flatten)]
    sampling: SamplingArgs,
    /// Seed of the sampler: the same seed gives the same text; -1 takes another each time
    #[arg(
        long,
        short_alias = 's',
        value_name = "N",
        default_value = "0",
        allow_negative_numbers = true
    )]
    seed: Seed,
    /// Positions of the KV cache; when not given, what the model was trained for, at most 4096,
    /// and less where that would take much of the memory
    #[arg(long, short_alias = 'c', alias = "ctx-size", value_name = "N")]
    context: Option<usize>,
    /// Print token ids instead of text
    #[arg(long)]
    ids: bool,
}

#[derive(Debug, clap::Args)]
#[group(multiple = false)]
struct PromptArgs {
    /// The text to continue; special tokens in it are recognised
    #[arg(long, short, value_name = "TEXT", allow_hyphen_values = true)]
    prompt: Option<String>,
    /// File with the text to continue; `-` is standard input
    #[arg(long, short_alias = 'f', alias = "file", value_name = "FILE")]
    prompt_file: Option<std::path::PathBuf>,
}

/// Tokens that the default context has room for at least, where no number is given.
const LEAST_TOKENS: usize = 64;

/// The most tokens to generate; `None` without a limit.
#[derive(Clone, Copy, Debug)]
struct Limit(Option<usize>);

impl FromStr for Limit {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "-1" | "none" => Ok(Limit(None)),
            _ => Ok(Limit(Some(text.parse().map_err(|_| "not a number of tokens")?))),
        }
    }
}

/// The sampler's seed; `None` is one that nobody chose.
#[derive(Clone, Copy, Debug)]
struct Seed(Option<u64>);

impl FromStr for Seed {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "-1" => Ok(Seed(None)),
            _ => Ok(Seed(Some(text.parse().map_err(|_| "not a number from 0 to 2^64 - 1")?))),
        }
    }
}

impl Seed {
    /// The seed, which is said if nobody chose it.
    fn get(self) -> u64 {
        self.0.unwrap_or_else(|| {
            // The keys of hash maps are the standard library's only random numbers.
            let seed = RandomState::new().build_hasher().finish();
            tell!("seed {seed}");
            seed
        })
    }
}

pub fn run(args: &Args) -> anyhow::Result<()> {
    let file = args.model.open()?;
    let view = file.view()?;
    let config = view
        .checkpoint()
        .config()
        .with_context(|| format!("cannot run {}", file.path().display()))?;
    let tokenizer = view.tokenizer()?;
    let prompt = prompt_ids(&args.prompt, &tokenizer)?;
    let sampler = Sampler::new(args.sampling.options(&view, args.seed.get())?);
    let context = context(args, view.checkpoint(), &config, prompt.len())?;
    let need = Need { context, batch: BATCH, advice: "lower --context" };
    interrupt::catch()?;
    with_decoder(&view, file.path(), &args.model, &need, |decoder, config| {
        let trained = config.context_length;
        if context > trained {
            tell!("warning: the model was trained for a context of {trained}, not {context}");
        }
        let limit = args.n.and_then(|limit| limit.0);
        let mut stream = tokenizer.stream();
        let mut out = stdout();
        // A terminal gets no control characters; a file gets the text as it is.
        let terminal = out.is_terminal();
        let mut write = |text: Option<String>| -> anyhow::Result<()> {
            let Some(text) = text else { return Ok(()) };
            match terminal {
                true => write!(out, "{}", escaped_lines(&text))?,
                false => out.write_all(text.as_bytes())?,
            }
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
            limit,
            decoder,
            config.output_vocab_size,
            sampler,
            &tokenizer,
            &prompt,
            &mut print,
        );
        // What was printed ends, whatever ended it.
        write(stream.finish()?)?;
        say!("");
        let speed = speed?;
        let isa = args.model.compute.kernels()?.isa();
        tell!("{speed}; {isa}, {} threads", rayon::current_num_threads());
        interrupt::check()
    })
}

fn prompt_ids(args: &PromptArgs, tokenizer: &Tokenizer) -> anyhow::Result<Vec<u32>> {
    let text = match (&args.prompt, &args.prompt_file) {
        (Some(text), _) => text.clone(),
        (None, Some(file)) => text::read(file, "prompt")?,
        (None, None) => {
            bail!("no prompt; give --prompt TEXT, or --prompt-file FILE (`-` is standard input)")
        }
    };
    let ids = tokenizer.encode_prompt(&text)?;
    if ids.is_empty() {
        bail!("the prompt is empty, and this model begins no text by itself; give it some text");
    }
    Ok(ids)
}

/// Positions of the KV cache; everything asked for must fit.
fn context(
    args: &Args,
    checkpoint: &dyn Checkpoint<'_>,
    config: &Config,
    prompt: usize,
) -> anyhow::Result<usize> {
    if args.context == Some(0) {
        bail!("--context is 0; give 1 or more");
    }
    // Without a number there is to be room for something.
    let n = args.n.and_then(|limit| limit.0).unwrap_or(1);
    let needed = prompt.saturating_add(n);
    let wished = needed.max(prompt.saturating_add(LEAST_TOKENS));
    let context = args.context.unwrap_or_else(|| {
        let options = session::options(&args.model, BATCH);
        default_context(checkpoint, config, &options, args.model.kv_type.into(), wished)
    });
    if needed > context {
        bail!(
            "context full: a prompt of {prompt} tokens and {n} to generate need {needed} positions \
             and there are {context}; lower -n, shorten the prompt or raise --context"
        );
    }
    Ok(context)
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

/// Generates at most `limit` tokens; without a limit until the context is full.
fn generate(
    limit: Option<usize>,
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
    let more = |generated| limit.is_none_or(|limit| generated < limit);
    while more(generated) && !interrupt::requested() {
        let id = sampler.sample(&logits)?;
        generated += 1;
        if tokenizer.is_end(id) {
            break;
        }
        print(id)?;
        if decoder.position() == decoder.context() {
            break;
        }
        if more(generated) {
            decoder.step(id, &mut logits)?;
        }
    }
    Ok(Speed { prompt: (prompt.len(), prompt_time), generated: (generated, start.elapsed()) })
}
