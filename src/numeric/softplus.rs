//! Softplus and its derivative in f64.

/// `ln(1 + e^x)`, with full relative accuracy at both ends.
pub fn softplus(x: f64) -> f64 {
    x.max(0.0) + libm::log1p(libm::exp(-x.abs()))
}

/// `1 / (1 + e^-x)`: the derivative of [`softplus`].
pub fn sigmoid(x: f64) -> f64 {
    let e = libm::exp(-x.abs());
    (if x < 0.0 { e } else { 1.0 }) / (1.0 + e)
}
