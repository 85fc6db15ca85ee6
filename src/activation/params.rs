//! xIELU's learned scalars as checkpoints store them, and how they become effective.

use super::{Xielu, Xiprelu};
use crate::Error;
use crate::numeric::extended::shifted_softplus;

/// The scalars of one layer as trained and stored: **before** softplus.
///
/// Using them without softplus gives fluent nonsense and no error, so they and the effective
/// ones ([`Xielu`]) are different types.
#[derive(Clone, Copy, Debug, PartialEq)]
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
    /// What training starts from: effective `alpha_p = alpha_n = 0.8`, `beta = 0.5` (arXiv
    /// 2411.13010, section 3).
    pub const PAPER_INIT: RawXielu =
        RawXielu { alpha_p: 0.203_382_33, alpha_n: -1.050_225_6, beta: 0.5, eps: -1e-6 };

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

    /// The ideal function: `alpha_p = softplus(raw_p)`, `alpha_n = beta + softplus(raw_n)`, no
    /// clamp. Computed in more than f32, rounded once.
    pub fn freeze(&self) -> Xielu {
        Xielu {
            alpha_p: shifted_softplus(self.alpha_p, 0.0),
            alpha_n: shifted_softplus(self.alpha_n, self.beta),
            softplus_n: shifted_softplus(self.alpha_n, 0.0),
            beta: self.beta,
            eps: 0.0,
        }
    }

    /// The function as Hugging Face evaluates it, clamp included: `expm1(min(x, eps)) - x`. It
    /// differs from [`RawXielu::freeze`] by at most `alpha_n * |eps|`, for `eps < x <= 0`;
    /// `f(0) = alpha_n * expm1(eps)`.
    pub fn freeze_with_eps(&self) -> Xielu {
        Xielu { eps: self.eps, ..self.freeze() }
    }

    /// The scalars of an xIPReLU layer: `alpha_p = softplus(raw_p)`, `alpha_n = softplus(raw_n)`.
    pub fn freeze_xiprelu(&self) -> Xiprelu {
        Xiprelu {
            alpha_p: shifted_softplus(self.alpha_p, 0.0),
            alpha_n: shifted_softplus(self.alpha_n, 0.0),
            beta: self.beta,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paper_init_is_effectively_0_8() {
        let f = RawXielu::PAPER_INIT.freeze();
        assert_eq!([f.alpha_p(), f.alpha_n()], [0.8, 0.8]);
        assert_eq!(f.softplus_n(), 0.3);
        assert_eq!(RawXielu::PAPER_INIT.freeze_with_eps().eps(), -1e-6);
        assert_eq!(RawXielu::PAPER_INIT.freeze_xiprelu().alpha_n(), 0.3);
    }

    #[test]
    fn softplus_at_its_ends() {
        let freeze = |raw| RawXielu { alpha_p: raw, ..RawXielu::PAPER_INIT }.freeze().alpha_p();
        assert_eq!(freeze(166.0), 166.0);
        assert_eq!(freeze(f32::MAX), f32::MAX);
        assert_eq!(freeze(0.0), core::f32::consts::LN_2);
        // e^-80 and e^-100 (subnormal); ln(1 + e^r) written plainly gives 0.
        assert_eq!(freeze(-80.0), 1.804_851_4e-35);
        assert_eq!(freeze(-100.0), 3.8e-44);
        assert_eq!(freeze(-200.0), 0.0);
    }

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
