//! Byte-level BPE over the vocabulary inside a GGUF file: text to token ids and back, without an
//! allocator, the standard library or an engine for regular expressions. For firmware and C.
//!
//! The ids are those of the `tokenizers` crate for the same vocabulary. Memory is the caller's:
//! [`Bpe::memory_len`] numbers for the indexes, [`work_len`] for each word while it is cut. Without
//! indexes, [`Bpe::in_place`] searches the file itself: for prompts on microcontrollers, where
//! memory is scarce and the model takes a hundred times as long.
//!
//! ```
//! use xielu::checkpoint::gguf::Gguf;
//! use xielu::tokenizer::bpe::{Bpe, Special, work_len};
//!
//! static MODEL: &[u8] = include_bytes!("../../../models/tiny-Q8_0.gguf");
//!
//! let gguf = Gguf::parse(MODEL)?;
//! let mut memory = vec![0; Bpe::memory_len(&gguf)?];
//! let bpe = Bpe::new(&gguf, &mut memory)?;
//! let mut work = [0; work_len(64)];
//! let mut ids = [0; 16];
//! let n = bpe.encode("The `Vec<T>` type is", Special::Parse, &mut work, &mut ids)?;
//! let text: Vec<u8> = ids[..n].iter().flat_map(|&id| bpe.token(id).unwrap()).collect();
//! assert_eq!(text, b"The `Vec<T>` type is");
//! # Ok::<(), xielu::Error>(())
//! ```

mod added;
mod bytes;
mod hash;
mod in_place;
mod indexed;
mod keys;
mod kind;
mod lookup;
mod merges;
pub(super) mod pre;
pub(super) mod split;
mod stream;
mod table;
#[cfg(all(test, feature = "tokenizer"))]
mod tests;
mod unicode;
mod vocabulary;
mod word;

use self::added::Added;
pub use self::added::Special;
pub use self::bytes::TokenBytes;
pub use self::in_place::InPlace;
pub use self::indexed::Indexed;
use self::lookup::Lookup;
use self::pre::Pre;
pub use self::stream::Utf8Stream;
use crate::Error;
use crate::checkpoint::gguf::Gguf;

/// u32 elements of work that [`Bpe::encode`] takes for text whose longest word has so many bytes. A
/// whole text is one word at most.
pub const fn work_len(longest_word: usize) -> usize {
    longest_word.saturating_mul(word::PER_BYTE)
}

/// A vocabulary in use: the file's bytes, and indexes in the caller's memory ([`Indexed`]) or none
/// ([`InPlace`]).
#[derive(Clone, Copy, Debug)]
pub struct Bpe<V> {
    vocabulary: V,
    added: Added,
    pre: Pre,
    bos: Option<u32>,
    leading: Option<u32>,
    trailing: Option<u32>,
}

impl<'w, 's> Bpe<Indexed<'w, 's>> {
    /// u32 elements of memory that the vocabulary of `gguf` takes: about 2.5 a token and 4.5 a
    /// merge.
    ///
    /// # Errors
    /// If the file has no vocabulary.
    pub fn memory_len(gguf: &Gguf<'_>) -> Result<usize, Error> {
        Indexed::memory_len(gguf)
    }

    /// Indexes the vocabulary of `gguf` in `memory`, whose contents do not matter.
    ///
    /// # Errors
    /// If the file has no vocabulary, one of another kind (`tokenizer.ggml.model` is not `gpt2`, or
    /// `tokenizer.ggml.pre` is not known), or one that contradicts itself; if `memory` is shorter
    /// than [`Bpe::memory_len`].
    pub fn new(gguf: &Gguf<'w>, memory: &'s mut [u32]) -> Result<Self, Error> {
        let (needed, pre) = (Bpe::memory_len(gguf)?, keys::pre(gguf)?);
        let short = Error::Memory { what: "the tokenizer", needed, found: memory.len() };
        let memory = memory.get_mut(..needed).ok_or(short)?;
        Bpe::with(gguf, Indexed::new(gguf, memory)?, pre)
    }
}

impl<'w> Bpe<InPlace<'w>> {
    /// The vocabulary of `gguf`, searched where it is: a token of a text takes some ten
    /// instructions for every token and merge of the vocabulary, and more where many small parts
    /// are merged. Work is as long as [`InPlace::work_len`] says. The ids are the same; of a
    /// vocabulary that contradicts itself nothing is said before a text shows it.
    ///
    /// # Errors
    /// If the file has no vocabulary, or one of another kind: see [`Bpe::new`].
    pub fn in_place(gguf: &Gguf<'w>) -> Result<Self, Error> {
        Bpe::with(gguf, InPlace::new(gguf)?, keys::pre(gguf)?)
    }
}

impl<'w, V: Lookup<'w>> Bpe<V> {
    fn with(gguf: &Gguf<'w>, vocabulary: V, pre: Pre) -> Result<Self, Error> {
        let tokens = vocabulary.count();
        let bos = keys::bos(gguf, tokens)?;
        let [leading, trailing] = keys::edges(gguf, tokens, pre.add_bos)?;
        let added = Added::new(&vocabulary);
        Ok(Bpe { vocabulary, added, pre, bos, leading, trailing })
    }

    /// How many tokens the vocabulary has.
    pub fn vocab_size(&self) -> usize {
        self.vocabulary.count()
    }

    /// The token that begins texts, whether or not the model was trained with it there.
    pub const fn bos(&self) -> Option<u32> {
        self.bos
    }

    /// The token that begins every text, if the model was trained with one.
    pub const fn leading_token(&self) -> Option<u32> {
        self.leading
    }

    /// Whether `id` ends a generation.
    pub fn is_end(&self, id: u32) -> bool {
        self.vocabulary.is_end(id)
    }

    /// Whether `id` is a token that is no text, such as `</s>`, or a row without a token.
    pub fn is_control(&self, id: u32) -> bool {
        self.vocabulary.is_control(id)
    }

    /// The bytes of a token; whole characters only where the token is.
    ///
    /// # Errors
    /// [`Error::Token`] if there is none of this number.
    pub fn token(&self, id: u32) -> Result<TokenBytes<'w>, Error> {
        let vocab_size = self.vocab_size();
        self.vocabulary.text(id).map(TokenBytes::new).ok_or(Error::Token { id, vocab_size })
    }

    /// Writes the ids of `text`, without a beginning-of-text token, and returns how many there
    /// are: those that `ids` has no room for are counted only.
    ///
    /// # Errors
    /// If `work` is shorter than [`work_len`] (or [`InPlace::work_len`]) of a word that must be
    /// merged, or the vocabulary has no token for a byte of the text.
    pub fn encode(
        &self,
        text: &str,
        special: Special,
        work: &mut [u32],
        ids: &mut [u32],
    ) -> Result<usize, Error> {
        let mut out = Ids { ids, n: 0, last: None, leading: None };
        self.each_id(text, special, work, &mut out)?;
        Ok(out.n)
    }

    /// As [`Bpe::encode`], for a prompt: its special tokens are recognised, and what the model has
    /// before and after every text is there, once, whether or not `text` brings it along.
    ///
    /// # Errors
    /// As [`Bpe::encode`].
    pub fn encode_prompt(
        &self,
        text: &str,
        work: &mut [u32],
        ids: &mut [u32],
    ) -> Result<usize, Error> {
        let mut out = Ids { ids, n: 0, last: None, leading: self.leading };
        self.each_id(text, Special::Parse, work, &mut out)?;
        out.end(self.trailing);
        Ok(out.n)
    }

    fn each_id(
        &self,
        text: &str,
        special: Special,
        work: &mut [u32],
        out: &mut Ids<'_>,
    ) -> Result<(), Error> {
        let mut rest = text;
        loop {
            let found = self.added.first(&self.vocabulary, rest, special);
            let words = rest.get(..found.map_or(rest.len(), |found| found.start));
            let words = words.ok_or(Error::OutOfRange("text"))?;
            self.pre.split.words(words, &mut |word| self.word(word, work, out))?;
            let Some(found) = found else { return Ok(()) };
            out.push(found.id);
            rest = rest.get(found.end..).ok_or(Error::OutOfRange("text"))?;
        }
    }

    fn word(&self, word: &str, work: &mut [u32], out: &mut Ids<'_>) -> Result<(), Error> {
        let bytes = word.as_bytes();
        if self.pre.ignore_merges
            && let Some(id) = self.vocabulary.of_bytes(bytes)
        {
            out.push(id);
            return Ok(());
        }
        self.vocabulary.cut(bytes, work, &mut |id| out.push(id))
    }
}

/// Ids as they come, those beyond the room counted only.
struct Ids<'o> {
    ids: &'o mut [u32],
    n: usize,
    /// Of the text.
    last: Option<u32>,
    /// Stands before the first, unless that is the same.
    leading: Option<u32>,
}

impl Ids<'_> {
    /// An id of the text.
    fn push(&mut self, id: u32) {
        self.lead(Some(id));
        self.put(id);
        self.last = Some(id);
    }

    /// The end of the text: `trailing`, unless that is the last token already.
    fn end(&mut self, trailing: Option<u32>) {
        self.lead(None);
        if let Some(trailing) = trailing.filter(|_| self.last != trailing) {
            self.put(trailing);
        }
    }

    fn lead(&mut self, before: Option<u32>) {
        if let Some(leading) = self.leading.take().filter(|&leading| Some(leading) != before) {
            self.put(leading);
        }
    }

    fn put(&mut self, id: u32) {
        if let Some(place) = self.ids.get_mut(self.n) {
            *place = id;
        }
        self.n += 1;
    }
}
