//! Scalar activations: one lane.

use super::token::Scalar;

crate::generic::activation_forward::table!(Scalar);
