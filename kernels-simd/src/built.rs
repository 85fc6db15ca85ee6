//! What is compiled: everything, unless the build of a small target (32 bits, no vectors) names what
//! it needs, as names in `XIELU_TYPES` and `XIELU_ACTIVATIONS`. What is not named is not linked,
//! and an error where it is met.

use crate::block::DType;

/// xIELU.
pub const XIELU: bool = !cfg!(xielu_without = "xielu");
/// xIPReLU.
pub const XIPRELU: bool = !cfg!(xielu_without = "xiprelu");
/// ReLU^2.
pub const RELU2: bool = !cfg!(xielu_without = "relu2");
/// The gated MLP.
pub const SWIGLU: bool = !cfg!(xielu_without = "swiglu");
pub(crate) const SILU: bool = !cfg!(xielu_without = "silu");
pub(crate) const ELU: bool = !cfg!(xielu_without = "elu");
pub(crate) const XSILU: bool = !cfg!(xielu_without = "xsilu");

/// The KV cache in Q8_0: sums of such rows. It takes Q8_0 products too.
pub const Q8_0_KV: bool = DType::Q8_0.is_built() && !cfg!(xielu_without = "Q8_0_KV");

const FLOATS: bool = DType::F32.is_built() || DType::F16.is_built() || DType::BF16.is_built();
const QUANTIZED: bool = DType::Q8_0.is_built()
    || DType::Q4_0.is_built()
    || DType::Q4_K.is_built()
    || DType::Q5_K.is_built()
    || DType::Q6_K.is_built();

impl DType {
    /// Whether products with such weights are compiled.
    pub const fn is_built(self) -> bool {
        match self {
            DType::F32 => !cfg!(xielu_without = "F32"),
            DType::F16 => !cfg!(xielu_without = "F16"),
            DType::BF16 => !cfg!(xielu_without = "BF16"),
            DType::Q8_0 => !cfg!(xielu_without = "Q8_0"),
            DType::Q4_0 => !cfg!(xielu_without = "Q4_0"),
            DType::Q4_K => !cfg!(xielu_without = "Q4_K"),
            DType::Q5_K => !cfg!(xielu_without = "Q5_K"),
            DType::Q6_K => !cfg!(xielu_without = "Q6_K"),
        }
    }

    /// Whether matrices can be of this type. Vectors are f32 in every file.
    pub(crate) const fn is_readable(self) -> bool {
        matches!(self, DType::F32) || self.is_built()
    }

    /// Whether products take their other operand as [`crate::InputBlock`]s, of the types that are
    /// compiled.
    pub(crate) const fn takes_blocks(self) -> bool {
        QUANTIZED && (!FLOATS || self.is_quantized())
    }
}
