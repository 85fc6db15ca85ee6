//! What a token is, by the file's number for it and by its text.

use crate::checkpoint::stop_tokens::ends_by_text;
use crate::names::TokenKind;

/// What a token is, in the lowest bits.
const KIND: u32 = 0b11;
/// A token that is not text: `</s>`.
const CONTROL: u32 = 1;
/// A token added by hand, matched before merging.
const USER_DEFINED: u32 = 2;
/// A row of the embedding that is no token.
const NONE: u32 = 3;
/// Whether it ends a text.
const END: u32 = 0b100;

/// How many bits a [`Kind`] has.
pub(super) const BITS: u32 = 3;

/// What a token is, in [`BITS`] bits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kind(pub u32);

impl Kind {
    /// The kind of a token: `stated` by the file (`None` if it says nothing of any token), whose
    /// list of stop tokens is whole or not. The text is asked for only where it decides.
    pub(super) fn of<'t>(
        stated: Option<Option<i64>>,
        listed: bool,
        text: impl Fn() -> &'t [u8],
    ) -> Self {
        // Where the file does not say what is special, texts alone do.
        let special = stated != Some(Some(TokenKind::Normal.id()));
        let end = !listed && special && core::str::from_utf8(text()).is_ok_and(ends_by_text);
        let kind = match stated.flatten().and_then(TokenKind::of) {
            Some(TokenKind::Control) => CONTROL,
            Some(TokenKind::UserDefined) => USER_DEFINED,
            Some(TokenKind::Unused) if is_placeholder(text()) => NONE,
            _ => 0,
        };
        Kind(kind | if end { END } else { 0 })
    }

    /// The kind in the lowest bits of a number.
    pub(super) const fn in_bits(bits: u32) -> Self {
        Kind(bits & (KIND | END))
    }

    /// As it is, and the end of a text.
    pub(super) const fn and_end(self) -> Self {
        Kind(self.0 | END)
    }

    /// Whether it is no text.
    pub(super) const fn is_control(self) -> bool {
        matches!(self.0 & KIND, CONTROL | NONE)
    }

    /// Whether it is matched as a whole, before merging.
    pub(super) const fn is_added(self) -> bool {
        matches!(self.0 & KIND, CONTROL | USER_DEFINED)
    }

    /// Whether it ends a text.
    pub(super) const fn is_end(self) -> bool {
        self.0 & END != 0
    }
}

/// Whether `text` is what converters call a row of the embedding that is no token: `[PAD352]`.
fn is_placeholder(text: &[u8]) -> bool {
    let digits = text.strip_prefix(b"[PAD").and_then(|rest| rest.strip_suffix(b"]"));
    digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_digit))
}
