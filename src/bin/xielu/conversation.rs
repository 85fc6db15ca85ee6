//! Arguments of commands that put texts into a conversation: a chat template and its variables.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::{Context as _, bail};
use xielu::chat::{ChatError, Conversation, Json, Template, templates};
use xielu::checkpoint::ModelView;

use crate::text;

/// A chat template, and what it is rendered with.
#[derive(Debug, clap::Args)]
pub struct TemplateArgs {
    /// System message, before all others
    #[arg(long, value_name = "TEXT")]
    system: Option<String>,
    /// Chat template: one of the model's by its name, or a file; the model's default when not
    /// given
    #[arg(long, value_name = "NAME|FILE")]
    template: Option<PathBuf>,
    /// Have the model deliberate before it answers, where its template knows of that:
    /// `--set enable_thinking=true`
    #[arg(long)]
    think: bool,
    /// Set a variable of the template to a JSON value; may be given several times
    #[arg(long, value_name = "KEY=JSON")]
    set: Vec<Variable>,
    /// File with a JSON list of tools, which the template describes to the model
    #[arg(long, value_name = "FILE")]
    tools: Option<PathBuf>,
}

/// A variable of a template.
#[derive(Clone, Debug)]
struct Variable(String, Json);

impl FromStr for Variable {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (key, value) = text.split_once('=').ok_or("no KEY=JSON")?;
        let value = value.parse().map_err(|e: ChatError| format!("{e}; texts need quotes"))?;
        Ok(Variable(key.into(), value))
    }
}

impl TemplateArgs {
    /// Whether the user gave any of these.
    pub fn is_given(&self) -> bool {
        let TemplateArgs { system, template, think, set, tools } = self;
        system.is_some() || template.is_some() || *think || !set.is_empty() || tools.is_some()
    }

    /// The template, with the model's special tokens.
    pub fn template(&self, view: &ModelView<'_>) -> anyhow::Result<Template> {
        let Some(given) = &self.template else {
            return match Template::of_model(view, self.names_tools(view)?) {
                Err(ChatError::NoTemplate) => {
                    bail!("{}; give one by --template FILE", ChatError::NoTemplate)
                }
                result => Ok(result?),
            };
        };
        let name = given.to_str();
        if templates(view)?.iter().any(|(known, _)| Some(known.as_str()) == name) {
            return Ok(Template::of_model(view, name)?);
        }
        if !given.exists() {
            let name = given.display();
            bail!("--template {name} is neither a file nor the name of a template of the model");
        }
        let text = text::read(given, "chat template")?;
        Ok(Template::new(&text)?.with_tokens_of(view)?)
    }

    /// The name of the model's template for tools, if there are tools and it has one, as
    /// transformers chooses it.
    fn names_tools(&self, view: &ModelView<'_>) -> anyhow::Result<Option<&'static str>> {
        const TOOLS: &str = "tool_use";
        let wanted = self.tools.is_some() && templates(view)?.iter().any(|(name, _)| name == TOOLS);
        Ok(wanted.then_some(TOOLS))
    }

    /// A conversation at its beginning.
    pub fn conversation(&self) -> anyhow::Result<Conversation> {
        let mut conversation = Conversation::new();
        if let Some(system) = &self.system {
            conversation.push("system", system);
        }
        if self.think {
            conversation.variables.push(("enable_thinking".into(), true.into()));
        }
        for Variable(key, value) in &self.set {
            conversation.variables.push((key.clone(), value.clone()));
        }
        conversation.tools = self.tools.as_deref().map(read_json).transpose()?;
        Ok(conversation)
    }
}

/// The JSON in a file.
pub fn read_json(path: &Path) -> anyhow::Result<Json> {
    let text = text::read(path, "file")?;
    text.parse().with_context(|| format!("cannot use {}", path.display()))
}
