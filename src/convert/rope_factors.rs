//! The llama3 scaling of RoPE as GGUF carries it: a divisor for every frequency.

use std::vec::Vec;

use crate::config::{Config, RopeScaling};

/// The divisors, `head_dim / 2` of them; `None` unless the scaling is llama3's.
///
/// With wavelength `w = 2 pi theta^(2i / head_dim)` and context `c`: 1 for
/// `w < c / high_freq_factor`, `factor` for `w > c / low_freq_factor`, and between them
/// `1 / ((1 - s) / factor + s)`, `s = (c / w - low) / (high - low)`. In f32, as the converters
/// of llama.cpp compute it.
pub(super) fn rope_factors(config: &Config) -> Option<Vec<f32>> {
    let RopeScaling::Llama3 { factor, low_freq_factor, high_freq_factor, original_context } =
        config.rope.scaling
    else {
        return None;
    };
    let context = original_context as f32;
    let divisor = |i: usize| {
        let exponent = (2 * i) as f32 / config.head_dim as f32;
        let frequency = 1.0 / libm::powf(config.rope.theta, exponent);
        let wavelength = core::f32::consts::TAU / frequency;
        if wavelength < context / high_freq_factor {
            1.0
        } else if wavelength > context / low_freq_factor {
            factor
        } else {
            let smooth =
                (context / wavelength - low_freq_factor) / (high_freq_factor - low_freq_factor);
            1.0 / ((1.0 - smooth) / factor + smooth)
        }
    };
    Some((0..config.head_dim / 2).map(divisor).collect())
}
