//! Settings of a sampler that cannot be used.

use core::fmt;

/// A setting of a sampler that cannot be used, in one sentence.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum SamplingError {
    /// A temperature below 0, or none.
    Temperature(f32),
    /// A top-p that is not above 0 and at most 1.
    TopP(f32),
    /// A min-p beyond 0 to 1.
    MinP(f32),
    /// A typical-p that is not above 0 and at most 1.
    TypicalP(f32),
    /// A repetition penalty that is not above 0, or not finite.
    Repetition(f32),
    /// A presence or frequency penalty that is not finite.
    Penalty(f32),
    /// A bias for a token that the model does not write.
    NoSuchToken {
        /// The token.
        token: u32,
        /// How many tokens it writes.
        vocabulary: usize,
    },
    /// A bias that is NaN or plus infinity.
    Bias {
        /// The token.
        token: u32,
        /// Its bias.
        bias: f32,
    },
    /// There is no memory to count so many tokens.
    Memory {
        /// Tokens of the vocabulary, or of the window if that is larger.
        tokens: usize,
    },
}

impl fmt::Display for SamplingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use SamplingError as E;
        match self {
            E::Temperature(t) => write!(f, "a temperature of {t} cannot be; it is 0 or more"),
            E::TopP(p) => write!(f, "a top-p of {p} is no probability above 0"),
            E::MinP(p) => write!(f, "a min-p of {p} is no share from 0 to 1"),
            E::TypicalP(p) => write!(f, "a typical-p of {p} is no probability above 0"),
            E::Repetition(p) => write!(f, "a repetition penalty of {p} is no number above 0"),
            E::Penalty(p) => write!(f, "a penalty of {p} is not a finite number"),
            E::NoSuchToken { token, vocabulary } => {
                write!(f, "there is no token {token} to bias: the model writes {vocabulary}")
            }
            E::Bias { token, bias } => write!(
                f,
                "token {token} cannot have a bias of {bias}: it is a number, or -inf, which forbids"
            ),
            E::Memory { tokens } => write!(f, "there is no memory to count {tokens} tokens"),
        }
    }
}

impl core::error::Error for SamplingError {}
