//! Which tokens may be drawn: top-k, top-p, min-p, typical-p.

use libm::{exp, log};

use super::sampler::{kept, largest, order, select, select_by};

/// Forbids unlikely tokens: top-k, top-p, min-p and typical-p, in this order, which is
/// transformers', each on what the one before has left. Equals of the last token left are left,
/// too.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cuts {
    /// Divides the logits before they become probabilities; 0 forbids nothing, since the likeliest
    /// token is taken then.
    pub temperature: f32,
    /// Only the k most likely tokens; 0 is all.
    pub top_k: usize,
    /// Only the most likely tokens that together reach this probability; 1 is all.
    pub top_p: f32,
    /// Only tokens of at least this share of the likeliest token's probability (Nguyen et al., arXiv
    /// 2407.01082); 0 is all.
    pub min_p: f32,
    /// Only the tokens whose surprise `-ln p` is closest to its expectation (Meister et al., arXiv
    /// 2202.00666) and that together reach this probability; 1 is all.
    pub typical_p: f32,
}

impl Cuts {
    /// Makes the logits of forbidden tokens minus infinity. The others stay as they are: they are
    /// not divided by the temperature. Nothing happens where a logit is plus infinity, or none is
    /// above minus infinity.
    pub fn apply(&self, logits: &mut [f32]) {
        let Cuts { temperature, top_k, top_p, min_p, typical_p } = *self;
        let Some((_, largest)) = largest(logits) else { return };
        if temperature.is_nan() || temperature <= 0.0 || !largest.is_finite() {
            return;
        }
        // The logit over the temperature, less the largest.
        let over = |l: f32| f64::from(l - largest) / f64::from(temperature);
        let weight = |l: f32| exp(over(l));
        let mass = |logits: &[f32], threshold| -> f64 {
            kept(logits, threshold).map(|(_, l)| weight(l)).sum()
        };
        let mut threshold = 0;
        if top_k > 0 && top_k < logits.len() {
            threshold = select(logits, threshold, top_k as f64, |_| 1.0);
        }
        if top_p < 1.0 {
            let target = f64::from(top_p) * mass(logits, threshold);
            threshold = select(logits, threshold, target, weight);
        }
        let min_p = f64::from(min_p);
        let below = |l: f32| order(l) < threshold || (min_p > 0.0 && weight(l) < min_p);
        if threshold > 0 || min_p > 0.0 {
            forbid(logits, below);
        }
        if typical_p < 1.0 {
            let total = mass(logits, 0);
            let log_total = log(total);
            // The entropy: what a token's surprise is on average.
            let entropy: f64 = kept(logits, 0)
                .filter(|&(_, l)| l.is_finite())
                .map(|(_, l)| weight(l) / total * (log_total - over(l)))
                .sum();
            let typical = |l: f32| -(log_total - over(l) - entropy).abs() as f32;
            let threshold = select_by(logits, 0, f64::from(typical_p) * total, typical, weight);
            forbid(logits, |l| order(typical(l)) < threshold);
        }
    }
}

/// Forbids the tokens of these logits. (NaN stays, and is an error later.)
fn forbid(logits: &mut [f32], is_forbidden: impl Fn(f32) -> bool) {
    for logit in logits {
        if !logit.is_nan() && is_forbidden(*logit) {
            *logit = f32::NEG_INFINITY;
        }
    }
}
