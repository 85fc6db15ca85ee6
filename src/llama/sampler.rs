//! From logits to the next token: greedy, or drawn with temperature, top-k and top-p.
//!
//! No sorting and no scratch: a threshold on the logits is found by counting (top-k) or adding
//! up probability (top-p) over the bits of the ordered float representation, 8 bits a pass.

use libm::exp;

use crate::Error;
use crate::NonFinite;
use crate::kernels::LengthError;
use crate::numeric::finite::is_finite;

/// How tokens are drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct SamplerOptions {
    /// Divides the logits; 0 is greedy.
    pub temperature: f32,
    /// Only the k most likely tokens; 0 is all.
    pub top_k: usize,
    /// Only the most likely tokens that together reach this probability; 1 is all.
    pub top_p: f32,
    /// The same seed draws the same tokens.
    pub seed: u64,
}

impl Default for SamplerOptions {
    /// Greedy.
    fn default() -> Self {
        SamplerOptions { temperature: 0.0, top_k: 0, top_p: 1.0, seed: 0 }
    }
}

/// Draws tokens.
#[derive(Clone, Debug)]
pub struct Sampler {
    options: SamplerOptions,
    state: u64,
}

/// The index of the largest value, the first of equals; NaN is never chosen. `None` if no value is
/// above minus infinity.
pub fn argmax(logits: &[f32]) -> Option<u32> {
    largest(logits).and_then(|(i, _)| u32::try_from(i).ok())
}

/// As [`argmax`], with the value.
pub(super) fn largest(logits: &[f32]) -> Option<(usize, f32)> {
    let (mut at, mut largest) = (None, f32::NEG_INFINITY);
    for (i, &l) in logits.iter().enumerate() {
        if l > largest {
            (at, largest) = (Some(i), l);
        }
    }
    at.map(|i| (i, largest))
}

impl Sampler {
    /// A sampler at the start of its random sequence.
    pub const fn new(options: SamplerOptions) -> Self {
        Sampler { options, state: options.seed }
    }

    /// Whether it takes the likeliest token.
    pub(super) fn is_greedy(&self) -> bool {
        let temperature = self.options.temperature;
        temperature.is_nan() || temperature <= 0.0
    }

    /// The next token's id, from its logits. One of minus infinity forbids its token.
    ///
    /// # Errors
    /// [`Error::NonFinite`] if a logit is NaN or plus infinity; [`Error::NothingToDraw`] if all are
    /// minus infinity; [`Error::Length`] if there is none.
    pub fn sample(&mut self, logits: &[f32]) -> Result<u32, Error> {
        let o = self.options;
        let forbidden = |l: f32| l.to_bits() == f32::NEG_INFINITY.to_bits();
        let bad = logits.iter().position(|&l| !is_finite(l) && !forbidden(l));
        if let Some(token) = bad {
            return Err(Error::NonFinite(NonFinite::Logit { token }));
        }
        let Some((greedy, largest)) = largest(logits) else {
            let none = LengthError { expected: 1, found: 0 };
            return Err(if logits.is_empty() { none.into() } else { Error::NothingToDraw });
        };
        let greedy = u32::try_from(greedy).unwrap_or(u32::MAX);
        if self.is_greedy() {
            return Ok(greedy);
        }
        let weight = |l: f32| exp(f64::from(l - largest) / f64::from(o.temperature));
        let mut threshold = 0;
        if o.top_k > 0 && o.top_k < logits.len() {
            threshold = select(logits, threshold, o.top_k as f64, |_| 1.0);
        }
        if o.top_p < 1.0 {
            let mass: f64 = kept(logits, threshold).map(|(_, l)| weight(l)).sum();
            threshold = select(logits, threshold, f64::from(o.top_p.max(0.0)) * mass, weight);
        }
        Ok(self.draw(logits, threshold, weight).unwrap_or(greedy))
    }

    /// One of the kept tokens, by its weight; none of minus infinity, however sums are rounded.
    fn draw(&mut self, logits: &[f32], threshold: u32, weight: impl Fn(f32) -> f64) -> Option<u32> {
        let threshold = threshold.max(LEAST);
        let mass: f64 = kept(logits, threshold).map(|(_, l)| weight(l)).sum();
        let mut left = self.uniform() * mass;
        let mut last = None;
        for (i, l) in kept(logits, threshold) {
            last = Some(i);
            left -= weight(l);
            if left < 0.0 {
                break;
            }
        }
        last.and_then(|i| u32::try_from(i).ok())
    }

    /// Uniform in 0 .. 1. SplitMix64 (Steele, Lea, Flood, OOPSLA 2014).
    fn uniform(&mut self) -> f64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// The order of the least number above minus infinity.
const LEAST: u32 = 0x0080_0000;

/// Bits that order as the floats do; NaN is 0, below every number.
pub(super) fn order(l: f32) -> u32 {
    let bits = l.to_bits();
    match (l.is_nan(), bits >> 31) {
        (true, _) => 0,
        (false, 0) => bits | 0x8000_0000,
        (false, _) => !bits,
    }
}

/// Tokens at or above a threshold in [`order`]; never NaN.
pub(super) fn kept(logits: &[f32], threshold: u32) -> impl Iterator<Item = (usize, f32)> {
    let at_least = threshold.max(1);
    logits.iter().copied().enumerate().filter(move |&(_, l)| order(l) >= at_least)
}

/// The highest threshold at which the kept tokens weigh at least `target` together. Equals of
/// the last token kept are kept too.
pub(super) fn select(logits: &[f32], floor: u32, target: f64, weight: impl Fn(f32) -> f64) -> u32 {
    select_by(logits, floor, target, |l| l, weight)
}

/// As [`select`], of another value of each token than its logit: the threshold is one of that.
pub(super) fn select_by(
    logits: &[f32],
    floor: u32,
    target: f64,
    value: impl Fn(f32) -> f32,
    weight: impl Fn(f32) -> f64,
) -> u32 {
    let mut prefix = 0u32;
    let mut above = 0.0;
    for shift in [24u32, 16, 8, 0] {
        let mut buckets = [0.0f64; 256];
        for &l in logits {
            let key = order(value(l));
            if key < floor.max(1) {
                continue;
            }
            let same_prefix = shift == 24 || (key ^ prefix) >> (shift + 8) == 0;
            let bucket = usize::from((key >> shift) as u8);
            if let (true, Some(b)) = (same_prefix, buckets.get_mut(bucket)) {
                *b += weight(l);
            }
        }
        let mut chosen = 0;
        for (i, &b) in buckets.iter().enumerate().rev() {
            if b > 0.0 {
                chosen = i as u32;
                if above + b >= target {
                    break;
                }
                above += b;
            }
        }
        prefix |= chosen << shift;
    }
    prefix.max(floor)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec;
    use std::vec::Vec;

    const LOGITS: [f32; 6] = [1.0, -1e30, 3.0, -2.0, 2.5, f32::NEG_INFINITY];

    fn counts(options: SamplerOptions, n: usize) -> Vec<usize> {
        let mut sampler = Sampler::new(options);
        let mut counts = vec![0; LOGITS.len()];
        for _ in 0..n {
            counts[sampler.sample(&LOGITS).unwrap() as usize] += 1;
        }
        counts
    }

    #[test]
    fn greedy_takes_the_first_largest() {
        assert_eq!(argmax(&LOGITS), Some(2));
        assert_eq!(argmax(&[0.0, 5.0, 5.0]), Some(1));
        assert_eq!(argmax(&[f32::NAN, -1.0]), Some(1));
        assert_eq!(argmax(&[f32::NAN, f32::NEG_INFINITY]), None);
        assert_eq!(argmax(&[]), None);
        assert_eq!(counts(SamplerOptions::default(), 10)[2], 10);
    }

    #[test]
    fn frequencies_follow_the_softmax() {
        let options = SamplerOptions { temperature: 0.8, seed: 7, ..Default::default() };
        let n = 100_000;
        let counts = counts(options, n);
        let weight = |l: f32| (f64::from(l) / 0.8).exp();
        let mass: f64 = LOGITS.iter().map(|&l| weight(l)).sum();
        for (c, &l) in counts.iter().zip(&LOGITS) {
            let p = weight(l) / mass;
            let sigma = (p * (1.0 - p) / n as f64).sqrt();
            assert!((*c as f64 / n as f64 - p).abs() <= 5.0 * sigma, "{l}: {c}");
        }
    }

    #[test]
    fn top_k_and_top_p_cut_the_tail() {
        let warm = SamplerOptions { temperature: 5.0, seed: 1, ..Default::default() };
        let drawn =
            |options| -> Vec<bool> { counts(options, 2000).iter().map(|&c| c > 0).collect() };
        let only = |ids: &[usize]| -> Vec<bool> { (0..6).map(|i| ids.contains(&i)).collect() };
        assert_eq!(drawn(SamplerOptions { top_k: 1, ..warm }), only(&[2]));
        assert_eq!(drawn(SamplerOptions { top_k: 2, ..warm }), only(&[2, 4]));
        assert_eq!(drawn(SamplerOptions { top_k: 3, ..warm }), only(&[0, 2, 4]));
        assert_eq!(drawn(SamplerOptions { top_k: 99, ..warm }), only(&[0, 2, 3, 4]));
        assert_eq!(drawn(SamplerOptions { top_p: 0.0, ..warm }), only(&[2]));
        // At temperature 1: 0.554, 0.336, 0.075, 0.004 of the mass.
        let cool = SamplerOptions { temperature: 1.0, seed: 2, ..Default::default() };
        assert_eq!(drawn(SamplerOptions { top_p: 0.5, ..cool }), only(&[2]));
        assert_eq!(drawn(SamplerOptions { top_p: 0.8, ..cool }), only(&[2, 4]));
        assert_eq!(drawn(SamplerOptions { top_p: 0.97, ..cool }), only(&[0, 2, 4]));
        assert_eq!(drawn(SamplerOptions { top_p: 0.97, top_k: 2, ..cool }), only(&[2, 4]));
    }

    #[test]
    fn selection_agrees_with_sorting() {
        let logits: Vec<f32> = (0..1000u32).map(|i| ((i * 7919) as f32).sin() * 20.0).collect();
        let mut sorted = logits.clone();
        sorted.sort_by(f32::total_cmp);
        for k in [1, 2, 10, 500, 999] {
            let threshold = select(&logits, 0, k as f64, |_| 1.0);
            assert_eq!(threshold, order(sorted[1000 - k]), "top {k}");
        }
    }

    #[test]
    fn equal_seeds_draw_equal_tokens() {
        let options = SamplerOptions { temperature: 2.0, seed: 42, ..Default::default() };
        assert_eq!(counts(options, 50), counts(options, 50));
        let other = SamplerOptions { seed: 43, ..options };
        assert_ne!(counts(options, 500), counts(other, 500));
    }

    #[test]
    fn logits_that_are_no_numbers_are_errors() {
        let warm = SamplerOptions { temperature: 1.0, top_k: 2, top_p: 0.9, seed: 1 };
        for options in [SamplerOptions::default(), warm] {
            let sample = |logits: &[f32]| Sampler::new(options).sample(logits);
            let bad = |token| Err(Error::NonFinite(NonFinite::Logit { token }));
            assert_eq!(sample(&[0.0, f32::NAN, 9.0]), bad(1));
            assert_eq!(sample(&[0.0, 9.0, -f32::NAN]), bad(2));
            assert_eq!(sample(&[f32::INFINITY, 9.0]), bad(0));
            assert_eq!(sample(&[f32::NEG_INFINITY; 3]), Err(Error::NothingToDraw));
            assert_eq!(sample(&[f32::NEG_INFINITY, -9.0]), Ok(1));
            assert_eq!(sample(&[]), Err(LengthError { expected: 1, found: 0 }.into()));
        }
    }
}
