//! What a template is rendered with.

use std::string::String;
use std::vec::Vec;

use minijinja::{Value, value::ValueKind};

use super::{ChatError, Json};

/// Names under which messages bring their reasoning along; the first is what templates read.
const REASONING: [&str; 3] = ["reasoning_content", "thinking", "reasoning"];

/// Messages, and what else a template may ask for.
#[derive(Clone, Debug)]
pub struct Conversation {
    /// The messages: objects with `role` and `content`, a text or a list of parts, and whatever
    /// else the template knows, such as `tool_calls`.
    pub messages: Vec<Json>,
    /// A list of tools that the model may call: JSON schemas of functions.
    pub tools: Option<Json>,
    /// A list of documents to answer from.
    pub documents: Option<Json>,
    /// Whether the text ends where the model's answer begins: true, unless it is to end with the
    /// last message.
    pub add_generation_prompt: bool,
    /// Further variables of the template, such as `enable_thinking`.
    pub variables: Vec<(String, Json)>,
}

impl Default for Conversation {
    fn default() -> Self {
        Conversation::new()
    }
}

impl Conversation {
    /// A conversation without messages, which the model is to answer.
    pub const fn new() -> Self {
        Conversation {
            messages: Vec::new(),
            tools: None,
            documents: None,
            add_generation_prompt: true,
            variables: Vec::new(),
        }
    }

    /// Adds a message of text.
    pub fn push(&mut self, role: &str, content: &str) {
        self.messages.push(Json::message(role, content));
    }

    /// The variables of a template, as transformers passes them.
    pub(super) fn variables(&self) -> Result<Vec<(Value, Value)>, ChatError> {
        let messages = self.messages.iter().map(|message| normalized(&message.0));
        let messages = messages.collect::<Result<Vec<_>, _>>()?;
        let optional = |json: &Option<Json>| json.as_ref().map_or(().into(), |j| j.0.clone());
        let mut all: Vec<(Value, Value)> = Vec::new();
        for (name, value) in &self.variables {
            all.push((name.as_str().into(), value.0.clone()));
        }
        all.push(("messages".into(), messages.into_iter().collect()));
        all.push(("tools".into(), optional(&self.tools)));
        all.push(("documents".into(), optional(&self.documents)));
        all.push(("add_generation_prompt".into(), self.add_generation_prompt.into()));
        Ok(all)
    }
}

/// A message without the keys that are null, and with its reasoning under the names that
/// templates read.
fn normalized(message: &Value) -> Result<Value, ChatError> {
    if message.kind() != ValueKind::Map {
        return Err(ChatError::NotMessages);
    }
    let mut pairs: Vec<(Value, Value)> = Vec::new();
    for key in message.try_iter().map_err(|e| ChatError::render(&e))? {
        let value = message.get_item(&key).map_err(|e| ChatError::render(&e))?;
        if !value.is_none() {
            pairs.push((key, value));
        }
    }
    let of = |name: &&str| pairs.iter().find(|(key, _)| key.as_str() == Some(name));
    let reasoning = REASONING.iter().find_map(of).map(|(_, value)| value.clone());
    if let Some(reasoning) = reasoning {
        if of(&"thinking").is_none() {
            pairs.insert(0, ("thinking".into(), reasoning.clone()));
        }
        pairs.push(("reasoning_content".into(), reasoning));
    }
    Ok(Value::from_pairs(pairs))
}
