//! How xIELU's stored scalars become effective.

use super::Xielu;
use crate::config::raw_xielu::RawXielu;
use crate::kernels::Coefficients;
use crate::numeric::extended::shifted_softplus;

impl RawXielu {
    /// The function of these scalars: `alpha_p = softplus(raw_p)`,
    /// `alpha_n = beta + softplus(raw_n)`, clamped or not. Computed in more than f32, rounded once.
    pub fn freeze(&self, form: Form) -> Xielu {
        let RawXielu { alpha_p, alpha_n, beta, eps } = *self;
        let eps = match form {
            Form::Ideal => 0.0,
            Form::Clamped => eps,
        };
        let coefficients = Coefficients {
            alpha_p: shifted_softplus(alpha_p, 0.0),
            alpha_n: shifted_softplus(alpha_n, beta),
            beta,
            eps,
        };
        Xielu { coefficients, raw: [alpha_p, alpha_n] }
    }
}

/// The two forms of xIELU that stored scalars are evaluated in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Form {
    /// The function of the paper: `f(0) = 0`, no clamp. What models are run with here.
    Ideal,
    /// As Hugging Face evaluates it, clamp included: `expm1(min(x, eps)) - x`. It differs from the
    /// ideal function by at most `alpha_n * |eps|`, for `eps < x <= 0`;
    /// `f(0) = alpha_n * expm1(eps)`.
    Clamped,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::activation::Xiprelu;

    #[test]
    fn paper_init_is_effectively_0_8() {
        let f = RawXielu::PAPER_INIT.freeze(Form::Ideal);
        assert_eq!([f.alpha_p(), f.alpha_n()], [0.8, 0.8]);
        assert_eq!(f.softplus_n(), 0.3);
        assert_eq!(RawXielu::PAPER_INIT.freeze(Form::Clamped).eps(), -1e-6);
        assert_eq!(Xiprelu::freeze(&RawXielu::PAPER_INIT).alpha_n(), 0.3);
    }

    #[test]
    fn softplus_at_its_ends() {
        let freeze =
            |raw| RawXielu { alpha_p: raw, ..RawXielu::PAPER_INIT }.freeze(Form::Ideal).alpha_p();
        assert_eq!(freeze(166.0), 166.0);
        assert_eq!(freeze(f32::MAX), f32::MAX);
        assert_eq!(freeze(0.0), core::f32::consts::LN_2);
        // e^-80 and e^-100 (subnormal); ln(1 + e^r) written plainly gives 0.
        assert_eq!(freeze(-80.0), 1.804_851_4e-35);
        assert_eq!(freeze(-100.0), 3.8e-44);
        assert_eq!(freeze(-200.0), 0.0);
    }
}
