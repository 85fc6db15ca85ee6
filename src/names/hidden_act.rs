//! The activations of a model's MLP.

use crate::kernels::built;

/// Which function the MLP applies between its projections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HiddenAct {
    /// `down(xielu(up(x)))`.
    Xielu,
    /// `down(xiprelu(up(x)))`.
    Xiprelu,
    /// `down(relu(up(x))^2)`.
    Relu2,
    /// `down(silu(gate(x)) * up(x))`.
    Swiglu,
}

impl HiddenAct {
    /// Whether the MLP has a third matrix, `gate_proj`.
    pub const fn is_gated(self) -> bool {
        matches!(self, HiddenAct::Swiglu)
    }

    /// Whether it is compiled; see [`built`].
    pub const fn is_built(self) -> bool {
        match self {
            HiddenAct::Xielu => built::XIELU,
            HiddenAct::Xiprelu => built::XIPRELU,
            HiddenAct::Relu2 => built::RELU2,
            HiddenAct::Swiglu => built::SWIGLU,
        }
    }

    /// Whether every layer stores `alpha_p` and `alpha_n`.
    pub const fn has_alphas(self) -> bool {
        matches!(self, HiddenAct::Xielu | HiddenAct::Xiprelu)
    }
}
