//! What can go wrong with a chat template.

use std::fmt::{self, Write as _};
use std::string::{String, ToString as _};
use std::vec::Vec;

use crate::error::escape::Escaping;

/// Why a conversation has no text: one sentence.
#[derive(Debug)]
#[non_exhaustive]
pub enum ChatError {
    /// The model has no template.
    NoTemplate,
    /// The model has templates, and none of this name.
    NoSuchName {
        /// The name asked for.
        name: String,
        /// The names there are.
        known: Vec<String>,
    },
    /// The files of the model that hold its templates cannot be read: why.
    Model(String),
    /// The template is not in the language.
    Syntax {
        /// What is wrong.
        reason: String,
        /// In which line, from 1, where that is known.
        line: Option<usize>,
    },
    /// The template refuses the conversation, with these words (`raise_exception`).
    Refused(String),
    /// The template takes more steps than it may.
    Endless,
    /// The template fails.
    Render {
        /// What fails.
        reason: String,
        /// In which line, from 1, where that is known.
        line: Option<usize>,
    },
    /// A message is no object.
    NotMessages,
    /// A text is not JSON.
    Json(serde_json::Error),
}

/// What `raise_exception` was given: carried through the template engine's own errors.
#[derive(Debug)]
pub(super) struct Raised(pub(super) String);

impl fmt::Display for Raised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl core::error::Error for Raised {}

impl ChatError {
    /// Of an error when a template is compiled.
    pub(super) fn syntax(error: &minijinja::Error) -> Self {
        ChatError::Syntax { reason: reason(error), line: error.line() }
    }

    /// Of an error when a template is rendered, the cause of which may lie some errors deep: each
    /// macro and loop adds its own.
    pub(super) fn render(error: &minijinja::Error) -> Self {
        let mut deepest = error;
        let mut next: Option<&(dyn core::error::Error + 'static)> = Some(error);
        while let Some(cause) = next {
            if let Some(Raised(message)) = cause.downcast_ref::<Raised>() {
                return ChatError::Refused(message.clone());
            }
            if let Some(cause) = cause.downcast_ref::<minijinja::Error>() {
                if cause.kind() == minijinja::ErrorKind::OutOfFuel {
                    return ChatError::Endless;
                }
                deepest = cause;
            }
            next = cause.source();
        }
        ChatError::Render { reason: reason(deepest), line: deepest.line() }
    }
}

/// What an error says, without its place.
fn reason(error: &minijinja::Error) -> String {
    match error.detail() {
        Some(detail) => detail.to_string(),
        None => error.kind().to_string(),
    }
}

impl fmt::Display for ChatError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = Escaping(f);
        let at =
            |line: &Option<usize>| line.map_or(String::new(), |n| std::format!(" in line {n}"));
        match self {
            ChatError::NoTemplate => out.write_str("the model has no chat template"),
            ChatError::NoSuchName { name, known } => {
                let known = known.join(", ");
                write!(out, "the model has no chat template called {name:?}; it has: {known}")
            }
            ChatError::Model(reason) => {
                write!(out, "the model's chat templates cannot be read: {reason}")
            }
            ChatError::Syntax { reason, line } => {
                write!(out, "the chat template cannot be compiled{}: {reason}", at(line))
            }
            ChatError::Refused(message) => {
                write!(out, "the chat template refuses the conversation: {message}")
            }
            ChatError::Endless => out.write_str(
                "the chat template takes more steps than it may, and would perhaps never end",
            ),
            ChatError::Render { reason, line } => {
                write!(out, "the chat template fails{}: {reason}", at(line))
            }
            ChatError::NotMessages => out.write_str("a message of the conversation is no object"),
            ChatError::Json(e) => write!(out, "it is not JSON: {e}"),
        }
    }
}

impl core::error::Error for ChatError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            ChatError::Json(e) => Some(e),
            _ => None,
        }
    }
}
