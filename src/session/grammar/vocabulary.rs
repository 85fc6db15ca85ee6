//! A vocabulary as grammars are matched with it: the bytes of every token in one tree.

use std::string::ToString;
use std::sync::Arc;
use std::vec::Vec;

use llguidance::ParserFactory;
use llguidance::api::TopLevelGrammar;
use llguidance::toktrie::{ApproximateTokEnv, TokEnv, TokRxInfo, TokTrie};
use serde_json::{Value, json};

use super::{Constraint, Grammar, GrammarError};
use crate::tokenizer::{Tokenizer, Word, guarded};

/// A space, or one or two line breaks and some indentation.
const WHITESPACE: &str = "[ ]|\\n{1,2}[ \\t]{0,20}";
/// As many bytes of one token as the tree has room for.
const TOO_LONG: usize = 1024;

/// Every token's bytes, and what is shared by all grammars.
pub struct Vocabulary {
    factory: ParserFactory,
    ends: Vec<u32>,
}

impl Vocabulary {
    /// Of a tokenizer and a model of so many logits.
    pub fn new(tokenizer: &Tokenizer, logits: usize) -> Result<Self, GrammarError> {
        let vocabulary = |e: &dyn ToString| GrammarError::Vocabulary(e.to_string());
        let ends: Vec<u32> = tokenizer.ends().to_vec();
        let Some(&end) = ends.iter().find(|&&end| (end as usize) < logits) else {
            return Err(GrammarError::NoEnd);
        };
        let words = tokenizer.words(logits).map_err(|e| vocabulary(&e))?;
        let words: Vec<Vec<u8>> =
            (0..).zip(words).map(|(id, word)| bytes(id, word, &ends)).collect();
        guarded("its tokens make no tree", || {
            let size = u32::try_from(words.len())?;
            let tree = TokTrie::from(&TokRxInfo::new(size, end), &words);
            let tokens: TokEnv = Arc::new(ApproximateTokEnv::new(tree));
            // Nothing but masks is asked of a matcher: tokens that are the only ones allowed are
            // decoded like others.
            let mut factory = ParserFactory::new_simple(&tokens)?;
            factory.quiet();
            factory.limits_mut().verbose_errors = false;
            Ok(Vocabulary { factory, ends })
        })
        .map_err(|e| vocabulary(&e))
    }

    /// What allows the tokens of one text.
    pub fn constraint(&self, grammar: &Grammar) -> Result<Constraint, GrammarError> {
        let grammar = match grammar {
            Grammar::JsonSchema(text) => {
                let schema = serde_json::from_str(text);
                let mut schema = schema.map_err(|e| GrammarError::NotJson(e.to_string()))?;
                bound_whitespace(&mut schema);
                TopLevelGrammar::from_json_schema(schema)
            }
            Grammar::Lark(text) => TopLevelGrammar::from_lark(text.clone()),
            Grammar::Regex(text) => TopLevelGrammar::from_regex(text),
        };
        let parser =
            guarded("the grammar cannot be used", || Ok(self.factory.create_parser(grammar)?));
        let parser = parser.map_err(|e| GrammarError::Refused(e.to_string()))?;
        Ok(Constraint::new(parser, self.ends.clone()))
    }
}

/// Bounds the whitespace between two tokens of JSON, unless the schema says something of it: a
/// model that has seen little JSON would write nothing else.
fn bound_whitespace(schema: &mut Value) {
    const OPTIONS: &str = "x-guidance";
    if let Value::Object(schema) = schema
        && !schema.contains_key(OPTIONS)
    {
        schema.insert(OPTIONS.into(), json!({ "whitespace_pattern": WHITESPACE }));
    }
}

/// What the tree holds of a token; nothing of those that no text has.
fn bytes(id: u32, word: Word, ends: &[u32]) -> Vec<u8> {
    // A name after the marker cannot be text: grammars write it `<|name|>`.
    let special = |name: &[u8]| [&[TokTrie::SPECIAL_TOKEN_MARKER], name].concat();
    let bytes = match word {
        Word::Special(name) => special(name.as_bytes()),
        Word::Text(text) if ends.contains(&id) => special(&text),
        Word::Text(text) => text,
        Word::Unknown => Vec::new(),
    };
    if bytes.len() < TOO_LONG { bytes } else { Vec::new() }
}
