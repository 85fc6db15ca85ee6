//! `xielu generate`: continue a prompt.

use std::ops::ControlFlow;
use std::time::Instant;

use anyhow::bail;
use indicatif::HumanBytes;
use xielu::Session;
use xielu::llama::DecoderOptions;
use xielu::session::{DefaultContext, GenerateOptions};

use crate::conversation::TemplateArgs;
use crate::device;
use crate::generation::GenerationArgs;
use crate::interrupt;
use crate::model::{ModelArgs, reserve};
use crate::printer::{Printer, Speed};
use crate::prompt_cache::CacheArgs;
use crate::sampling::Otherwise;
use crate::text;

/// Continue a prompt, printing tokens as they come.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  xielu generate models/tiny-Q8_0.gguf --prompt 'The `Vec<T>` type is'
  xielu generate ./Apertus-8B --prompt 'Once upon a time' -n 200 --temp 0.8 --top-p 0.9 --seed 7
  xielu generate ./Apertus-8B-Instruct --chat --prompt 'Name three rivers.' --model-sampling
  xielu generate model.gguf --prompt 'Q: Why?\nA:' --stop 'Q:'
  xielu generate model.gguf --prompt-file long.txt --prompt-cache long.state -n 100
  xielu generate model.gguf --chat --prompt 'A river, as JSON.' --json-schema-file river.json
  fortune | xielu generate model.gguf --prompt-file - -n -1
  xielu generate model.gguf --prompt-file question.txt --context 2048 --kv-type bf16 --tiled-mlp")]
pub struct Args {
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    prompt: PromptArgs,
    #[command(flatten)]
    generation: GenerationArgs,
    /// Print token ids instead of text
    #[arg(long, conflicts_with = "stop")]
    ids: bool,
    /// Print special tokens as text, too
    #[arg(long, conflicts_with = "ids")]
    special: bool,
    /// The prompt is what a user says: the model's chat template puts it into a conversation, and
    /// the answer alone is printed
    #[arg(long)]
    chat: bool,
    #[command(flatten)]
    template: TemplateArgs,
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

pub fn run(args: &Args) -> anyhow::Result<()> {
    let mut session = args.model.session(DecoderOptions::default().batch)?;
    let prompt = prompt_ids(args, &session)?;
    let GenerationArgs { cache, sampling, .. } = &args.generation;
    let options = args.generation.options(&session, Otherwise::Greedy, args.special)?;
    let context = context(args, &session, prompt.len(), &options)?;
    interrupt::catch()?;
    reserve(&mut session, context, "lower --context")?;
    cache.load(&mut session)?;
    let trained = session.config().context_length;
    if context > trained {
        tell!("warning: the model was trained for a context of {trained}, not {context}");
    }
    let tokenizer = session.tokenizer()?.clone();
    let mut printer = Printer::new(&tokenizer, args.ids, args.special, sampling.stops());
    if !args.ids {
        prompt.iter().try_for_each(|&id| printer.prompt(id, !args.chat))?;
    }
    let speed = generate(&mut session, &prompt, &options, cache, &mut printer);
    // What was printed ends, whatever ended it.
    printer.finish()?;
    say!("");
    let speed = speed?;
    tell!("{speed}; {}", device::described(&session)?);
    cache.save_all(&session)?;
    interrupt::check()
}

fn prompt_ids(args: &Args, session: &Session) -> anyhow::Result<Vec<u32>> {
    // A model that cannot read text says so first.
    session.tokenizer()?;
    if !args.chat && args.template.is_given() {
        bail!("--system, --template, --think, --set and --tools need --chat");
    }
    let text = match (&args.prompt.prompt, &args.prompt.prompt_file) {
        (Some(text), _) => text.clone(),
        (None, Some(file)) => text::read(file, "prompt")?,
        (None, None) => {
            bail!("no prompt; give --prompt TEXT, or --prompt-file FILE (`-` is standard input)")
        }
    };
    if !args.chat {
        return Ok(session.prompt_ids(&text)?);
    }
    let template = args.template.template(session.view())?;
    let mut conversation = args.template.conversation()?;
    conversation.push("user", &text);
    Ok(session.text_ids(&template.render(&conversation)?)?)
}

/// Positions of the KV cache; everything asked for must fit.
fn context(
    args: &Args,
    session: &Session,
    prompt: usize,
    options: &GenerateOptions,
) -> anyhow::Result<usize> {
    let context = args.generation.context.unwrap_or_else(|| {
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

/// Reads the prompt, generates and prints.
fn generate(
    session: &mut Session,
    prompt: &[u32],
    options: &GenerateOptions,
    cache: &CacheArgs,
    printer: &mut Printer<'_>,
) -> anyhow::Result<Speed> {
    let start = Instant::now();
    let mut kept = 0;
    if cache.is_given() {
        kept = session.read_whole(prompt, |_| interrupt::go_on())?;
    } else {
        session.read(prompt, |_| interrupt::go_on())?;
    }
    interrupt::check()?;
    let prompt_time = start.elapsed();
    cache.save_prompt(session, prompt.len(), kept)?;
    if kept > 0 {
        tell!("note: {kept} of {} tokens of the prompt were read before", prompt.len());
    }
    let start = Instant::now();
    let mut printed = Ok(true);
    let generated = session.write(options, |id| match printer.print(id) {
        Ok(false) => interrupt::go_on(),
        result => {
            printed = result;
            ControlFlow::Break(())
        }
    })?;
    printed?;
    let generated = (generated.tokens, start.elapsed());
    Ok(Speed { prompt: (prompt.len() - kept, prompt_time), generated })
}
