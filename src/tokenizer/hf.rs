//! The tokenizer of a Hugging Face directory.

use std::format;
use std::path::Path;
use std::string::ToString as _;

use super::{Tokenizer, TokenizerError, door};
use crate::checkpoint::hf::TextFiles;

impl Tokenizer {
    /// From `tokenizer.json` in `dir` and the files beside it: special tokens that only
    /// `tokenizer_config.json` names are tokens too, and all tokens that any file calls the end
    /// of a text or a turn end a generation.
    ///
    /// # Errors
    /// If there is none, or a file cannot be read.
    pub fn from_hf_dir(dir: &Path) -> Result<Self, TokenizerError> {
        let path = dir.join("tokenizer.json");
        let path = path.display();
        let files = TextFiles::open(dir).map_err(|e| TokenizerError(e.to_string()))?;
        let Some(files) = files else {
            let problem = format!("no tokenizer: {path} is missing; copy it from the model's page");
            return Err(TokenizerError(problem));
        };
        let built = door::build(files.json);
        let built = built.map_err(|e| TokenizerError(format!("{path} cannot be used: {e}")))?;
        Ok(Tokenizer::new(built, files.ends))
    }
}
