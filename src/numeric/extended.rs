//! The few functions of the core that need more than f32 on the way to an f32.
//!
//! They are computed in f64, except on bare 32-bit targets: there f64 is kilobytes of software,
//! and pairs of f32 serve ([`double_float`](super::double_float)).

/// What frequencies are scaled in.
#[cfg(not(all(target_os = "none", target_pointer_width = "32")))]
pub(crate) type Real = f64;
/// What frequencies are scaled in.
#[cfg(all(target_os = "none", target_pointer_width = "32"))]
pub(crate) type Real = f32;

#[cfg(all(target_os = "none", target_pointer_width = "32"))]
pub(crate) use super::double_float::{power, shifted_softplus, sin_cos};
#[cfg(not(all(target_os = "none", target_pointer_width = "32")))]
pub(crate) use doubles::{power, shifted_softplus, sin_cos};

#[cfg(not(all(target_os = "none", target_pointer_width = "32")))]
mod doubles {
    use crate::numeric::softplus::softplus;

    /// `shift + softplus(x)`, rounded once.
    pub(crate) fn shifted_softplus(x: f32, shift: f32) -> f32 {
        (f64::from(shift) + softplus(x.into())) as f32
    }

    /// `base^-(part / whole)`.
    pub(crate) fn power(base: f32, part: usize, whole: usize) -> f64 {
        libm::exp(-(part as f64 / whole as f64) * libm::log(f64::from(base)))
    }

    /// Sine and cosine.
    pub(crate) fn sin_cos(angle: f32) -> (f32, f32) {
        (libm::sinf(angle), libm::cosf(angle))
    }
}

#[cfg(test)]
mod tests {
    use super::doubles;
    use crate::numeric::double_float as pairs;

    fn ulps(a: f32, b: f32) -> u32 {
        a.to_bits().abs_diff(b.to_bits())
    }

    /// The worst difference in ulp, and how many differ.
    fn compare(pairs: impl Iterator<Item = (f32, f32)>) -> (u32, usize) {
        pairs.fold((0, 0), |(worst, unequal), (a, b)| {
            (worst.max(ulps(a, b)), unequal + usize::from(a != b))
        })
    }

    #[test]
    fn pairs_give_softplus_as_f64_does() {
        let raw = || (-6_000..=17_000).map(|i| i as f32 * 0.010_03);
        for shift in [0.0, 0.5] {
            let both = raw()
                .map(|x| (pairs::shifted_softplus(x, shift), doubles::shifted_softplus(x, shift)));
            let (worst, unequal) = compare(both);
            assert!(worst <= 1 && unequal <= 20, "{worst} ulp, {unequal} differ");
        }
        // Near the smallest normal number the lower parts have no room.
        for x in (-1040..=-600).map(|i| i as f32 * 0.1) {
            let both = (pairs::shifted_softplus(x, 0.0), doubles::shifted_softplus(x, 0.0));
            assert!(ulps(both.0, both.1) <= 1, "{x}");
        }
        for x in [0.0, -0.0, 88.0, 1e30, f32::MAX] {
            assert_eq!(pairs::shifted_softplus(x, 0.0), doubles::shifted_softplus(x, 0.0));
        }
    }

    #[test]
    fn pairs_give_frequencies_as_f64_does() {
        for theta in [1e4, 5e5, 1.2e7] {
            for whole in [16, 48, 64] {
                let both = (0..whole).map(|i| {
                    (pairs::power(theta, i, whole), doubles::power(theta, i, whole) as f32)
                });
                assert_eq!(compare(both), (0, 0), "{theta} {whole}");
            }
        }
    }

    #[test]
    fn pairs_rotate_within_their_bound() {
        let angles = (0..100_000).map(|i| i as f32 * 1.310_7).chain([
            1e-20,
            0.0,
            core::f32::consts::FRAC_PI_4,
        ]);
        for angle in angles {
            let (sin, cos) = pairs::sin_cos(angle);
            let truth = (f64::from(angle).sin(), f64::from(angle).cos());
            let error = (f64::from(sin) - truth.0).abs().max((f64::from(cos) - truth.1).abs());
            assert!(error < 2f64.powi(-23), "{angle}: {error:e}");
        }
    }
}
