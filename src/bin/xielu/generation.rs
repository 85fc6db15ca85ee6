//! Arguments of commands that generate.

use anyhow::bail;
use xielu::Session;
use xielu::session::GenerateOptions;

use crate::args::Limit;
use crate::grammar::GrammarArgs;
use crate::prompt_cache::CacheArgs;
use crate::sampling::{Otherwise, SamplingArgs};

#[derive(Debug, clap::Args)]
pub struct GenerationArgs {
    /// Tokens to generate at most, of one answer in a conversation; until the text ends or the
    /// context is full when not given, or -1 or `none`
    #[arg(short = 'n', long = "tokens", aliases = ["n-predict", "predict"], value_name = "N",
          allow_negative_numbers = true)]
    n: Option<Limit>,
    #[command(flatten)]
    pub sampling: SamplingArgs,
    #[command(flatten)]
    grammar: GrammarArgs,
    /// Positions of the KV cache: tokens of the whole text or conversation; when not given, what the
    /// model was trained for, at most 4096, and less where that would take much of the memory
    #[arg(long, short_alias = 'c', alias = "ctx-size", value_name = "N")]
    pub context: Option<usize>,
    #[command(flatten)]
    pub cache: CacheArgs,
}

impl GenerationArgs {
    /// What to generate, checked with the model. `otherwise` says how tokens are drawn where nothing
    /// is chosen; `special` whether special tokens are text.
    pub fn options(
        &self,
        session: &Session,
        otherwise: Otherwise,
        special: bool,
    ) -> anyhow::Result<GenerateOptions> {
        if self.context == Some(0) {
            bail!("--context is 0; give 1 or more");
        }
        Ok(GenerateOptions {
            limit: self.n.and_then(|limit| limit.0),
            sampling: self.sampling.options(session, otherwise)?,
            special,
            grammar: self.grammar.grammar(session)?,
        })
    }
}
