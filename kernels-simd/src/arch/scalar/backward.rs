//! Scalar gradients: one lane.

use super::token::Scalar;

crate::generic::activation_backward::table!(Scalar);
