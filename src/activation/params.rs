//! How xIELU's stored scalars become effective.

use super::{Xielu, Xiprelu};
use crate::config::raw_xielu::RawXielu;
use crate::numeric::extended::shifted_softplus;

impl RawXielu {
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
}
