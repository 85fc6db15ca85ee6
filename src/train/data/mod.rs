//! Text files to batches: tokenizer, token shards, windows.
//!
//! ```text
//! files -> pieces -> ids (in parallel) -> tokens-00000.bin ... -> windows of a mapped file
//! ```
//!
//! Text is read a few pieces at a time and never held whole. A document is a file, or what is
//! between separators; where the tokenizer knows such tokens, documents begin with the token that
//! begins a text, and the one that ends a text is between them.

mod pieces;
mod shards;
mod sources;
mod tokenizer;
mod windows;

use std::boxed::Box;
use std::format;
use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::vec::Vec;

use rayon::prelude::*;

pub use pieces::{Piece, Pieces};
pub use shards::{Index, ShardWriter, Shards};
pub use sources::{Source, find};
pub use tokenizer::{MIN_VOCAB, TextTokenizer};
pub use windows::{Validation, Windows};

use super::{TrainConfig, TrainError};

/// Text a tokenizer is trained on, at most; of a longer one every n-th piece.
const TOKENIZER_BYTES: u64 = 512 << 20;

/// What a run is fed with.
pub struct Dataset {
    /// The batches of the steps.
    pub train: Windows,
    /// What the validation loss is measured on.
    pub validation: Option<Validation>,
    /// What made tokens of the text.
    pub tokenizer: TextTokenizer,
}

/// How far the preparation is.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// What is being done.
    pub task: &'static str,
    /// Bytes of text that were read.
    pub done: u64,
    /// Bytes of text in all.
    pub total: u64,
}

/// Told how far the preparation is; breaks it off with `Break`.
pub type OnProgress<'a> = Box<dyn FnMut(Progress) -> ControlFlow<()> + Send + 'a>;

/// Makes the data of a run in the folder `dir`: `tokenizer.json`, and shards in `train` and
/// `validation`. What is there already is used if text, tokenizer and vocabulary are the same.
///
/// # Errors
/// If a file cannot be read or written, is not UTF-8, or is too short for one window; if the
/// tokenizer has more tokens than the model; [`TrainError::Cancelled`] if `progress` breaks.
pub fn prepare(
    config: &TrainConfig,
    dir: &Path,
    progress: OnProgress<'_>,
) -> Result<Dataset, TrainError> {
    if config.data.train.is_empty() {
        let problem = "names no text to train on".into();
        return Err(TrainError::Config { key: "data.train", problem });
    }
    let text = Text::of(config, &config.data.train)?;
    let validation = config.data.validation.as_ref();
    let validation =
        validation.map(|path| Text::of(config, std::slice::from_ref(path))).transpose()?;
    if let Some(twice) = validation
        .iter()
        .flat_map(|v| &v.sources)
        .find(|source| text.sources.iter().any(|other| other.path == source.path))
    {
        let problem = format!("is trained on too: {}", twice.path.display());
        return Err(TrainError::Config { key: "data.validation", problem });
    }
    let mut maker = Maker { dir, progress };
    let tokenizer = maker.tokenizer(config, &text)?;
    maker.shards("train", &text, &tokenizer)?;
    if let Some(validation) = validation {
        maker.shards("validation", &validation, &tokenizer)?;
    }
    open(config, dir)
}

/// Opens what [`prepare`] made in `dir`, for a run that goes on. The text need not be there any
/// more.
///
/// # Errors
/// If the data is not there or damaged, or the text is there and has changed.
pub fn open(config: &TrainConfig, dir: &Path) -> Result<Dataset, TrainError> {
    let tokenizer = TextTokenizer::open(dir)?;
    let train = open_shards(config, &dir.join("train"))?;
    let length = config.sequence_length();
    let limit = config.data.validation_windows;
    let bos = tokenizer.bos();
    let mut tokens = train.tokens();
    let validation = if config.data.validation.is_some() {
        let shards = open_shards(config, &dir.join("validation"))?;
        Some(Validation::new(shards, 0, length, limit, bos)?)
    } else if let Some(fraction) = config.data.validation_fraction {
        tokens -= (tokens as f64 * fraction) as u64;
        Some(Validation::new(train.clone(), tokens, length, limit, bos)?)
    } else {
        None
    };
    let shape = (config.batch.sequences, length);
    let train = Windows::new(train, tokens, shape, config.batch.accumulation, config.run.seed)?;
    Ok(Dataset { train, validation, tokenizer })
}

fn open_shards(config: &TrainConfig, dir: &Path) -> Result<Arc<Shards>, TrainError> {
    let shards = Shards::open(dir)?;
    let index = shards.index();
    if let Some(changed) = index.sources.iter().find(|s| !s.is_gone() && !s.is_unchanged()) {
        return Err(TrainError::Data(format!(
            "{} has changed since its tokens were written; begin a new run",
            changed.path.display()
        )));
    }
    if index.vocab_size != config.model.vocab_size {
        return Err(TrainError::Data(format!(
            "the tokens in {} are for a vocabulary of {}, the model has {}",
            dir.display(),
            index.vocab_size,
            config.model.vocab_size
        )));
    }
    Ok(Arc::new(shards))
}

/// Files and what becomes of them.
struct Text {
    sources: Vec<Source>,
    index: Index,
}

impl Text {
    fn of(config: &TrainConfig, patterns: &[PathBuf]) -> Result<Self, TrainError> {
        let sources = find(patterns)?;
        let separator = config.data.separator.as_deref();
        let trained = config.data.tokenizer.is_none();
        let index = Index::new(config.model.vocab_size, sources.clone(), separator, trained);
        Ok(Text { sources, index })
    }

    fn bytes(&self) -> u64 {
        self.sources.iter().map(|source| source.bytes).sum()
    }

    /// All pieces of all files, and where each ends in the text.
    fn pieces(&self) -> impl Iterator<Item = Result<Piece, TrainError>> + '_ {
        let separator = self.index.separator.as_deref();
        self.sources.iter().flat_map(move |source| {
            let (pieces, error) = match Pieces::open(&source.path, separator) {
                Ok(pieces) => (Some(pieces), None),
                Err(e) => (None, Some(Err(e))),
            };
            pieces.into_iter().flatten().chain(error)
        })
    }
}

struct Maker<'a> {
    dir: &'a Path,
    progress: OnProgress<'a>,
}

impl Maker<'_> {
    /// The stored tokenizer, if it is that of the configuration; else that, stored.
    fn tokenizer(
        &mut self,
        config: &TrainConfig,
        text: &Text,
    ) -> Result<TextTokenizer, TrainError> {
        let parts = ["train", "validation"].map(|name| self.dir.join(name));
        for part in &parts {
            fs::create_dir_all(part)
                .map_err(|source| TrainError::Io { path: part.clone(), source })?;
        }
        let stored = TextTokenizer::open(self.dir).ok();
        let given = config.data.tokenizer.as_deref().map(TextTokenizer::open).transpose()?;
        if let Some(stored) = stored {
            let same = match &given {
                Some(given) => given.json() == stored.json(),
                None => Index::read(&parts[0])?.is_some_and(|index| index.is_for(&text.index)),
            };
            if same {
                return Ok(stored);
            }
        }
        let tokenizer = match given {
            Some(given) => given,
            None => self.train_tokenizer(config.model.vocab_size, text)?,
        };
        let (tokens, rows) = (tokenizer.vocab_size(), config.model.vocab_size);
        if tokens > rows {
            let problem = format!("is {rows}, less than the {tokens} tokens of the tokenizer");
            return Err(TrainError::Config { key: "model.vocab_size", problem });
        }
        // No index may outlive the tokenizer that its shards were made with.
        parts.iter().try_for_each(|part| Index::remove(part))?;
        tokenizer.save(self.dir)?;
        Ok(tokenizer)
    }

    fn train_tokenizer(
        &mut self,
        vocab_size: usize,
        text: &Text,
    ) -> Result<TextTokenizer, TrainError> {
        let total = text.bytes();
        let every = usize::try_from(total.div_ceil(TOKENIZER_BYTES)).unwrap_or(usize::MAX);
        let mut done = 0;
        let progress = &mut self.progress;
        let texts = text.pieces().map(move |piece| {
            let text = piece?.text;
            done += text.len() as u64;
            match progress(Progress { task: "training the tokenizer", done, total }) {
                ControlFlow::Continue(()) => Ok(text),
                ControlFlow::Break(()) => Err(TrainError::Cancelled),
            }
        });
        TextTokenizer::train(vocab_size, texts.step_by(every.max(1)))
    }

    /// Writes the tokens of a text, unless they are there.
    fn shards(
        &mut self,
        name: &str,
        text: &Text,
        tokenizer: &TextTokenizer,
    ) -> Result<(), TrainError> {
        let dir = self.dir.join(name);
        if Index::read(&dir)?.is_some_and(|index| index.is_for(&text.index)) {
            return Ok(());
        }
        let mut writer = ShardWriter::create(&dir, text.index.clone())?;
        let mut pieces = text.pieces();
        let (mut done, total) = (0, text.bytes());
        let mut at_start = true;
        let budget = 4 * pieces::PIECE * rayon::current_num_threads();
        loop {
            let batch = take_bytes(&mut pieces, budget)?;
            if batch.is_empty() {
                return writer.finish();
            }
            let encoded: Vec<_> =
                batch.par_iter().map(|piece| tokenizer.encode(&piece.text)).collect();
            for (piece, ids) in batch.iter().zip(encoded) {
                if at_start {
                    let between = (done > 0).then_some(tokenizer.eos()).flatten();
                    let edge: Vec<u32> = between.into_iter().chain(tokenizer.bos()).collect();
                    writer.write(&edge)?;
                }
                at_start = piece.ends_document;
                writer.write(&ids?)?;
                done += piece.text.len() as u64;
            }
            let progress = Progress { task: "writing tokens", done, total };
            if (self.progress)(progress).is_break() {
                return Err(TrainError::Cancelled);
            }
        }
    }
}

/// Pieces until they have `budget` bytes together, or end.
fn take_bytes(
    pieces: &mut impl Iterator<Item = Result<Piece, TrainError>>,
    budget: usize,
) -> Result<Vec<Piece>, TrainError> {
    let (mut taken, mut bytes) = (Vec::new(), 0);
    while bytes < budget {
        let Some(piece) = pieces.next().transpose()? else { break };
        bytes += piece.text.len() + size_of::<Piece>();
        taken.push(piece);
    }
    Ok(taken)
}

#[cfg(test)]
mod tests;
