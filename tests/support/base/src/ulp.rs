//! Errors in units of the spacing of f32.

/// The spacing of f32 in the binade of `v`: that of normal numbers, whatever `v` is.
pub fn spacing(v: f64) -> f64 {
    let exponent = (v.abs().to_bits() >> 52) as i32 - 1023;
    f64::exp2(f64::from(exponent.clamp(-126, 127) - 23))
}

/// `|found - truth|` in units of the spacing of f32 at `term`. What is beyond the range of f32 counts
/// as 2^128, so that an overflow where the truth overflows is no error.
///
/// # Panics
/// If one of `found` and `truth` is NaN and the other is not.
pub fn error(found: f64, truth: f64, term: f64) -> f64 {
    const BEYOND: f64 = f64::from_bits((1023 + 128) << 52);
    assert_eq!(found.is_nan(), truth.is_nan(), "{found} for {truth}");
    if truth.is_nan() {
        return 0.0;
    }
    (found.clamp(-BEYOND, BEYOND) - truth.clamp(-BEYOND, BEYOND)).abs() / spacing(term)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_spacing_is_that_of_f32() {
        for v in [1.0f32, 1.5, 3.0, 1e-20, 1e30, f32::MIN_POSITIVE] {
            assert_eq!(spacing(v.into()), f64::from(v.next_up()) - f64::from(v));
        }
        assert_eq!(spacing(0.0), f64::from(f32::from_bits(1)));
        assert_eq!(spacing(f64::INFINITY), spacing(f32::MAX.into()));
    }

    #[test]
    fn errors_are_counted_and_overflows_are_compared() {
        let one_up = f64::from(1f32.next_up());
        assert_eq!(error(one_up, 1.0, 1.0), 1.0);
        assert_eq!(error(one_up, 1.0, 4.0), 0.25);
        assert_eq!(error(f64::INFINITY, 1e300, 1e300), 0.0);
        assert!(error(f64::INFINITY, f32::MAX.into(), 1e300) == 1.0);
        assert!(error(1.0, f64::INFINITY, 1.0) > 1e30);
        assert_eq!(error(f64::NAN, f64::NAN, 1.0), 0.0);
    }

    #[test]
    #[should_panic = "NaN for 1"]
    fn a_nan_is_no_number() {
        error(f64::NAN, 1.0, 1.0);
    }
}
