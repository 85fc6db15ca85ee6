//! JSON whose objects keep their order, which templates print.

use std::fmt;
use std::str::FromStr;
use std::string::String;
use std::vec::Vec;

use minijinja::Value;
use minijinja::value::ValueKind;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::ChatError;
use super::to_json::{Style, to_json};

/// A JSON value: a message, a tool, a variable of a template. Objects keep their order.
///
/// ```
/// use xielu::chat::Json;
///
/// let message: Json = r#"{"role": "user", "content": [{"type": "text", "text": "Hi"}]}"#.parse()?;
/// assert_eq!(message.text("role").as_deref(), Some("user"));
/// assert_eq!(message.to_string(), r#"{"role": "user", "content": [{"type": "text", "text": "Hi"}]}"#);
/// # Ok::<(), xielu::chat::ChatError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Json(pub(super) Value);

impl Json {
    /// A message of text.
    pub fn message(role: &str, content: &str) -> Self {
        Json(Value::from_pairs([("role", role), ("content", content)]))
    }

    /// The text under a key of an object; `None` if it is no text, there is no such key, or this is
    /// no object.
    pub fn text(&self, key: &str) -> Option<String> {
        self.get(key)?.0.as_str().map(Into::into)
    }

    /// What is under a key of an object.
    pub fn get(&self, key: &str) -> Option<Json> {
        if self.0.kind() != ValueKind::Map {
            return None;
        }
        self.0.get_attr(key).ok().filter(|value| !value.is_undefined()).map(Json)
    }

    /// The items of a list; `None` if this is none.
    pub fn into_list(self) -> Option<Vec<Json>> {
        if self.0.kind() != ValueKind::Seq {
            return None;
        }
        Some(self.0.try_iter().ok()?.map(Json).collect())
    }
}

impl From<&str> for Json {
    /// A text (not one in JSON: that is parsed).
    fn from(text: &str) -> Self {
        Json(text.into())
    }
}

impl From<bool> for Json {
    fn from(value: bool) -> Self {
        Json(value.into())
    }
}

impl FromStr for Json {
    type Err = ChatError;

    fn from_str(text: &str) -> Result<Self, ChatError> {
        serde_json::from_str(text).map_err(ChatError::Json)
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Value::deserialize(from).map(Json)
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(to)
    }
}

impl fmt::Display for Json {
    /// In JSON, on one line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = to_json(&self.0, &Style::default(), |_| Ok(()));
        f.write_str(&text.map_err(|_| fmt::Error)?)
    }
}
