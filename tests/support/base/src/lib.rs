//! What tests share that needs nothing of the library, which unit tests cannot link a second time.
//! Not published.

pub mod isas;
pub mod noise;
pub mod require;
pub mod ulp;
