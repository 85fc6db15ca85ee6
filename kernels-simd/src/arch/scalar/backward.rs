//! Scalar gradients: one lane.

use super::activation::Scalar;

crate::generic::activation_backward::table!(Scalar);
