//! The types of tokens in a vocabulary.

/// What a token is, as GGUF numbers it (`tokenizer.ggml.token_type`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum TokenKind {
    /// Ordinary text.
    Normal = 1,
    /// Never produced from text.
    Control = 3,
    /// Text that is always one token.
    UserDefined = 4,
    /// A row of the embedding without a token.
    Unused = 5,
}

impl TokenKind {
    /// The kind with this number.
    pub(crate) const fn of(id: i64) -> Option<Self> {
        Some(match id {
            1 => TokenKind::Normal,
            3 => TokenKind::Control,
            4 => TokenKind::UserDefined,
            5 => TokenKind::Unused,
            _ => return None,
        })
    }

    /// GGUF's number.
    pub(crate) const fn id(self) -> i64 {
        self as i64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_kinds_are_one_to_one() {
        let known: std::vec::Vec<_> = (-1..10).filter_map(TokenKind::of).collect();
        assert_eq!(known.len(), 4);
        assert!(known.iter().all(|&kind| TokenKind::of(kind.id()) == Some(kind)));
    }
}
