//! NEON activations: four lanes.

use super::token::Neon;

crate::generic::activation_forward::table!(Neon);
