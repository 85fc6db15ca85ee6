//! Texts that follow a grammar: before each token is drawn, those that the grammar does not allow
//! are forbidden. Grammars are read and matched by the `llguidance` crate (feature `grammar`).

#[cfg(feature = "grammar")]
mod constraint;
mod error;
mod language;
#[cfg(feature = "grammar")]
mod vocabulary;
#[cfg(not(feature = "grammar"))]
mod without;

#[cfg(feature = "grammar")]
pub(super) use constraint::Constraint;
pub use error::GrammarError;
pub use language::Grammar;
#[cfg(feature = "grammar")]
pub(super) use vocabulary::Vocabulary;
#[cfg(not(feature = "grammar"))]
pub(super) use without::{Constraint, Vocabulary};
