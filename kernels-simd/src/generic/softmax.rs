//! The softmax of attention, computed while the scores arrive (Milakov and Gimelshein,
//! arXiv 1805.02867).

use crate::generic::exp::exp_of_negative;
use crate::generic::simd::{MAX_LANES, Simd};

/// What one query's softmax knows of the scores so far: the largest, and the sum of
/// `e^(score - largest)`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OnlineSoftmax {
    /// The largest score, scaled.
    pub largest: f32,
    /// The sum of the weights.
    pub sum: f32,
}

impl OnlineSoftmax {
    /// Before the first score.
    pub const START: OnlineSoftmax = OnlineSoftmax { largest: f32::NEG_INFINITY, sum: 0.0 };

    /// Makes each score a weight, `e^(scale * score - largest)`. Gives the factor that what was
    /// summed with earlier weights must be multiplied by: 1, unless a score is larger than all
    /// before it.
    #[inline]
    pub fn add(&mut self, scores: &mut [f32], scale: f32, exp: impl Fn(f32) -> f32) -> f32 {
        let largest = scores.iter().fold(self.largest, |m, &s| m.max(s * scale));
        let factor = self.raise(largest, &exp);
        for s in scores.iter_mut() {
            *s = exp(*s * scale - self.largest);
            self.sum += *s;
        }
        factor
    }

    /// Takes over a larger score.
    #[inline(always)]
    fn raise(&mut self, largest: f32, exp: impl Fn(f32) -> f32) -> f32 {
        if largest <= self.largest {
            return 1.0;
        }
        let factor = exp(self.largest - largest);
        self.sum *= factor;
        self.largest = largest;
        factor
    }
}

/// As [`OnlineSoftmax::add`]; weights below `e^-87` are 0.
pub(crate) type SoftmaxFn = unsafe fn(&mut OnlineSoftmax, scores: &mut [f32], scale: f32) -> f32;

/// [`OnlineSoftmax::add`] by vectors.
#[inline(always)]
pub(crate) fn softmax<L: Simd>(
    l: L,
    state: &mut OnlineSoftmax,
    scores: &mut [f32],
    scale: f32,
) -> f32 {
    let factor = raise(l, state, scores, scale);
    let mut sums = l.splat(0.0);
    let mut at = 0;
    while scores.len() - at >= L::COUNT {
        // SAFETY: so many scores are left.
        sums = l.add(sums, unsafe { weigh(l, state.largest, scores.as_mut_ptr().add(at), scale) });
        at += L::COUNT;
    }
    let rest = scores.get_mut(at..).unwrap_or_default();
    if !rest.is_empty() {
        let mut buffer = [f32::NEG_INFINITY; MAX_LANES];
        buffer.iter_mut().zip(rest.iter()).for_each(|(b, s)| *b = *s);
        // SAFETY: `COUNT <= MAX_LANES`: the buffer holds a whole vector.
        sums = l.add(sums, unsafe { weigh(l, state.largest, buffer.as_mut_ptr(), scale) });
        rest.iter_mut().zip(buffer).for_each(|(s, b)| *s = b);
    }
    state.sum += l.sum(sums);
    factor
}

/// Looks for a score above the largest, by vectors; that there is one is rare but at the beginning.
#[inline(always)]
fn raise<L: Simd>(l: L, state: &mut OnlineSoftmax, scores: &[f32], scale: f32) -> f32 {
    let mut largest = l.splat(f32::NEG_INFINITY);
    let mut at = 0;
    while scores.len() - at >= L::COUNT {
        // SAFETY: so many scores are left.
        largest = l.max(unsafe { l.load_f32(scores.as_ptr().add(at)) }, largest);
        at += L::COUNT;
    }
    let all_below = l.lt(l.mul(largest, l.splat(scale)), l.splat(state.largest));
    if at == scores.len() && l.all(all_below) {
        return 1.0;
    }
    let largest = scores.iter().fold(state.largest, |m, &s| m.max(s * scale));
    state.raise(largest, libm::expf)
}

/// Makes a vector of scores weights, in place; gives the weights.
///
/// # Safety
/// `p` is readable and writable for [`Simd::COUNT`] elements.
#[inline(always)]
unsafe fn weigh<L: Simd>(l: L, largest: f32, p: *mut f32, scale: f32) -> L::F32 {
    // SAFETY: `# Safety` of this function requires it.
    let scores = unsafe { l.load_f32(p) };
    let weights = exp_of_negative(l, l.sub(l.mul(scores, l.splat(scale)), l.splat(largest)));
    // SAFETY: as above.
    unsafe { l.store_f32(weights, p) };
    weights
}
