//! NEON gradients: four lanes.

use super::activation::Neon;

crate::backward::table!(Neon);
