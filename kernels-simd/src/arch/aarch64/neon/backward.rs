//! NEON gradients: four lanes.

use super::activation::Neon;

crate::generic::activation_backward::table!(Neon);
