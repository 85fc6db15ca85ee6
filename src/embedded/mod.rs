//! Firmware in ten lines: a session whose memory is one static of fixed capacity, checked against
//! the model when the program is compiled.
//!
//! A `const fn` reads the model's file, which the program includes, and works out what it takes:
//! layers, KV cache, scratch, logits, the prompt's ids and the tokenizer's work. A session that
//! is too small does not compile, and the compiler's message says by how much. (The
//! shape is read then. Whether the file is whole, its tensors are of types that this build
//! has and the vocabulary is of a known kind is checked when the session is started: an error.)
//!
//! ```
//! use xielu::embedded::{Program, Session, Static};
//!
//! struct Tiny;
//! impl Program for Tiny {
//!     const MODEL: &'static [u8] = include_bytes!("../../models/tiny-Q8_0.gguf");
//! }
//! static SESSION: Static<Session<Tiny, 4, 64, 76_000>> = Static::new(Session::new());
//!
//! let mut session = SESSION.take().unwrap().start()?;
//! let mut answer = String::new();
//! session.generate("The `Vec<T>` type is", 20, |text| answer += text)?;
//! # assert_eq!(session.tokens().position(), 29);
//! # Ok::<(), xielu::Error>(())
//! ```
//!
//! Two kilobytes less, and the compiler refuses:
//!
//! ```compile_fail
//! # use xielu::embedded::{Program, Session, Static};
//! # struct Tiny;
//! # impl Program for Tiny {
//! #     const MODEL: &'static [u8] = include_bytes!("../../models/tiny-Q8_0.gguf");
//! # }
//! static SESSION: Static<Session<Tiny, 4, 64, 10_000>> = Static::new(Session::new());
//! ```
//!
//! On a serial line, [`Console`] edits the prompt, answers token by token and says how fast.

mod console;
mod line;
mod message;
mod needs;
mod program;
mod running;
mod session;

pub use console::{Console, Terminal};
pub use line::{Edit, Line};
pub use needs::Needs;
pub use program::Program;
pub use running::{Running, Tokens};
pub use session::Session;

/// Holds a [`Session`] in a static until it is taken.
#[cfg(target_has_atomic = "8")]
pub use crate::kernels::TakeOnce as Static;
