//! What a check says.

/// One check's name and what it found.
pub type Check = (String, anyhow::Result<String>);
