//! An activation's scalars as checkpoints store them.

use crate::Error;

/// The scalars of one layer as trained and stored: **before** softplus.
///
/// Using them without softplus gives fluent nonsense and no error, so they and the effective
/// ones ([`Xielu`](crate::Xielu)) are different types.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct RawXielu {
    /// Before softplus.
    pub alpha_p: f32,
    /// Before softplus and before `beta` is added.
    pub alpha_n: f32,
    /// Slope at 0; 0.5 in every released model.
    pub beta: f32,
    /// The reference's clamp; -1e-6 in every released model.
    pub eps: f32,
}

impl RawXielu {
    /// Where a checkpoint stores no `beta`: the value of every released model.
    pub(crate) const BETA: f32 = 0.5;
    /// Where a checkpoint stores no `eps`, likewise.
    pub(crate) const EPS: f32 = -1e-6;

    /// What training starts from: effective `alpha_p = alpha_n = 0.8`, `beta = 0.5` (arXiv
    /// 2411.13010, section 3).
    pub const PAPER_INIT: RawXielu =
        RawXielu { alpha_p: 0.203_382_33, alpha_n: -1.050_225_6, beta: Self::BETA, eps: Self::EPS };

    /// The same scalars, if they are usable.
    ///
    /// # Errors
    /// [`Error::Parameter`] naming the first that is not finite, and a positive `eps`.
    pub fn checked(self) -> Result<Self, Error> {
        let named = [
            ("alpha_p", self.alpha_p),
            ("alpha_n", self.alpha_n),
            ("beta", self.beta),
            ("eps", self.eps),
        ];
        if let Some((name, _)) = named.into_iter().find(|(_, value)| !value.is_finite()) {
            return Err(Error::Parameter { name, problem: "is not finite" });
        }
        if self.eps > 0.0 {
            return Err(Error::Parameter { name: "eps", problem: "is positive" });
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unusable_scalars_are_named() {
        let init = RawXielu::PAPER_INIT;
        assert_eq!(init.checked(), Ok(init));
        let cases = [
            (RawXielu { alpha_p: f32::NAN, ..init }, "alpha_p"),
            (RawXielu { alpha_n: f32::INFINITY, ..init }, "alpha_n"),
            (RawXielu { beta: f32::NEG_INFINITY, ..init }, "beta"),
            (RawXielu { eps: f32::NAN, ..init }, "eps"),
        ];
        for (raw, name) in cases {
            let problem = "is not finite";
            assert_eq!(raw.checked(), Err(Error::Parameter { name, problem }));
        }
        let positive = RawXielu { eps: 1e-6, ..init };
        assert_eq!(
            positive.checked(),
            Err(Error::Parameter { name: "eps", problem: "is positive" })
        );
    }
}
