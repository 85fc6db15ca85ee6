//! Arguments of commands whose texts may follow a grammar.

use std::path::PathBuf;

use xielu::Session;
use xielu::session::Grammar;

use crate::text;

/// What a generated text is to be. It ends when it is that; `-n` may end it before.
#[derive(Debug, clap::Args)]
#[group(multiple = false)]
pub struct GrammarArgs {
    /// Generate JSON that this JSON schema allows, and nothing else; `{}` allows any JSON
    #[arg(long, short_alias = 'j', value_name = "JSON")]
    json_schema: Option<String>,
    /// File with a JSON schema, as for --json-schema
    #[arg(long, value_name = "FILE")]
    json_schema_file: Option<PathBuf>,
    /// Generate what this grammar allows, and nothing else: llguidance's variant of Lark, whose
    /// rule `start` is the text
    #[arg(long, value_name = "LARK")]
    grammar: Option<String>,
    /// File with a grammar, as for --grammar
    #[arg(long, value_name = "FILE")]
    grammar_file: Option<PathBuf>,
    /// Generate what this regular expression matches, and nothing else
    #[arg(long, value_name = "REGEX")]
    regex: Option<String>,
}

impl GrammarArgs {
    /// The grammar, if there is one, checked with the model.
    pub fn grammar(&self, session: &Session) -> anyhow::Result<Option<Grammar>> {
        let GrammarArgs { json_schema, json_schema_file, grammar, grammar_file, regex } = self;
        let grammar = if let Some(schema) = json_schema {
            Grammar::JsonSchema(schema.clone())
        } else if let Some(file) = json_schema_file {
            Grammar::JsonSchema(text::read(file, "JSON schema")?)
        } else if let Some(grammar) = grammar {
            Grammar::Lark(grammar.clone())
        } else if let Some(file) = grammar_file {
            Grammar::Lark(text::read(file, "grammar")?)
        } else if let Some(regex) = regex {
            Grammar::Regex(regex.clone())
        } else {
            return Ok(None);
        };
        for warning in session.check_grammar(&grammar)? {
            tell!("warning: {warning}");
        }
        Ok(Some(grammar))
    }
}
