//! The memory of a session: one value of fixed capacity, all zeros until it is started.

use core::fmt;
use core::marker::PhantomData;

use bytemuck::AnyBitPattern;

use super::needs::Needs;
use super::program::Program;
use super::running::{Running, Tokens};
use crate::checkpoint::gguf::Gguf;
use crate::llama::{Decoder, KvCache, Layer, Model};
use crate::tokenizer::bpe::{Bpe, InPlace};
use crate::{Backend, Error};

/// Room for a model of at most `LAYERS` layers with a context of `CONTEXT` positions, in `BYTES`
/// bytes (and two hundred or so a layer): see [`Needs`]. Made for a static, where it is all zeros
/// and takes no flash.
pub struct Session<P, const LAYERS: usize, const CONTEXT: usize, const BYTES: usize> {
    layers: Slot<[Layer<'static>; LAYERS]>,
    model: Slot<Model<'static, 'static>>,
    memory: Aligned<BYTES>,
    program: PhantomData<fn() -> P>,
}

/// As what is carved from it must be.
#[repr(align(8))]
struct Aligned<const BYTES: usize>([u8; BYTES]);

/// `Option` with a tag that is 0 for nothing: the value in a static is then no image in flash,
/// which a hole in the type's values, wherever `Option` finds one, could be.
#[repr(u8)]
enum Slot<T> {
    Empty = 0,
    Full(T) = 1,
}

impl<T> Slot<T> {
    fn fill(&mut self, value: T) -> Option<&mut T> {
        *self = Slot::Full(value);
        match self {
            Slot::Full(value) => Some(value),
            Slot::Empty => None,
        }
    }
}

impl<P: Program, const LAYERS: usize, const CONTEXT: usize, const BYTES: usize>
    Session<P, LAYERS, CONTEXT, BYTES>
{
    const NEEDS: Needs = Needs::of::<P>(CONTEXT);

    /// Room for the program's model and its tokenizer. If there is too little, this does not
    /// compile.
    #[expect(clippy::new_without_default, reason = "for statics, where Default cannot be called")]
    pub const fn new() -> Self {
        const { Self::check(true) };
        Self::EMPTY
    }

    /// Room for the program's model without its tokenizer, for [`Session::start_tokens`]. If there
    /// is too little, this does not compile.
    pub const fn without_text() -> Self {
        const { Self::check(false) };
        Self::EMPTY
    }

    const EMPTY: Self = Session {
        layers: Slot::Empty,
        model: Slot::Empty,
        memory: Aligned([0; BYTES]),
        program: PhantomData,
    };

    const fn check(text: bool) {
        if let Some(message) = Self::NEEDS.lacking(LAYERS, CONTEXT, BYTES, text) {
            panic!("{}", message.as_str());
        }
    }

    /// Loads the model and its tokenizer: text in, text out.
    ///
    /// # Errors
    /// If the model's file is damaged, not supported or of types that this build leaves out; if it
    /// has no vocabulary of byte-level BPE; if this was made by [`Session::without_text`].
    pub fn start(&'static mut self) -> Result<Running, Error> {
        self.start_on(Backend::default())
    }

    /// As [`Session::start`], computed by `backend`.
    ///
    /// # Errors
    /// As [`Session::start`].
    pub fn start_on(&'static mut self, backend: Backend<'static>) -> Result<Running, Error> {
        let gguf = Gguf::parse(P::MODEL)?;
        let (tokens, mut room) = self.load(&gguf, backend)?;
        let ids = room.take(CONTEXT)?;
        let work = room.take(InPlace::work_len(P::LONGEST_WORD))?;
        Ok(Running::new(tokens, Bpe::in_place(&gguf)?, work, ids))
    }

    /// Loads the model alone, for programs that bring their prompts as ids: neither the tokenizer's
    /// code nor its memory is needed.
    ///
    /// # Errors
    /// If the model's file is damaged, not supported or of types that this build leaves out.
    pub fn start_tokens(&'static mut self, backend: Backend<'static>) -> Result<Tokens, Error> {
        let gguf = Gguf::parse(P::MODEL)?;
        self.load(&gguf, backend).map(|(tokens, _)| tokens)
    }

    fn load(
        &'static mut self,
        gguf: &Gguf<'static>,
        backend: Backend<'static>,
    ) -> Result<(Tokens, Room), Error> {
        let lost = Error::OutOfRange("session");
        let layers = self.layers.fill([Layer::EMPTY; LAYERS]).ok_or(lost)?;
        let layers = layers.get_mut(..Self::NEEDS.layers).ok_or(lost)?;
        let model: &'static Model<'_, '_> =
            self.model.fill(Model::load(gguf, layers)?).ok_or(lost)?;
        let mut room = Room(&mut self.memory.0);
        let cache = room.take(Self::NEEDS.kv_cache)?;
        let cache = KvCache::new(model.config(), CONTEXT, P::KV_TYPE, cache)?;
        let scratch = room.take(Self::NEEDS.scratch / size_of::<f32>())?;
        let logits = room.take(Self::NEEDS.logits / size_of::<f32>())?;
        let decoder = Decoder::new(model, backend, P::OPTIONS, cache, scratch)?;
        Ok((Tokens::new(decoder, logits), room))
    }
}

impl<P, const LAYERS: usize, const CONTEXT: usize, const BYTES: usize> fmt::Debug
    for Session<P, LAYERS, CONTEXT, BYTES>
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = f.debug_struct("Session");
        text.field("layers", &LAYERS).field("context", &CONTEXT).field("bytes", &BYTES);
        text.finish_non_exhaustive()
    }
}

/// Memory that is not taken yet.
struct Room(&'static mut [u8]);

impl Room {
    /// The next `n` elements.
    fn take<T: AnyBitPattern + bytemuck::NoUninit>(
        &mut self,
        n: usize,
    ) -> Result<&'static mut [T], Error> {
        let free = core::mem::take(&mut self.0);
        let (needed, found) = (n.saturating_mul(size_of::<T>()), free.len());
        let short = Error::Memory { what: "the session", needed, found };
        let (piece, rest) = free.split_at_mut_checked(needed).ok_or(short)?;
        self.0 = rest;
        bytemuck::try_cast_slice_mut(piece).map_err(|_| short)
    }
}
