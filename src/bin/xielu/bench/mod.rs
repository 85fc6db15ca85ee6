//! `xielu bench`: tokens per second.

mod measure;
mod peer;
mod print;
mod row;

use std::path::PathBuf;

use anyhow::{Context as _, bail};
use clap::ValueEnum;
use xielu::session::SessionOptions;

use crate::device;
use crate::interrupt;
use crate::model::{ModelArgs, reserve};
use measure::Measurement;
use peer::Peer;
use print::Machine;

/// Measure tokens per second for prompts and for generation.
///
/// Each measurement is repeated; the median is shown, with the slowest and the fastest. A prompt
/// begins with an empty KV cache, a generation with one that holds as many tokens as --depth says;
/// filling it is not measured.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Of a peer's rows, those of the same test and number of threads are compared: the fastest, if there \
are several. Where its file is about several models, only those of a file of the same name count.

Examples:
  xielu bench models/tiny-Q8_0.gguf
  xielu bench model.gguf --isa scalar --threads 1 --prompt 512 -n 32
  xielu bench model.gguf --prompt 128,512,4096 --depth 0,4096 --output markdown
  llama-bench -m model.gguf -p 128,512 -n 64 -d 0,4096 -o json > peer.json
  xielu bench -m model.gguf -p 128,512 -n 64 -d 0,4096 --peer peer.json")]
pub struct Args {
    #[command(flatten)]
    model: ModelArgs,
    /// Tokens of the prompt; several lengths with commas between them
    #[arg(short, long, value_name = "N,...", value_delimiter = ',', default_value = "128")]
    prompt: Vec<usize>,
    /// Tokens to generate
    #[arg(short = 'n', long = "tokens", value_name = "N", default_value_t = 64)]
    n: usize,
    /// Tokens before those that are generated; several depths with commas between them
    #[arg(short, long, value_name = "N,...", value_delimiter = ',', default_value = "0")]
    depth: Vec<usize>,
    /// Prompt tokens that go through the layers together
    #[arg(short, long, value_name = "N", default_value_t = SessionOptions::default().batch)]
    batch: usize,
    /// Repeats of each measurement
    #[arg(short, long, value_name = "N", default_value_t = 5)]
    repeats: usize,
    /// How the results are written; JSON has the names of llama-bench's
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t = Format::Text)]
    output: Format,
    /// Results of another program, machine or version to compare with: what `llama-bench -o json`
    /// or `xielu bench --output json` wrote
    #[arg(long, value_name = "FILE")]
    peer: Option<PathBuf>,
}

/// How results are written.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    Text,
    #[value(alias = "md")]
    Markdown,
    Json,
}

pub fn run(args: &Args) -> anyhow::Result<()> {
    args.check()?;
    let peer = args.peer.as_deref().map(Peer::read).transpose()?;
    let (longest, deepest) = (largest(&args.prompt), largest(&args.depth));
    let generated = deepest.checked_add(args.n).context("--depth and -n are too large")?;
    let batch = args.batch.min(longest.max(deepest));
    let mut session = args.model.session(batch)?;
    interrupt::catch()?;
    let context = longest.max(generated);
    reserve(&mut session, context, "lower --prompt, --depth and -n")?;
    let machine = Machine {
        model: args.model.path().display().to_string(),
        isa: device::kernels(&session)?,
        threads: rayon::current_num_threads(),
        batch,
        kv_type: args.model.kv_type.into(),
    };
    let peer = peer.map(|peer| peer.beside(&machine));
    let vocab = session.config().vocab_size;
    // Token ids that differ.
    let ids = (0..context).map(|i| (i * 7919 % vocab) as u32).collect();
    let rows = session.with_decoder(|decoder| {
        Measurement::new(decoder, ids, batch, args.repeats).all(&args.prompt, args.n, &args.depth)
    })??;
    let compared: Vec<_> = rows.iter().map(|row| peer.as_ref()?.rate(row)).collect();
    match args.output {
        Format::Text => print::text(&machine, &rows, &compared)?,
        Format::Markdown => print::markdown(&machine, &rows, &compared)?,
        Format::Json => print::json(&machine, &rows, &compared)?,
    }
    if let (Some(path), true) = (&args.peer, compared.iter().all(Option::is_none)) {
        tell!("note: {} has none of these tests on {}", path.display(), machine.threads());
    }
    Ok(())
}

impl Args {
    fn check(&self) -> anyhow::Result<()> {
        for (flag, values) in [
            ("--prompt", &self.prompt[..]),
            ("-n", &[self.n]),
            ("--batch", &[self.batch]),
            ("--repeats", &[self.repeats]),
        ] {
            if values.contains(&0) {
                bail!("{flag} is 0; give 1 or more");
            }
        }
        Ok(())
    }
}

fn largest(values: &[usize]) -> usize {
    values.iter().copied().max().unwrap_or(0)
}
