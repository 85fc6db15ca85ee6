//! The one door for models: a GGUF file or a Hugging Face directory.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use xielu::checkpoint::Checkpoint;
use xielu::checkpoint::gguf::Gguf;
use xielu::checkpoint::hf::HfDir;
use xielu::kernels::MappedFile;

use xielu::tokenizer::Tokenizer;

/// An open model; weights are mapped, not read.
pub enum ModelFile {
    Gguf { path: PathBuf, map: MappedFile },
    Hf(Box<HfDir>),
}

/// A view of an open model.
pub enum ModelView<'w> {
    Gguf(Gguf<'w>),
    Hf(&'w HfDir),
}

impl ModelFile {
    /// Opens whatever lies at `path`.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        let shown = path.display();
        let metadata =
            std::fs::metadata(path).with_context(|| format!("cannot open the model {shown}"))?;
        if metadata.is_dir() {
            let dir = HfDir::open(path).with_context(|| format!("cannot use {shown}"))?;
            dir.notes().for_each(|note| eprintln!("note: {note}"));
            return Ok(ModelFile::Hf(Box::new(dir)));
        }
        if path.extension().is_some_and(|e| e == "safetensors" || e == "json") {
            bail!("{shown} is one file of a Hugging Face model; give its directory");
        }
        let map = MappedFile::open(path).with_context(|| format!("cannot read {shown}"))?;
        Ok(ModelFile::Gguf { path: path.to_owned(), map })
    }

    /// The checked view.
    pub fn view(&self) -> anyhow::Result<ModelView<'_>> {
        Ok(match self {
            ModelFile::Gguf { path, map } => ModelView::Gguf(
                Gguf::parse(map).with_context(|| format!("cannot use {}", path.display()))?,
            ),
            ModelFile::Hf(dir) => ModelView::Hf(dir),
        })
    }

    /// Bytes of the file; `None` for a directory.
    pub fn file_size(&self) -> Option<usize> {
        match self {
            ModelFile::Gguf { map, .. } => Some(map.len()),
            ModelFile::Hf(_) => None,
        }
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        match self {
            ModelFile::Gguf { path, .. } => path,
            ModelFile::Hf(dir) => dir.path(),
        }
    }
}

impl<'w> ModelView<'w> {
    /// The door to configuration and tensors.
    pub fn checkpoint(&self) -> &dyn Checkpoint<'w> {
        match self {
            ModelView::Gguf(gguf) => gguf,
            ModelView::Hf(dir) => dir,
        }
    }

    /// The model's tokenizer.
    pub fn tokenizer(&self) -> anyhow::Result<Tokenizer> {
        match self {
            ModelView::Gguf(gguf) => Tokenizer::from_gguf(gguf),
            ModelView::Hf(dir) => Tokenizer::from_hf_dir(dir.path()),
        }
        .context("this model cannot read text")
    }
}
