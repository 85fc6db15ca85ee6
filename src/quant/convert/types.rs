//! Which type each tensor gets.

use crate::checkpoint::{LayerRole, Role};
use crate::kernels::DType;

/// The element types of a converted model, by part. Norms and RoPE factors are always F32.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Types {
    /// `ffn_up`, `ffn_down`, `ffn_gate`.
    pub mlp: DType,
    /// The attention projections.
    pub rest: DType,
    /// The token embedding; `None` for the default: `rest`, or the output's type where the
    /// embedding is the output head too.
    pub embeddings: Option<DType>,
    /// The output head; `None` for the default: `rest`, but Q8_0 where that is Q4_0.
    pub output: Option<DType>,
}

impl Types {
    /// `dtype` for everything, as llama.cpp's quantizer does it: of a Q4_0 model, the output
    /// head is Q8_0.
    pub const fn uniform(dtype: DType) -> Self {
        Types { mlp: dtype, rest: dtype, embeddings: None, output: None }
    }

    /// The type of the tensor that plays `role`, before looking at its shape.
    pub fn of(&self, role: Role, tied: bool) -> DType {
        let output = self.output.unwrap_or(match self.rest {
            DType::Q4_0 => DType::Q8_0,
            other => other,
        });
        match role {
            role if role.is_vector() => DType::F32,
            Role::TokenEmbd => self.embeddings.unwrap_or(if tied { output } else { self.rest }),
            Role::Output => output,
            Role::Layer(_, LayerRole::FfnGate | LayerRole::FfnUp | LayerRole::FfnDown) => self.mlp,
            _ => self.rest,
        }
    }

    /// `general.file_type`: llama.cpp's number for a model mostly of this type.
    pub(super) fn file_type(&self) -> u32 {
        match self.mlp {
            DType::F32 => 0,
            DType::F16 => 1,
            DType::Q4_0 => 2,
            DType::Q8_0 => 7,
            DType::BF16 => 32,
            // Guessed, which is what llama.cpp calls a file without this knowledge.
            _ => 1024,
        }
    }
}

/// `wanted`, or F16 where a row is not a whole number of its blocks (as llama.cpp falls back).
pub(super) fn fitting(wanted: DType, cols: usize) -> DType {
    if wanted.row_bytes(cols).is_some() { wanted } else { DType::F16 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_llama_cpps() {
        let q4 = Types::uniform(DType::Q4_0);
        assert_eq!(q4.of(Role::Output, false), DType::Q8_0);
        assert_eq!(q4.of(Role::TokenEmbd, false), DType::Q4_0);
        assert_eq!(q4.of(Role::TokenEmbd, true), DType::Q8_0);
        assert_eq!(q4.of(Role::RopeFreqs, true), DType::F32);
        assert_eq!(q4.of(Role::Layer(0, LayerRole::AttnKNorm), true), DType::F32);
        let mixed = Types { rest: DType::BF16, embeddings: Some(DType::Q8_0), ..q4 };
        assert_eq!(mixed.of(Role::Layer(3, LayerRole::FfnDown), false), DType::Q4_0);
        assert_eq!(mixed.of(Role::Layer(3, LayerRole::AttnQ), false), DType::BF16);
        assert_eq!(mixed.of(Role::TokenEmbd, true), DType::Q8_0);
        assert_eq!(mixed.of(Role::Output, false), DType::BF16);
    }

    #[test]
    fn rows_that_do_not_fit_become_f16() {
        assert_eq!(fitting(DType::Q4_0, 96), DType::Q4_0);
        assert_eq!(fitting(DType::Q4_0, 100), DType::F16);
        assert_eq!(fitting(DType::F32, 1), DType::F32);
    }
}
