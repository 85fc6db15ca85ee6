//! The activations and their gradients: accuracy, conformance, the same bits everywhere.

mod accuracy;
mod backward;
mod cases;
mod gradients;
mod half;
#[cfg(feature = "micromath")]
mod rough;
mod slices;
mod stored;
mod vectors;
