//! The activation maths, once.

mod params;

pub use params::{RawXielu, Xielu};
