//! `xielu chat`: a conversation with a model, turn by turn.

mod command;
mod input;
mod saved;

use std::path::Path;
use std::time::Instant;

use anyhow::bail;
use xielu::Session;
use xielu::chat::{Conversation, Template};
use xielu::llama::{DecoderOptions, Stop};
use xielu::session::{GenerateOptions, Generated, StopTexts};

use crate::conversation::TemplateArgs;
use crate::generation::GenerationArgs;
use crate::interrupt;
use crate::model::{ModelArgs, reserve};
use crate::printer::{Out, Speed};
use crate::prompt_cache::CacheArgs;
use crate::report;
use crate::sampling::Otherwise;
use command::Command;
use input::Input;

/// Tokens that there is to be room for, where no context is given.
const LEAST_CONTEXT: usize = 64;

/// Talk to a model: each line is a turn, and the model answers.
///
/// Lines are put into a conversation by the model's chat template. Where the model's files
/// recommend a sampling it is used; without, and where the options say nothing, the likeliest token
/// is taken. What was read of the conversation before is kept and not read again.
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub struct Args {
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    template: TemplateArgs,
    #[command(flatten)]
    generation: GenerationArgs,
    /// Print special tokens of answers as text, too, and keep them in the conversation: what a model
    /// marks with them, such as its deliberation, is read again as it was written
    #[arg(long)]
    special: bool,
    /// Say after each answer what was read and written, and how fast
    #[arg(long)]
    speed: bool,
}

const HELP: &str = "\
A line that ends in a backslash goes on in the next; a text between \"\"\" and \"\"\" may have many.
Ctrl-C stops an answer, Ctrl-D ends. Without a terminal each line of standard input is a turn.
/help in the conversation lists its commands.

Examples:
  xielu chat ./Apertus-8B-Instruct
  xielu chat model.gguf --system 'Answer in one sentence.' --think --temp 0.7
  xielu chat model.gguf --system \"$(cat long.txt)\" --prompt-cache long.state
  xielu chat base-model.gguf --template template.jinja --stop '<|user|>'
  echo 'Name three rivers.' | xielu chat model.gguf";

pub fn run(args: &Args) -> anyhow::Result<()> {
    let mut session = args.model.session(DecoderOptions::default().batch)?;
    // A model that cannot read text says so first.
    session.tokenizer()?;
    let template = args.template.template(session.view())?;
    let conversation = args.template.conversation()?;
    let GenerationArgs { cache, sampling, context, .. } = &args.generation;
    let options = args.generation.options(&session, Otherwise::Recommended, args.special)?;
    let default = || session.default_context(LEAST_CONTEXT).positions;
    let context = context.unwrap_or_else(default);
    // An answer stops after the batch that is being computed; who presses twice still means that.
    interrupt::catch_times(3)?;
    reserve(&mut session, context, "lower --context")?;
    cache.load(&mut session)?;
    let trained = session.config().context_length;
    if context > trained {
        tell!("warning: the model was trained for a context of {trained}, not {context}");
    }
    let stops = sampling.stops();
    let speed = args.speed;
    let (first, out) = (Some(cache), Out::new());
    let mut chat =
        Chat { session, template, conversation, options, stops, speed, cache: first, out };
    chat.talk(&mut Input::new()?)?;
    cache.save_all(&chat.session)
}

/// A conversation on its way.
struct Chat<'a> {
    session: Session,
    template: Template,
    conversation: Conversation,
    options: GenerateOptions,
    stops: StopTexts,
    speed: bool,
    /// Where the first prompt is kept, until it is.
    cache: Option<&'a CacheArgs>,
    out: Out,
}

impl Chat<'_> {
    /// Turn by turn, until the input ends. In a terminal an error ends a turn, else all.
    fn talk(&mut self, input: &mut Input) -> anyhow::Result<()> {
        if input.is_terminal() {
            tell!("{} positions; /help lists the commands", self.session.context());
        }
        while let Some(line) = input.turn()? {
            let result = match Command::parse(&line) {
                Ok(Some(Command::Exit)) => break,
                Ok(Some(command)) => self.obey(command),
                Ok(None) if line.trim().is_empty() => Ok(()),
                Ok(None) => self.turn(&line),
                Err(e) => Err(e),
            };
            match result {
                Err(e) if input.is_terminal() && !report::is_broken_pipe(&e) => {
                    tell!("error: {}", report::message(&e));
                }
                result => result?,
            }
        }
        Ok(())
    }

    fn obey(&mut self, command: Command<'_>) -> anyhow::Result<()> {
        match command {
            Command::System(text) => self.set_system(text),
            Command::Reset => {
                let is_system = |text: Option<String>| text.as_deref() == Some("system");
                let first = self.conversation.messages.first();
                let kept = usize::from(first.is_some_and(|first| is_system(first.text("role"))));
                self.conversation.messages.truncate(kept);
            }
            Command::Save(path) => saved::save(&self.conversation, Path::new(path))?,
            Command::Load(path) => {
                self.conversation.messages = saved::load(Path::new(path))?;
                tell!("{} messages", self.conversation.messages.len());
            }
            Command::Help => tell!("{}", command::HELP),
            Command::Exit => {}
        }
        Ok(())
    }

    /// Sets the system message, or takes it away if it is empty.
    fn set_system(&mut self, text: &str) {
        let messages = &mut self.conversation.messages;
        if messages.first().is_some_and(|first| first.text("role").as_deref() == Some("system")) {
            messages.remove(0);
        }
        if !text.is_empty() {
            messages.insert(0, xielu::chat::Json::message("system", text));
        }
    }

    /// A message of the user, and the answer. A message that cannot be answered is not kept.
    fn turn(&mut self, text: &str) -> anyhow::Result<()> {
        self.conversation.push("user", text);
        match self.answer() {
            Ok(Some(answer)) => {
                self.conversation.push("assistant", &answer);
                Ok(())
            }
            result => {
                self.conversation.messages.pop();
                result.map(|_| ())
            }
        }
    }

    /// The model's answer, printed as it comes; `None` if it was stopped before it began.
    fn answer(&mut self) -> anyhow::Result<Option<String>> {
        let prompt = self.session.text_ids(&self.template.render(&self.conversation)?)?;
        let context = self.session.context();
        if prompt.len() >= context {
            bail!(
                "context full: the conversation has {} tokens, and there are {context} positions; \
                 /reset begins another, --context N gives more",
                prompt.len()
            );
        }
        let start = Instant::now();
        let kept = self.session.read_whole(&prompt, |_| interrupt::go_on())?;
        if interrupt::take() {
            tell!("stopped before the answer; the message is not kept");
            return Ok(None);
        }
        let prompt_time = start.elapsed();
        if let Some(cache) = self.cache.take() {
            cache.save_prompt(&self.session, prompt.len(), kept)?;
        }
        let start = Instant::now();
        let (mut answer, mut printed) = (String::new(), Ok(()));
        let out = &mut self.out;
        let generated = self.session.write_text(&self.options, self.stops.clone(), |text| {
            answer += text;
            printed = out.write(text);
            if printed.is_err() { std::ops::ControlFlow::Break(()) } else { interrupt::go_on() }
        });
        // What was printed ends, whatever ended it.
        let ended = printed.and_then(|()| self.out.write("\n"));
        interrupt::take();
        let Generated { tokens, stop } = generated?;
        ended?;
        if stop == Some(Stop::ContextFull) {
            tell!("note: the context of {context} positions is full, which cut the answer off");
        }
        if self.speed {
            let read = (prompt.len() - kept, prompt_time);
            let speed = Speed { prompt: read, generated: (tokens, start.elapsed()) };
            tell!("{speed}; {kept} tokens were read before");
        }
        // The next turn with the same seed would draw the same numbers.
        let sampler = &mut self.options.sampling.sampler;
        sampler.seed = sampler.seed.wrapping_add(1);
        Ok(Some(answer))
    }
}
