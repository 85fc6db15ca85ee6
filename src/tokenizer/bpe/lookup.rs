//! Where tokens and merges are looked up: in tables, or in the file itself.

use super::hash::Hash;
use crate::Error;

/// A vocabulary, and how words are cut by its merges. What implements it is here alone.
pub trait Lookup<'w> {
    /// How many tokens there are.
    fn count(&self) -> usize;

    /// The text of a token as the file has it.
    fn text(&self, id: u32) -> Option<&'w [u8]>;

    /// Whether it is no text: `</s>`, or a row without a token.
    fn is_control(&self, id: u32) -> bool;

    /// Whether it ends a text.
    fn is_end(&self, id: u32) -> bool;

    /// The texts of the tokens that are matched as a whole.
    fn added(&self) -> impl Iterator<Item = &'w [u8]>;

    /// The token that is matched as a whole and whose text, of this hash, is `text`.
    fn added_of(&self, hash: Hash, text: &[u8]) -> Option<u32>;

    /// The token of these bytes of a text.
    fn of_bytes(&self, bytes: &[u8]) -> Option<u32>;

    /// Calls `each` with the tokens of a word.
    ///
    /// # Errors
    /// If `work` is too short, or a byte has no token.
    fn cut(&self, word: &[u8], work: &mut [u32], each: &mut dyn FnMut(u32)) -> Result<(), Error>;
}
