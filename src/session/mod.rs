//! A model that owns its memory: text in, text out. What a program needs that is no
//! microcontroller; the command line is written on top of it.
//!
//! ```
//! use std::ops::ControlFlow;
//! use xielu::Session;
//! use xielu::session::GenerateOptions;
//!
//! let mut session = Session::open("models/tiny-Q8_0.gguf")?;
//! let mut text = String::new();
//! let options = GenerateOptions { limit: Some(16), ..Default::default() };
//! session.generate("The `Vec<T>` type is", &options, |piece| {
//!     text += piece;
//!     ControlFlow::Continue(())
//! })?;
//! assert!(text.starts_with(" "), "{text}");
//! # Ok::<(), xielu::session::SessionError>(())
//! ```
//!
//! A [`Session`] is one sequence of tokens on its way through one model. The parts it is made of
//! can be used alone, on the caller's memory and without an allocator: [`Gguf`], [`Model`],
//! [`Decoder`], [`Generation`], [`Sampler`](crate::llama::Sampler).
//!
//! # Who owns what
//!
//! Weights are borrowed from the bytes of a file, layers from weights, a decoder from layers. A
//! value that owns all of them refers to itself, which Rust's references cannot say. The crate
//! `self_cell` says it for the file and the views into it, and keeps the unsafe code that this
//! takes; the decoder, which is a few pointers, is made anew for every call, on memory that stays.
//! So a program holds one value without a lifetime, which can be moved, kept in a struct and sent
//! to another thread. (Taking the views anew for every call would walk through the file's metadata
//! for each token of a program that takes tokens one by one; a function that lends a session to a
//! closure would turn such programs inside out.)
//!
//! [`Gguf`]: crate::checkpoint::gguf::Gguf

#[cfg(feature = "std")]
mod collector;
mod context;
#[cfg(feature = "cuda")]
mod device;
mod error;
mod fingerprint;
mod free_memory;
mod generate;
mod grammar;
#[cfg(feature = "std")]
mod importance;
mod memory;
#[cfg(feature = "cuda")]
mod on_device;
mod options;
mod perplexity;
mod reuse;
mod sampler;
mod state;
mod state_error;
mod stop_texts;
mod threads;
mod weights;

use std::borrow::Cow;
use std::boxed::Box;
use std::fmt;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::vec::Vec;

use crate::checkpoint::{self, ModelFile, ModelView};
use crate::kernels::Kernels;
use crate::llama::{Decoder, DecoderMemory, Generation, KvCache, Model, Progress, Sample};
use crate::tokenizer::Tokenizer;
use crate::{Backend, Config, Error, Executor};
#[cfg(feature = "std")]
pub use collector::{Collector, LeftOut};
pub use error::SessionError;
pub use free_memory::free_memory;
pub use generate::{GenerateOptions, Generated, recommended_sampling};
pub use grammar::{Grammar, GrammarError};
use memory::Working;
pub use memory::{DefaultContext, default_context};
pub use options::SessionOptions;
pub use perplexity::{Perplexity, PerplexityOptions, windows};
pub use sampler::SessionSampler;
pub use state_error::StateError;
pub use stop_texts::StopTexts;
use weights::Weights;

/// A model and one sequence of tokens on its way through it; it owns all their memory.
///
/// The KV cache is reserved when it is first needed, or by [`Session::reserve`]: what it takes is
/// known before, by [`Session::memory`].
pub struct Session {
    weights: Weights,
    /// Made when a text is first read: a model may be run by token ids alone.
    tokenizer: OnceLock<Arc<Tokenizer>>,
    /// Made when a text is first to follow a grammar.
    vocabulary: OnceLock<grammar::Vocabulary>,
    options: SessionOptions,
    executor: Box<dyn Executor + Send>,
    working: Option<Working>,
    /// What computes instead of the CPU.
    #[cfg(feature = "cuda")]
    device: Option<crate::llama::CudaDecoder>,
    progress: Progress,
    /// The last token generated, which the decoder has yet to read.
    unread: Option<u32>,
    /// The tokens decoded so far; known if there are as many as positions.
    ids: Vec<u32>,
}

impl Session {
    /// Opens the model at `path`, with the default options: a GGUF file, any part of a split one,
    /// or, with feature `safetensors`, a Hugging Face directory. Files are mapped with feature
    /// `mmap`, else read.
    ///
    /// # Errors
    /// [`SessionError`], in one sentence.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, SessionError> {
        Self::open_with(path, &SessionOptions::default())
    }

    /// As [`Session::open`], with the given options.
    ///
    /// # Errors
    /// As [`Session::open`].
    pub fn open_with(
        path: impl AsRef<Path>,
        options: &SessionOptions,
    ) -> Result<Self, SessionError> {
        Self::new(checkpoint::open_with(path, options.access)?, options)
    }

    /// A model from the bytes of a whole GGUF file: a `Vec`, or those of `include_bytes!`, which
    /// are not copied.
    ///
    /// # Errors
    /// As [`Session::open`].
    pub fn from_bytes(bytes: impl Into<Cow<'static, [u8]>>) -> Result<Self, SessionError> {
        Self::new(checkpoint::from_bytes(bytes)?, &SessionOptions::default())
    }

    /// A model that is open already. Several sessions may share it, by an `Arc`.
    ///
    /// All tensors are looked up and their shapes checked; nothing is copied, unless
    /// [`SessionOptions::pack`] says so.
    ///
    /// # Errors
    /// [`SessionError::Load`] if it is not a model that can be run, [`SessionError::Memory`] if
    /// there is no memory for packed weights, [`SessionError::Threads`].
    pub fn new(
        file: impl Into<Arc<ModelFile>>,
        options: &SessionOptions,
    ) -> Result<Self, SessionError> {
        let weights = Weights::load(file.into(), options)?;
        Ok(Session {
            #[cfg(feature = "cuda")]
            device: device::open(&weights.model(), options)?,
            weights,
            tokenizer: OnceLock::new(),
            vocabulary: OnceLock::new(),
            options: *options,
            executor: threads::executor(options)?,
            working: None,
            progress: Progress::default(),
            unread: None,
            ids: Vec::new(),
        })
    }

    /// The model's shape.
    pub fn config(&self) -> &Config {
        self.weights.config()
    }

    /// The model's file: its configuration, tensors and metadata.
    pub fn view(&self) -> &ModelView<'_> {
        self.weights.view()
    }

    /// The options it was made with.
    pub const fn options(&self) -> &SessionOptions {
        &self.options
    }

    /// The kernels that compute.
    pub const fn kernels(&self) -> &Kernels {
        &self.options.kernels
    }

    /// Bytes of the copy that [`SessionOptions::pack`] made; 0 if there was nothing to pack.
    pub fn packed_bytes(&self) -> usize {
        self.weights.packed_bytes()
    }

    /// The model's weights, as views.
    pub fn model(&self) -> Model<'_, '_> {
        self.weights.model()
    }

    /// The model's vocabulary.
    ///
    /// # Errors
    /// [`SessionError::NoText`] if the model has none that can be used.
    pub fn tokenizer(&self) -> Result<&Arc<Tokenizer>, SessionError> {
        if let Some(tokenizer) = self.tokenizer.get() {
            return Ok(tokenizer);
        }
        let tokenizer = Tokenizer::from_view(self.view()).map_err(SessionError::NoText)?;
        Ok(self.tokenizer.get_or_init(|| Arc::new(tokenizer)))
    }

    /// The memory that a context of so many positions takes, in bytes, besides the weights.
    pub fn memory(&self, context: usize) -> DecoderMemory {
        let options = &self.options;
        DecoderMemory::new(self.config(), &options.decoder(), context, options.kv_type)
    }

    /// Positions that the KV cache has room for; 0 before it is reserved.
    pub fn context(&self) -> usize {
        self.working.as_ref().map_or(0, |working| working.context)
    }

    /// Positions decoded so far.
    pub const fn position(&self) -> usize {
        self.progress.position()
    }

    /// Reserves memory for `context` positions. What was decoded is forgotten.
    ///
    /// # Errors
    /// [`SessionError::Memory`] if there is not as much, and what was reserved before stays.
    pub fn reserve(&mut self, context: usize) -> Result<(), SessionError> {
        self.work_in(context)?;
        self.reset();
        // What the shape or the options forbid is said now.
        self.with_decoder(|_| ())
    }

    /// Makes the memory for `context` positions.
    fn work_in(&mut self, context: usize) -> Result<(), SessionError> {
        #[cfg(feature = "cuda")]
        if self.device.is_some() {
            return self.work_on_device(context);
        }
        self.working = Some(Working::new(self.config(), &self.options, context)?);
        Ok(())
    }

    /// Forgets what was decoded: the next token begins a text.
    pub fn reset(&mut self) {
        self.progress = Progress::default();
        self.unread = None;
        self.ids.clear();
    }

    /// Lends the decoder to `work`, where this session's sequence is. The KV cache is reserved
    /// first, if it was not. (What is generated afterwards follows the last [`Session::read`];
    /// [`Session::read_whole`] reads all again, since it cannot know what was decoded here.)
    ///
    /// # Errors
    /// [`SessionError::Memory`] if it cannot be; [`SessionError::Run`] if the options do not suit
    /// the model.
    pub fn with_decoder<T>(
        &mut self,
        work: impl FnOnce(&mut Decoder<'_, '_, '_>) -> T,
    ) -> Result<T, SessionError> {
        self.ids.clear();
        self.with_decoder_and_logits(|decoder, _| Ok(work(decoder)))
    }

    /// As [`Session::with_decoder`], with the logits of what follows the last token.
    fn with_decoder_and_logits<T>(
        &mut self,
        work: impl FnOnce(&mut Decoder<'_, '_, '_>, &mut [f32]) -> Result<T, Error>,
    ) -> Result<T, SessionError> {
        if self.working.is_none() {
            let context = self.options.context;
            let context = context.unwrap_or_else(|| self.default_context(1).positions);
            self.work_in(context)?;
        }
        let Session { weights, working: Some(working), options, executor, .. } = self else {
            return Err(Error::OutOfRange("the session's memory").into());
        };
        let model = weights.model();
        let Working { context, cache, scratch, logits } = working;
        let backend = options.backend(&**executor);
        let on_cpu = |cache, scratch| -> Result<_, Error> {
            let cache = KvCache::new(model.config(), *context, options.kv_type, cache)?;
            Decoder::new(&model, backend, options.decoder(), cache, scratch)
        };
        #[cfg(not(feature = "cuda"))]
        let mut decoder = on_cpu(cache, scratch)?;
        #[cfg(feature = "cuda")]
        let mut decoder = match &mut self.device {
            Some(device) => Decoder::on_device(&model, options.decoder(), device),
            None => on_cpu(cache, scratch)?,
        };
        decoder.resume(self.progress);
        let result = work(&mut decoder, logits);
        self.progress = decoder.progress();
        Ok(result?)
    }

    /// The next token of `generation`: for programs that take one at a time. `None` when the text
    /// has ended. Begin with [`Session::read`].
    ///
    /// # Errors
    /// [`SessionError::EmptyPrompt`] if nothing was read; [`SessionError::NoText`] if nothing is
    /// known of the tokens that end a text; [`SessionError::Run`].
    pub fn next_token<S: Sample>(
        &mut self,
        generation: &mut Generation<S>,
    ) -> Result<Option<u32>, SessionError> {
        let tokenizer = self.tokenizer()?.clone();
        self.catch_up(generation)?;
        let (last, before) = (generation.last(), self.position());
        let next = self.with_decoder_and_logits(|decoder, logits| {
            generation.next_token(decoder, logits, |id| tokenizer.is_end(id))
        });
        self.unread = generation.last();
        self.remember(before, last.as_slice());
        next
    }

    /// Has the decoder read the last token of a generation before `generation`.
    fn catch_up<S: Sample>(&mut self, generation: &Generation<S>) -> Result<(), SessionError> {
        if self.position() == 0 {
            return Err(SessionError::EmptyPrompt);
        }
        if generation.last().is_none()
            && let Some(id) = self.unread.take()
        {
            let before = self.position();
            let step = self.with_decoder_and_logits(|decoder, logits| decoder.step(id, logits));
            self.remember(before, &[id]);
            step?;
        }
        Ok(())
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut session = f.debug_struct("Session");
        session.field("config", self.config()).field("options", &self.options);
        session.field("context", &self.context()).field("position", &self.position());
        session.finish_non_exhaustive()
    }
}

impl SessionOptions {
    fn backend<'e>(&self, executor: &'e dyn Executor) -> Backend<'e> {
        let backend = Backend::new(self.kernels, executor);
        #[cfg(feature = "micromath")]
        if self.rough {
            return backend.with_rough_functions();
        }
        backend
    }
}
