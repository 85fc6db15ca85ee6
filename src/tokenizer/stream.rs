//! Text from ids as they come.

use std::ops::Deref;
use std::string::String;
use std::vec::Vec;

use super::{Tokenizer, TokenizerError};

/// What a decoder writes for bytes that are no character, perhaps because the next are missing.
const UNKNOWN: char = '\u{fffd}';

/// Takes one id at a time and gives text as soon as it is whole characters. All of it together,
/// with what [`TextStream::finish`] gives, is what [`Tokenizer::decode`] gives of all the ids.
///
/// `T` is a reference to the tokenizer, or what else leads to it: with an `Arc` the stream borrows
/// nothing.
pub struct TextStream<T> {
    tokenizer: T,
    /// Ids whose text has not been given, or may yet change.
    ids: Vec<u32>,
    /// Bytes of their text that have been given.
    given: usize,
    /// Special tokens are text, too.
    special: bool,
}

impl Tokenizer {
    /// A decoder that takes one id at a time and returns text as soon as it is whole characters.
    pub fn stream(&self) -> TextStream<&Self> {
        TextStream::new(self)
    }
}

impl<T: Deref<Target = Tokenizer>> TextStream<T> {
    /// A stream at the beginning of a text.
    pub fn new(tokenizer: T) -> Self {
        TextStream { tokenizer, ids: Vec::new(), given: 0, special: false }
    }

    /// Gives special tokens as text, too, if `special` says so:
    /// [`Tokenizer::decode_with_special`].
    #[must_use]
    pub fn with_special(self, special: bool) -> Self {
        TextStream { special, ..self }
    }

    /// The text that `id` completes, if it completes any.
    ///
    /// # Errors
    /// If the tokens have no text.
    pub fn push(&mut self, id: u32) -> Result<Option<String>, TokenizerError> {
        self.ids.push(id);
        if self.tokenizer.is_lone_byte(id) {
            return Ok(None);
        }
        let text = self.text()?;
        if text.ends_with(UNKNOWN) {
            return Ok(None);
        }
        let new = self.new_text(&text);
        if self.tokenizer.decodes_by_bytes {
            // No later token changes what these became.
            self.ids.clear();
            self.given = 0;
        } else {
            self.given = text.len();
        }
        Ok(new)
    }

    /// What is left: the beginning of a character whose end did not come. The next id begins a
    /// new text.
    ///
    /// # Errors
    /// If the tokens have no text.
    pub fn finish(&mut self) -> Result<Option<String>, TokenizerError> {
        let text = self.text()?;
        let rest = self.new_text(&text);
        self.ids.clear();
        self.given = 0;
        Ok(rest)
    }

    fn text(&self) -> Result<String, TokenizerError> {
        match self.special {
            true => self.tokenizer.decode_with_special(&self.ids),
            false => self.tokenizer.decode(&self.ids),
        }
    }

    fn new_text(&self, text: &str) -> Option<String> {
        // A decoder may shorten what it gave before; that cannot be taken back.
        text.get(self.given..).filter(|new| !new.is_empty()).map(String::from)
    }
}
