//! Arithmetic below the activations: wider than f32, softplus and sigmoid, what is finite.

#[cfg(any(test, all(target_os = "none", target_pointer_width = "32")))]
mod double_float;
pub(crate) mod extended;
pub(crate) mod finite;
pub(crate) mod softplus;
