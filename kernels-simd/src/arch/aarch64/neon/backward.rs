//! NEON gradients: four lanes.

use super::token::Neon;

crate::generic::activation_backward::table!(Neon);
