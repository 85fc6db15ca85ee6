//! Conversion of whatever model was opened.

use std::ops::ControlFlow;
use std::vec::Vec;

#[cfg(feature = "safetensors")]
use super::write_hf;
use super::{ConvertError, Importance, Output, Progress, TensorReport, Types, write_gguf};
use crate::checkpoint::ModelView;
use crate::checkpoint::gguf::SplitGguf;
#[cfg(feature = "safetensors")]
use crate::checkpoint::hf::{HfDir, Vocabulary, VocabularyOptions};
use crate::imatrix::ImportanceMatrix;

/// A model that is to be written as a GGUF file, and the vocabulary that goes with it.
///
/// ```
/// use std::ops::ControlFlow;
/// use xielu::checkpoint;
/// use xielu::convert::{Conversion, Types};
///
/// let folder = tempfile::tempdir()?;
/// let output = folder.path().join("tiny-q4_0.gguf");
/// let file = checkpoint::open("models/tiny-Q8_0.gguf")?;
/// let types: Types = "q4_0".parse()?;
/// let written = Conversion::new(&file.view()?)?.write(&output, &types, |progress| {
///     println!("{} of {} bytes", progress.done, progress.total);
///     ControlFlow::Continue(())
/// })?;
/// assert!(written.iter().any(|tensor| tensor.bytes_after < tensor.bytes_before));
/// # checkpoint::open(&output)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Conversion<'a, 'w> {
    source: Source<'a, 'w>,
    importance: Option<Importance<'a>>,
}

#[derive(Debug)]
enum Source<'a, 'w> {
    Gguf(SplitGguf<'a, 'w>),
    #[cfg(feature = "safetensors")]
    Hf {
        dir: &'a HfDir,
        vocabulary: Option<std::boxed::Box<Vocabulary>>,
    },
}

impl<'a, 'w> Conversion<'a, 'w> {
    /// Of a model with its vocabulary, as other programs read it too. A GGUF file keeps the one it
    /// has; a directory may have none.
    ///
    /// # Errors
    /// [`ConvertError::Vocabulary`] if a directory's tokenizer cannot be read or carried over.
    pub fn new(model: &'a ModelView<'w>) -> Result<Self, ConvertError> {
        #[cfg(feature = "safetensors")]
        return Self::with_vocabulary(model, VocabularyOptions::default());
        #[cfg(not(feature = "safetensors"))]
        Ok(Self::without_vocabulary(model))
    }

    /// As [`Conversion::new`], a directory's vocabulary stored as `options` say.
    ///
    /// # Errors
    /// As [`Conversion::new`].
    #[cfg(feature = "safetensors")]
    pub fn with_vocabulary(
        model: &'a ModelView<'w>,
        options: VocabularyOptions<'_>,
    ) -> Result<Self, ConvertError> {
        let mut conversion = Self::without_vocabulary(model);
        if let Source::Hf { dir, vocabulary } = &mut conversion.source {
            *vocabulary =
                dir.vocabulary(options).map_err(ConvertError::Vocabulary)?.map(Into::into);
        }
        Ok(conversion)
    }

    /// Of a model without a directory's vocabulary: the file can be run by token ids only.
    pub fn without_vocabulary(model: &'a ModelView<'w>) -> Self {
        let source = match model {
            ModelView::Gguf(gguf) => Source::Gguf(gguf.split()),
            #[cfg(feature = "safetensors")]
            ModelView::Hf(dir) => Source::Hf { dir, vocabulary: None },
        };
        Conversion { source, importance: None }
    }

    /// The same by the weights of `matrix`, which comes from `file`: tensors that it has an entry
    /// for and whose types are of [`WEIGHTED`](crate::quant::WEIGHTED) are searched for by them.
    #[must_use]
    pub fn with_importance(mut self, matrix: &'a ImportanceMatrix, file: &str) -> Self {
        self.importance = Some(Importance { matrix, file: file.into() });
        self
    }

    /// The vocabulary of a directory, with what other programs will not read of it
    /// ([`Vocabulary::lost`]).
    #[cfg(feature = "safetensors")]
    pub fn vocabulary(&self) -> Option<&Vocabulary> {
        match &self.source {
            Source::Hf { vocabulary, .. } => vocabulary.as_deref(),
            Source::Gguf(_) => None,
        }
    }

    /// Writes the file; see [`convert_gguf`](super::convert_gguf) and
    /// [`convert_hf`](super::convert_hf).
    ///
    /// # Errors
    /// [`ConvertError`]; nothing is left at `output` but what was there before.
    pub fn write<'o>(
        &self,
        output: impl Into<Output<'o>>,
        types: &Types,
        progress: impl FnMut(Progress<'_>) -> ControlFlow<()>,
    ) -> Result<Vec<TensorReport>, ConvertError> {
        let (output, importance) = (output.into(), self.importance.as_ref());
        match &self.source {
            Source::Gguf(gguf) => write_gguf(*gguf, &output, types, importance, progress),
            #[cfg(feature = "safetensors")]
            Source::Hf { dir, vocabulary } => {
                write_hf(dir, &output, types, vocabulary.as_deref(), importance, progress)
            }
        }
    }
}
