//! Which type each tensor gets.

use core::fmt;
use core::str::FromStr;

use crate::checkpoint::{LayerRole, Role};
use crate::kernels::DType;

/// The element types of a converted model, by part. Norms and RoPE factors are always F32.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Types {
    /// `ffn_up` and `ffn_gate`.
    pub up: DType,
    /// `ffn_down`.
    pub down: DType,
    /// The value projections of attention.
    pub attn_v: DType,
    /// The other projections of attention.
    pub rest: DType,
    /// The token embedding; `None` for the default: `rest`, or the output's type where the
    /// embedding is the output head too.
    pub embeddings: Option<DType>,
    /// The output head; `None` for the default: `rest`, but Q6_K where that has fewer bits.
    pub output: Option<DType>,
}

impl Types {
    /// Q4_K with Q5_K in `ffn_down` and the projections of attention, Q6_K in `attn_v` and the
    /// embedding: what paid on an xIELU model, see `docs/QUANTIZATION.md`.
    pub const Q4_K_M: Types = Types {
        down: DType::Q5_K,
        attn_v: DType::Q6_K,
        rest: DType::Q5_K,
        embeddings: Some(DType::Q6_K),
        ..Types::uniform(DType::Q4_K)
    };
    /// Q5_K with Q6_K in attention and the embedding; see `docs/QUANTIZATION.md`.
    pub const Q5_K_M: Types = Types {
        attn_v: DType::Q6_K,
        rest: DType::Q6_K,
        embeddings: Some(DType::Q6_K),
        ..Types::uniform(DType::Q5_K)
    };

    /// `dtype` for everything, as llama.cpp's quantizer does it: of a model with fewer bits, the
    /// output head is Q6_K.
    pub const fn uniform(dtype: DType) -> Self {
        let (embeddings, output) = (None, None);
        Types { up: dtype, down: dtype, attn_v: dtype, rest: dtype, embeddings, output }
    }

    /// The type of the tensor that plays `role`, before looking at its shape.
    pub fn of(&self, role: Role, tied: bool) -> DType {
        let output = self.output.unwrap_or(match self.rest {
            DType::Q4_0 | DType::Q4_1 | DType::Q4_K => DType::Q6_K,
            DType::Q5_0 | DType::Q5_1 | DType::Q5_K => DType::Q6_K,
            DType::Q2_K | DType::Q3_K => DType::Q6_K,
            DType::IQ4_NL | DType::IQ4_XS | DType::MXFP4 => DType::Q6_K,
            other => other,
        });
        match role {
            role if role.is_vector() => DType::F32,
            Role::TokenEmbd => self.embeddings.unwrap_or(if tied { output } else { self.rest }),
            Role::Output => output,
            Role::Layer(_, LayerRole::FfnGate | LayerRole::FfnUp) => self.up,
            Role::Layer(_, LayerRole::FfnDown) => self.down,
            Role::Layer(_, LayerRole::AttnV) => self.attn_v,
            _ => self.rest,
        }
    }

    /// `general.file_type`: llama.cpp's number for a model mostly of this type.
    pub(super) fn file_type(&self) -> u32 {
        let mixed = self.rest != self.up;
        match self.up {
            DType::F32 => 0,
            DType::F16 => 1,
            DType::Q4_0 => 2,
            DType::Q4_1 => 3,
            DType::Q8_0 => 7,
            DType::Q5_0 => 8,
            DType::Q5_1 => 9,
            DType::Q2_K => 10,
            DType::Q3_K => 11,
            DType::Q4_K if mixed => 15,
            DType::Q4_K => 14,
            DType::Q5_K if mixed => 17,
            DType::Q5_K => 16,
            DType::Q6_K => 18,
            DType::IQ4_NL => 25,
            DType::IQ4_XS => 30,
            DType::BF16 => 32,
            // Guessed, which is what llama.cpp calls a file without this knowledge.
            _ => 1024,
        }
    }
}

/// Types by name, smallest first.
pub const DTYPES: [(&str, DType); 16] = [
    ("q2_k", DType::Q2_K),
    ("q3_k", DType::Q3_K),
    ("iq4_xs", DType::IQ4_XS),
    ("mxfp4", DType::MXFP4),
    ("iq4_nl", DType::IQ4_NL),
    ("q4_0", DType::Q4_0),
    ("q4_k", DType::Q4_K),
    ("q4_1", DType::Q4_1),
    ("q5_0", DType::Q5_0),
    ("q5_k", DType::Q5_K),
    ("q5_1", DType::Q5_1),
    ("q6_k", DType::Q6_K),
    ("q8_0", DType::Q8_0),
    ("f16", DType::F16),
    ("bf16", DType::BF16),
    ("f32", DType::F32),
];

/// Mixtures of types by name.
pub const RECIPES: [(&str, Types); 2] = [("q4_k_m", Types::Q4_K_M), ("q5_k_m", Types::Q5_K_M)];

/// A name that is neither of a type nor of a mixture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownType;

impl fmt::Display for UnknownType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("unknown type; known are")?;
        let dtypes = DTYPES.iter().map(|(name, _)| *name);
        dtypes
            .chain(RECIPES.iter().map(|(name, _)| *name))
            .try_for_each(|name| write!(f, " {name}"))
    }
}

impl core::error::Error for UnknownType {}

/// [`RECIPES`], and [`DTYPES`] for everything; upper and lower case are the same.
impl FromStr for Types {
    type Err = UnknownType;

    fn from_str(name: &str) -> Result<Self, UnknownType> {
        let uniform = DTYPES.into_iter().map(|(name, dtype)| (name, Types::uniform(dtype)));
        let mut all = uniform.chain(RECIPES);
        let found = all.find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, types)| types).ok_or(UnknownType)
    }
}

/// `wanted`, or a type that holds rows of `cols` where these are not whole blocks: Q8_0 for Q4_K to
/// Q6_K, IQ4_NL for the smaller types of 256 values, else F16. (llama.cpp, too, falls back to a type
/// with blocks of 32 and then to F16; of Q4_K and Q5_K to Q5_0 and Q5_1, which lose more than Q8_0.)
pub(super) fn fitting(wanted: DType, cols: usize) -> DType {
    let fits = |dtype: &DType| dtype.row_bytes(cols).is_some();
    let second = match wanted {
        DType::Q4_K | DType::Q5_K | DType::Q6_K => DType::Q8_0,
        DType::Q2_K | DType::Q3_K | DType::IQ4_XS => DType::IQ4_NL,
        _ => DType::F16,
    };
    [wanted, second].into_iter().find(fits).unwrap_or(DType::F16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_llama_cpps() {
        let q4 = Types::uniform(DType::Q4_0);
        assert_eq!(q4.of(Role::Output, false), DType::Q6_K);
        assert_eq!(q4.of(Role::TokenEmbd, false), DType::Q4_0);
        assert_eq!(q4.of(Role::TokenEmbd, true), DType::Q6_K);
        assert_eq!(q4.of(Role::RopeFreqs, true), DType::F32);
        assert_eq!(q4.of(Role::Layer(0, LayerRole::AttnKNorm), true), DType::F32);
        let mixed = Types { rest: DType::BF16, embeddings: Some(DType::Q8_0), ..q4 };
        assert_eq!(mixed.of(Role::Layer(3, LayerRole::FfnDown), false), DType::Q4_0);
        assert_eq!(mixed.of(Role::Layer(3, LayerRole::AttnQ), false), DType::BF16);
        assert_eq!(mixed.of(Role::Layer(3, LayerRole::AttnV), false), DType::Q4_0);
        assert_eq!(mixed.of(Role::TokenEmbd, true), DType::Q8_0);
        assert_eq!(mixed.of(Role::Output, false), DType::BF16);
        let q8 = Types::uniform(DType::Q8_0);
        assert_eq!(q8.of(Role::Output, false), DType::Q8_0);
        assert_eq!((Types::Q4_K_M.file_type(), Types::Q5_K_M.file_type()), (15, 17));
    }

    #[test]
    fn types_have_names() {
        assert_eq!("Q4_K_M".parse(), Ok(Types::Q4_K_M));
        assert_eq!("bf16".parse(), Ok(Types::uniform(DType::BF16)));
        assert_eq!("q4".parse::<Types>(), Err(UnknownType));
    }

    #[test]
    fn rows_that_do_not_fit() {
        assert_eq!(fitting(DType::Q4_0, 96), DType::Q4_0);
        assert_eq!(fitting(DType::Q4_0, 100), DType::F16);
        assert_eq!(fitting(DType::F32, 1), DType::F32);
        assert_eq!(fitting(DType::Q4_K, 512), DType::Q4_K);
        assert_eq!(fitting(DType::Q5_K, 96), DType::Q8_0);
        assert_eq!(fitting(DType::Q6_K, 100), DType::F16);
        assert_eq!(fitting(DType::Q2_K, 96), DType::IQ4_NL);
        assert_eq!(fitting(DType::IQ4_XS, 100), DType::F16);
        assert_eq!(fitting(DType::MXFP4, 100), DType::F16);
    }
}
