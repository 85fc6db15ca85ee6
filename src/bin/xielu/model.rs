//! Opening models, and the texts they read.

use std::path::Path;

use anyhow::Context as _;
use xielu::checkpoint::{Access, OpenError};
pub use xielu::checkpoint::{ModelFile, ModelView};
use xielu::tokenizer::Tokenizer;

/// How a model's files are opened.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
pub struct FileArgs {
    /// Read the model's files whole instead of mapping them: for files that may change or shrink
    /// while they are used, which stops a program that has them mapped
    #[arg(long)]
    pub no_mmap: bool,
}

impl FileArgs {
    /// Opens whatever model lies at `path`, and says what its user should know of it.
    pub fn open(self, path: &Path) -> Result<ModelFile, OpenError> {
        let access = if self.no_mmap { Access::Read } else { Access::Map };
        let file = ModelFile::open_with(path, access)?;
        if let ModelFile::Hf(dir) = &file {
            dir.notes().for_each(|note| tell!("note: {note}"));
        }
        Ok(file)
    }
}

/// A model that reads text.
pub trait ReadsText {
    /// The model's tokenizer.
    fn tokenizer(&self) -> anyhow::Result<Tokenizer>;
}

impl ReadsText for ModelView<'_> {
    fn tokenizer(&self) -> anyhow::Result<Tokenizer> {
        match self {
            ModelView::Gguf(gguf) => Tokenizer::from_gguf(gguf.first()),
            ModelView::Hf(dir) => Tokenizer::from_hf_dir(dir.path()),
        }
        .context("this model cannot read text")
    }
}
