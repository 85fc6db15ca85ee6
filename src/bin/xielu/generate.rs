//! `xielu generate`: continue a prompt.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::io::{IsTerminal as _, Stdout, Write as _, stdout};
use std::ops::ControlFlow;
use std::str::FromStr;
use std::time::{Duration, Instant};

use anyhow::bail;
use indicatif::HumanBytes;
use xielu::session::{DefaultContext, GenerateOptions};
use xielu::tokenizer::{TextStream, Tokenizer};
use xielu::{Session, escaped_lines};

use crate::interrupt;
use crate::model::{ModelArgs, reserve};
use crate::sampling::SamplingArgs;
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
    let mut session = args.model.session(BATCH)?;
    let prompt = prompt_ids(&args.prompt, &session)?;
    let options = GenerateOptions {
        limit: args.n.and_then(|limit| limit.0),
        sampler: args.sampling.options(session.view(), args.seed.get())?,
    };
    let context = context(args, &session, prompt.len(), &options)?;
    interrupt::catch()?;
    reserve(&mut session, context, "lower --context")?;
    let trained = session.config().context_length;
    if context > trained {
        tell!("warning: the model was trained for a context of {trained}, not {context}");
    }
    let tokenizer = session.tokenizer()?.clone();
    let mut printer = Printer::new(&tokenizer, args.ids);
    if !args.ids {
        prompt.iter().try_for_each(|&id| printer.print(id))?;
    }
    let speed = generate(&mut session, &prompt, &options, &mut printer);
    // What was printed ends, whatever ended it.
    printer.finish()?;
    say!("");
    let speed = speed?;
    let isa = session.kernels().isa();
    tell!("{speed}; {isa}, {} threads", rayon::current_num_threads());
    interrupt::check()
}

fn prompt_ids(args: &PromptArgs, session: &Session) -> anyhow::Result<Vec<u32>> {
    // A model that cannot read text says so first.
    session.tokenizer()?;
    let text = match (&args.prompt, &args.prompt_file) {
        (Some(text), _) => text.clone(),
        (None, Some(file)) => text::read(file, "prompt")?,
        (None, None) => {
            bail!("no prompt; give --prompt TEXT, or --prompt-file FILE (`-` is standard input)")
        }
    };
    Ok(session.prompt_ids(&text)?)
}

/// Positions of the KV cache; everything asked for must fit.
fn context(
    args: &Args,
    session: &Session,
    prompt: usize,
    options: &GenerateOptions,
) -> anyhow::Result<usize> {
    if args.context == Some(0) {
        bail!("--context is 0; give 1 or more");
    }
    let context = args.context.unwrap_or_else(|| {
        let DefaultContext { positions, wanted } = session.context_for(prompt, options);
        if positions < wanted {
            let bytes = HumanBytes(session.memory(positions).total() as u64);
            tell!(
                "note: the context is {positions} tokens of {wanted}, which take {bytes}; \
                 --context N sets another"
            );
        }
        positions
    });
    if let Err(e) = options.check(prompt, context) {
        bail!("{e}; lower -n, shorten the prompt or raise --context");
    }
    Ok(context)
}

/// Writes tokens to standard output.
struct Printer<'t> {
    stream: TextStream<&'t Tokenizer>,
    ids: bool,
    out: Stdout,
    /// A terminal gets no control characters; a file gets the text as it is.
    terminal: bool,
}

impl<'t> Printer<'t> {
    fn new(tokenizer: &'t Tokenizer, ids: bool) -> Self {
        let out = stdout();
        Printer { stream: tokenizer.stream(), ids, terminal: out.is_terminal(), out }
    }

    fn print(&mut self, id: u32) -> anyhow::Result<()> {
        match self.ids {
            true => self.write(Some(format!("{id} "))),
            false => {
                let text = self.stream.push(id)?;
                self.write(text)
            }
        }
    }

    fn finish(&mut self) -> anyhow::Result<()> {
        let text = self.stream.finish()?;
        self.write(text)
    }

    fn write(&mut self, text: Option<String>) -> anyhow::Result<()> {
        let Some(text) = text else { return Ok(()) };
        match self.terminal {
            true => write!(self.out, "{}", escaped_lines(&text))?,
            false => self.out.write_all(text.as_bytes())?,
        }
        Ok(self.out.flush()?)
    }
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

/// Reads the prompt, generates and prints.
fn generate(
    session: &mut Session,
    prompt: &[u32],
    options: &GenerateOptions,
    printer: &mut Printer<'_>,
) -> anyhow::Result<Speed> {
    let start = Instant::now();
    session.read(prompt, |_| interrupt::go_on())?;
    interrupt::check()?;
    let prompt_time = start.elapsed();
    let start = Instant::now();
    let mut printed = Ok(());
    let generated = session.write(options, |id| {
        printed = printer.print(id);
        if printed.is_err() { ControlFlow::Break(()) } else { interrupt::go_on() }
    })?;
    printed?;
    let generated = (generated.tokens, start.elapsed());
    Ok(Speed { prompt: (prompt.len(), prompt_time), generated })
}
