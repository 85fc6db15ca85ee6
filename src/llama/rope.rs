//! Rotary position embedding (Su et al., arXiv 2104.09864) with Llama 3's frequency scaling.

use crate::Error;
use crate::compute::rows::rows_mut;
use crate::config::{Rope, RopeScaling, RopeStyle};
use crate::kernels::Matrix;
use crate::numeric::extended::{Real, power, sin_cos};

/// A whole turn.
const TAU: Real = core::f64::consts::TAU as Real;

/// Writes the angle per position of each pair, `theta^(-2i/dim)` after scaling, to `inv_freq`
/// (`dim / 2` values). `divisors` is the `rope_freqs` tensor, where there is one.
pub(crate) fn inverse_frequencies(
    rope: &Rope,
    divisors: Option<&Matrix<'_>>,
    inv_freq: &mut [f32],
) -> Result<(), Error> {
    let pairs = inv_freq.len();
    for (i, f) in inv_freq.iter_mut().enumerate() {
        *f = scaled(power(rope.theta, i, pairs), &rope.scaling) as f32;
    }
    let Some(divisors) = divisors.and_then(|d| d.row(0)) else { return Ok(()) };
    // x / d as 1 / (1/x * d): the tensor multiplies in place.
    inv_freq.iter_mut().for_each(|f| *f = 1.0 / *f);
    if !divisors.multiply_into(inv_freq) {
        return Err(Error::OutOfRange("rope_freqs"));
    }
    inv_freq.iter_mut().for_each(|f| *f = 1.0 / *f);
    Ok(())
}

fn scaled(frequency: Real, scaling: &RopeScaling) -> Real {
    match *scaling {
        RopeScaling::None => frequency,
        RopeScaling::Linear { factor } => frequency / Real::from(factor),
        RopeScaling::Llama3 { factor, low_freq_factor, high_freq_factor, original_context } => {
            let (low, high) = (Real::from(low_freq_factor), Real::from(high_freq_factor));
            // Turns in the original context: few for low frequencies.
            let turns = original_context as Real * frequency / TAU;
            let slow = frequency / Real::from(factor);
            if turns < low {
                slow
            } else if turns > high {
                frequency
            } else {
                let ramp = (turns - low) / (high - low);
                (1.0 - ramp) * slow + ramp * frequency
            }
        }
    }
}

/// Writes the cosines, then the sines, of one position to `table` (`dim` values).
pub(crate) fn fill_table(inv_freq: &[f32], position: usize, table: &mut [f32]) {
    let (cos, sin) = table.split_at_mut(table.len() / 2);
    for ((c, s), f) in cos.iter_mut().zip(sin).zip(inv_freq) {
        // In f32 like every trained model: the rounding of the angle is part of the weights.
        let angle = position as f32 * f;
        (*s, *c) = sin_cos(angle);
    }
}

/// Rotates every head of `heads` by the position of `table`, in place.
pub(crate) fn rotate(style: RopeStyle, table: &[f32], heads: &mut [f32]) {
    let dim = table.len();
    let (cos, sin) = table.split_at(table.len() / 2);
    let turn = |a: &mut f32, b: &mut f32, c: f32, s: f32| {
        (*a, *b) = (*a * c - *b * s, *b * c + *a * s);
    };
    for head in rows_mut(heads, dim) {
        match style {
            RopeStyle::Neox => {
                let (first, second) = head.split_at_mut(dim / 2);
                for (((a, b), &c), &s) in first.iter_mut().zip(second).zip(cos).zip(sin) {
                    turn(a, b, c, s);
                }
            }
            RopeStyle::Interleaved => {
                for (([a, b], &c), &s) in head.as_chunks_mut::<2>().0.iter_mut().zip(cos).zip(sin) {
                    turn(a, b, c, s);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::{DType, Shape};
    use std::vec::Vec;

    fn frequencies(scaling: RopeScaling) -> [f32; 16] {
        let rope = Rope { theta: 5e5, style: RopeStyle::Neox, scaling };
        let mut f = [0.0; 16];
        inverse_frequencies(&rope, None, &mut f).unwrap();
        f
    }

    #[test]
    fn frequencies_follow_their_definitions() {
        let plain = frequencies(RopeScaling::None);
        for (i, f) in plain.iter().enumerate() {
            let truth = 5e5f64.powf(-(i as f64) / 16.0);
            assert!((f64::from(*f) / truth - 1.0).abs() < 1e-7);
        }
        let linear = frequencies(RopeScaling::Linear { factor: 4.0 });
        assert!(plain.iter().zip(&linear).all(|(p, l)| (p / l - 4.0).abs() < 1e-5));
        let llama3 = frequencies(RopeScaling::Llama3 {
            factor: 8.0,
            low_freq_factor: 1.0,
            high_freq_factor: 4.0,
            original_context: 64,
        });
        assert_eq!(llama3[0], plain[0]);
        assert!((plain[15] / llama3[15] - 8.0).abs() < 1e-5);
        // A scaling carried by divisors gives the same frequencies.
        let divisors: Vec<u8> =
            plain.iter().zip(&llama3).flat_map(|(p, l)| (p / l).to_le_bytes()).collect();
        let divisors = Matrix::new(DType::F32, Shape { rows: 1, cols: 16 }, &divisors).unwrap();
        let rope = Rope { theta: 5e5, style: RopeStyle::Neox, scaling: RopeScaling::None };
        let mut divided = [0.0; 16];
        inverse_frequencies(&rope, Some(&divisors), &mut divided).unwrap();
        for (d, l) in divided.iter().zip(&llama3) {
            assert!((d / l - 1.0).abs() < 1e-6);
        }
        assert!(inverse_frequencies(&rope, Some(&divisors), &mut divided[..8]).is_err());
    }

    #[test]
    fn styles_rotate_the_same_pairs_in_another_order() {
        let inv_freq = [1.0, 0.1];
        let mut table = [0.0; 4];
        fill_table(&inv_freq, 3, &mut table);
        let mut neox = [1.0, 2.0, 3.0, 4.0];
        let mut interleaved = [1.0, 3.0, 2.0, 4.0];
        rotate(RopeStyle::Neox, &table, &mut neox);
        rotate(RopeStyle::Interleaved, &table, &mut interleaved);
        assert_eq!(
            [neox[0], neox[2], neox[1], neox[3]],
            [interleaved[0], interleaved[1], interleaved[2], interleaved[3]]
        );
        let truth = 1.0 * 3f64.cos() - 3.0 * 3f64.sin();
        assert!((f64::from(neox[0]) - truth).abs() < 1e-6);
    }
}
