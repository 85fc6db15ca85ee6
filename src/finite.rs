//! Values that are no numbers any more: where they first appeared, and how they are found.

use core::fmt;

use crate::llama::KvType;

/// Where the values of a decoder first were NaN, infinite, or too large to be normalised (the sum
/// of their squares is beyond f32).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NonFinite {
    /// In the embedding of one of the tokens.
    Embedding,
    /// In the attention of this layer: its norms, queries, keys, values or what comes of them.
    Attention(usize),
    /// In the MLP of this layer.
    Mlp(usize),
    /// In the KV cache: keys or values of this layer are finite, and too large for its type.
    KvCache {
        /// The layer.
        layer: usize,
        /// The type of the cache.
        kv_type: KvType,
    },
    /// In the logits, after layers whose values are finite: that of this token is the first.
    Logit {
        /// The token's id.
        token: usize,
    },
}

impl fmt::Display for NonFinite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const WRONG: &str = "NaN, infinite or too large";
        match self {
            NonFinite::Embedding => write!(f, "the embedding of a token is {WRONG}"),
            NonFinite::Attention(layer) => {
                write!(f, "layer {layer}: values of its attention are {WRONG}")
            }
            NonFinite::Mlp(layer) => write!(f, "layer {layer}: values of its MLP are {WRONG}"),
            NonFinite::KvCache { layer, kv_type } => {
                let (name, wider) = (kv_type.name(), kv_type.wider().name());
                write!(
                    f,
                    "layer {layer}: a key or value is too large for a KV cache of type {name}; \
                     {wider} can hold it"
                )
            }
            NonFinite::Logit { token } => {
                write!(f, "the logit of token {token} is NaN or infinite")
            }
        }
    }
}

/// The exponent of what is not finite, in an f32's bits.
const EXPONENT: u32 = 0x7f80_0000;

/// The index of the first value that is NaN or infinite. On integers: a comparison of floats is a
/// call where there is no FPU.
pub(crate) fn first_bad(x: &[f32]) -> Option<usize> {
    if all_finite(x) { None } else { x.iter().position(|v| !is_finite(*v)) }
}

/// Whether no value is NaN or infinite; without a branch for each, so that it is vectorised.
pub(crate) fn all_finite(x: &[f32]) -> bool {
    // The exponent of the largest magnitude: magnitudes order like their bits.
    x.iter().fold(0, |largest, v| (v.to_bits() & EXPONENT).max(largest)) < EXPONENT
}

/// As [`f32::is_finite`], on integers.
pub(crate) const fn is_finite(x: f32) -> bool {
    x.to_bits() & EXPONENT < EXPONENT
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finite_is_what_the_standard_library_calls_so() {
        for bits in (0..=u32::MAX).step_by(0xfff1) {
            let x = f32::from_bits(bits);
            assert_eq!(is_finite(x), x.is_finite(), "{x}");
            assert_eq!(all_finite(&[0.0, x, f32::MAX, f32::MIN]), x.is_finite(), "{x}");
        }
        assert_eq!(first_bad(&[]), None);
        assert_eq!(first_bad(&[1.0, f32::MIN, -0.0]), None);
        for bad in [f32::NAN, -f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            assert_eq!(first_bad(&[1.0, bad, bad]), Some(1));
        }
    }
}
