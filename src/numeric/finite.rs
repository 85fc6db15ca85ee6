//! Whether values are finite: on the bits of their exponents.

/// The exponent of what is not finite, in an f32's bits.
const EXPONENT: u32 = 0x7f80_0000;

/// The index of the first value that is NaN or infinite. On integers: a comparison of floats is a
/// call where there is no FPU.
pub(crate) fn first_bad(x: &[f32]) -> Option<usize> {
    if all_finite(x) { None } else { x.iter().position(|v| !is_finite(*v)) }
}

/// Whether no value is NaN or infinite; without a branch for each, so that it is vectorised.
pub(crate) fn all_finite(x: &[f32]) -> bool {
    // The exponent of the largest magnitude: magnitudes order like their bits.
    x.iter().fold(0, |largest, v| (v.to_bits() & EXPONENT).max(largest)) < EXPONENT
}

/// As [`f32::is_finite`], on integers.
pub(crate) const fn is_finite(x: f32) -> bool {
    x.to_bits() & EXPONENT < EXPONENT
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finite_is_what_the_standard_library_calls_so() {
        for bits in (0..=u32::MAX).step_by(0xfff1) {
            let x = f32::from_bits(bits);
            assert_eq!(is_finite(x), x.is_finite(), "{x}");
            assert_eq!(all_finite(&[0.0, x, f32::MAX, f32::MIN]), x.is_finite(), "{x}");
        }
        assert_eq!(first_bad(&[]), None);
        assert_eq!(first_bad(&[1.0, f32::MIN, -0.0]), None);
        for bad in [f32::NAN, -f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            assert_eq!(first_bad(&[1.0, bad, bad]), Some(1));
        }
    }
}
