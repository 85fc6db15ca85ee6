//! Scalar gradients: one lane.

use super::activation::Scalar;

crate::backward::table!(Scalar);
