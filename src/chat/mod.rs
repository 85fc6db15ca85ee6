//! Conversations as a model reads them: its chat template, rendered as transformers renders it.
//!
//! A chat template is a program in Jinja's language that makes one text of the messages of a
//! conversation. Models bring theirs along: [`Template::of_model`] finds it in a GGUF file
//! (`tokenizer.chat_template`) and in a Hugging Face directory (`chat_template.jinja`,
//! `tokenizer_config.json`), and [`Template::render`] gives the text that
//! [`Tokenizer::encode_prompt`](crate::tokenizer::Tokenizer::encode_prompt) takes.
//!
//! ```
//! use xielu::chat::{Conversation, Template};
//!
//! let template = Template::new(
//!     "{%- for m in messages %}<|{{ m.role }}|>{{ m.content | trim }}<|end|>{% endfor %}
//!     {%- if add_generation_prompt %}<|assistant|>{% endif %}",
//! )?;
//! let mut conversation = Conversation::new();
//! conversation.push("user", "Good morning! ");
//! let text = template.render(&conversation)?;
//! assert_eq!(text, "<|user|>Good morning!<|end|><|assistant|>");
//! # Ok::<(), xielu::chat::ChatError>(())
//! ```
//!
//! Templates come with models, so they are not trusted: they reach nothing but the conversation,
//! and one that does not end is stopped.

mod conversation;
mod environment;
mod error;
mod json;
mod methods;
mod model;
mod rewrite;
mod to_json;

use std::borrow::ToOwned as _;
use std::string::String;
use std::vec::Vec;

use minijinja::{Environment, Value};

use crate::checkpoint::ModelView;
pub use conversation::Conversation;
pub use error::ChatError;
pub use json::Json;
pub use model::{DEFAULT, templates};

/// What the one template of an environment is called.
const NAME: &str = "chat";

/// A chat template, compiled.
#[derive(Debug)]
pub struct Template {
    environment: Environment<'static>,
    /// `bos_token`, `eos_token` and others, which templates refer to by name.
    special: Vec<(String, String)>,
}

impl Template {
    /// Compiles a template that knows no special tokens; see [`Template::with_tokens_of`].
    ///
    /// # Errors
    /// [`ChatError::Syntax`] if it is not in the language.
    pub fn new(text: &str) -> Result<Self, ChatError> {
        let mut environment = environment::new()?;
        let text = rewrite::rewritten(text);
        environment.add_template_owned(NAME, text).map_err(|e| ChatError::syntax(&e))?;
        Ok(Template { environment, special: Vec::new() })
    }

    /// The template of a model: the one called `name`, else the one that is used when none is
    /// named.
    ///
    /// # Errors
    /// [`ChatError::NoTemplate`] if the model has none, [`ChatError::NoSuchName`] if none is
    /// called so, [`ChatError::Model`] if the files that hold it cannot be read;
    /// [`ChatError::Syntax`].
    pub fn of_model(view: &ModelView<'_>, name: Option<&str>) -> Result<Self, ChatError> {
        let all = templates(view)?;
        let wanted = name.unwrap_or(DEFAULT);
        match all.iter().find(|(known, _)| known == wanted) {
            Some((_, text)) => Template::new(text)?.with_tokens_of(view),
            None if all.is_empty() => Err(ChatError::NoTemplate),
            None => Err(ChatError::NoSuchName {
                name: wanted.to_owned(),
                known: all.into_iter().map(|(name, _)| name).collect(),
            }),
        }
    }

    /// The same template with the names of a model's special tokens: `bos_token` and others.
    ///
    /// # Errors
    /// [`ChatError::Model`] if the files that name them cannot be read.
    pub fn with_tokens_of(self, view: &ModelView<'_>) -> Result<Self, ChatError> {
        Ok(Template { special: model::special_tokens(view)?, ..self })
    }

    /// The text of `conversation`.
    ///
    /// # Errors
    /// [`ChatError::Refused`] with the template's own words if it refuses the conversation,
    /// [`ChatError::Endless`] if it takes more steps than any template should,
    /// [`ChatError::Render`] for what fails otherwise; [`ChatError::NotMessages`].
    pub fn render(&self, conversation: &Conversation) -> Result<String, ChatError> {
        let mut variables: Vec<(Value, Value)> = Vec::new();
        for (name, text) in &self.special {
            variables.push((name.as_str().into(), text.as_str().into()));
        }
        variables.extend(conversation.variables()?);
        let template = self.environment.get_template(NAME).map_err(|e| ChatError::render(&e))?;
        // Of two variables of one name the later counts.
        template.render(Value::from_pairs(variables)).map_err(|e| ChatError::render(&e))
    }
}
