//! Penalties for tokens that have occurred.

/// How the logits of tokens that have occurred are lowered, so that a text repeats itself less.
///
/// A token that occurred `c > 0` times has its logit `l` changed to
///
/// ```text
/// l' = (l / repetition  if l > 0,  l * repetition  else) - c * frequency - presence
/// ```
///
/// `repetition` is that of Keskar et al. (arXiv 1909.05858) as transformers and llama.cpp define
/// it; `presence` and `frequency` are llama.cpp's (and OpenAI's).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Penalties {
    /// Above 0: more than 1 discourages tokens that occurred, 1 changes nothing, less encourages.
    pub repetition: f32,
    /// Subtracted once from what occurred; 0 changes nothing, less encourages.
    pub presence: f32,
    /// Subtracted for each time that a token occurred; 0 changes nothing, less encourages.
    pub frequency: f32,
}

impl Penalties {
    /// Those that change nothing.
    pub const NONE: Penalties = Penalties { repetition: 1.0, presence: 0.0, frequency: 0.0 };

    /// Whether they change nothing.
    pub fn is_none(&self) -> bool {
        *self == Self::NONE
    }

    /// Lowers `logits` by how often (`counts`) the token of the same place occurred. Logits of minus
    /// infinity stay so; those without a count stay as they are.
    pub fn apply(&self, logits: &mut [f32], counts: &[u32]) {
        for (logit, &count) in logits.iter_mut().zip(counts) {
            if count == 0 {
                continue;
            }
            let l = *logit;
            let repeated = if l > 0.0 { l / self.repetition } else { l * self.repetition };
            *logit = repeated - (count as f32 * self.frequency + self.presence);
        }
    }
}

impl Default for Penalties {
    /// [`Penalties::NONE`].
    fn default() -> Self {
        Self::NONE
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec;
    use std::vec::Vec;

    /// llama.cpp's formula in f64.
    #[test]
    fn the_formula_in_f64() {
        let logits: Vec<f32> = (0..200u32).map(|i| ((i * 7919) as f32).sin() * 30.0).collect();
        let counts: Vec<u32> = (0..200).map(|i| [0, 1, 0, 2, 7][i % 5]).collect();
        for (repetition, presence, frequency) in
            [(1.0, 0.0, 0.0), (1.3, 0.0, 0.0), (1.0, 0.6, 0.0), (1.0, 0.0, 0.4), (0.8, -0.5, 1.25)]
        {
            let mut found = logits.clone();
            Penalties { repetition, presence, frequency }.apply(&mut found, &counts);
            for ((&l, &c), &found) in logits.iter().zip(&counts).zip(&found) {
                let [l, r, p, f] = [l, repetition, presence, frequency].map(f64::from);
                let mut expected = if l <= 0.0 { l * r } else { l / r };
                expected -= f64::from(c) * f + p;
                let expected = if c > 0 { expected } else { l };
                // Three roundings of what is at most as large as the logit or the penalty.
                let bound = 3.0 * f64::from(f32::EPSILON) * (l.abs() * 1.3 + 10.0);
                assert!((f64::from(found) - expected).abs() <= bound, "{l} {c} {found}");
            }
        }
    }

    #[test]
    fn what_changes_nothing_and_what_is_forbidden() {
        let mut logits = [1.5, -2.0, f32::NEG_INFINITY, 0.0, 3.0];
        Penalties::NONE.apply(&mut logits, &[3; 5]);
        assert_eq!(logits, [1.5, -2.0, f32::NEG_INFINITY, 0.0, 3.0]);
        let all = Penalties { repetition: 2.0, presence: 1.0, frequency: 0.5 };
        // Fewer counts than logits: an output head of more rows than were counted.
        all.apply(&mut logits, &[0, 1, 1, 2]);
        assert_eq!(logits, [1.5, -5.5, f32::NEG_INFINITY, -2.0, 3.0]);
        assert!(Penalties::default().is_none() && !all.is_none());
        let mut none: Vec<f32> = vec![];
        all.apply(&mut none, &[1]);
    }
}
