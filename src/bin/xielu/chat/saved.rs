//! Conversations in files: `{"messages": [...]}`, as other programs take them.

use std::path::Path;

use anyhow::{Context as _, bail};
use xielu::chat::{Conversation, Json};
use xielu::checkpoint::AtomicFile;

use crate::conversation::read_json;

pub fn save(conversation: &Conversation, path: &Path) -> anyhow::Result<()> {
    let messages: Vec<_> =
        conversation.messages.iter().map(|message| format!("  {message}")).collect();
    let text = format!("{{\"messages\": [\n{}\n]}}\n", messages.join(",\n"));
    let written = AtomicFile::write(path, text.as_bytes());
    written.with_context(|| format!("cannot write {}", path.display()))
}

/// The messages of a saved conversation, or of a file that is a list of them.
pub fn load(path: &Path) -> anyhow::Result<Vec<Json>> {
    let json = read_json(path)?;
    let messages = json.get("messages").unwrap_or(json).into_list();
    match messages {
        Some(messages) if messages.iter().all(|m| m.text("role").is_some()) => Ok(messages),
        _ => bail!("{} is no list of messages with a role each", path.display()),
    }
}
