//! What is compiled: everything, unless the build of a small target (32 bits, no vectors) names
//! what it needs, as names in `XIELU_TYPES` and `XIELU_ACTIVATIONS`. What is not named is not
//! linked, and an error where it is used.

use crate::block::DType;
pub use crate::block::UNPACKED;

/// Whether this target has one set of kernels, the scalar one, and little room for it: each kernel
/// is called by its name, so that only those in use are linked, and has one form.
pub(crate) const SMALL: bool = cfg!(xielu_small);

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
