//! What a text may be.

use std::string::String;

/// What a generated text must be. It ends when it is that, at the latest.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Grammar {
    /// JSON that a [JSON Schema](https://json-schema.org) allows, given as its text; `{}` allows
    /// any JSON, `{"type": "object"}` any object. [What of the
    /// standard is known](https://github.com/guidance-ai/llguidance/blob/main/docs/json_schema.md);
    /// a schema with more is refused. Between two tokens of JSON there is a space at most, or one or
    /// two line breaks and some indentation.
    JsonSchema(String),
    /// A context-free grammar in [llguidance's variant of
    /// Lark](https://github.com/guidance-ai/llguidance/blob/main/docs/syntax.md), whose rule
    /// `start` is the text.
    Lark(String),
    /// A regular expression in the syntax of the `regex` crate, of the whole text.
    Regex(String),
}
