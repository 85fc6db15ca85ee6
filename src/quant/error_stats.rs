//! What an encoding lost.

/// Differences between values and what was stored for them, summed in f64.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ErrorStats {
    count: u64,
    max_abs: f32,
    error_squares: f64,
    value_squares: f64,
}

impl ErrorStats {
    /// Adds pairs of an original value and its stored one; extra elements of the longer slice
    /// are ignored.
    pub fn add(&mut self, values: &[f32], stored: &[f32]) {
        for (&v, &s) in values.iter().zip(stored) {
            let e = v - s;
            self.count += 1;
            self.max_abs = self.max_abs.max(e.abs());
            self.error_squares += f64::from(e) * f64::from(e);
            self.value_squares += f64::from(v) * f64::from(v);
        }
    }

    /// Adds everything `other` saw.
    pub fn merge(&mut self, other: &ErrorStats) {
        self.count += other.count;
        self.max_abs = self.max_abs.max(other.max_abs);
        self.error_squares += other.error_squares;
        self.value_squares += other.value_squares;
    }

    /// Number of values seen.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Largest absolute difference.
    pub fn max_abs(&self) -> f32 {
        self.max_abs
    }

    /// Root of the mean squared difference; 0 when nothing was seen.
    pub fn rms(&self) -> f64 {
        if self.count == 0 { 0.0 } else { libm::sqrt(self.error_squares / self.count as f64) }
    }

    /// `rms` relative to the root mean square of the values; 0 where there is no error.
    pub fn relative_rms(&self) -> f64 {
        if self.error_squares == 0.0 {
            0.0
        } else {
            libm::sqrt(self.error_squares / self.value_squares)
        }
    }

    /// Signal-to-noise ratio in decibels, `-20 log10(relative_rms)`; infinite without error.
    pub fn snr_db(&self) -> f64 {
        -20.0 * libm::log10(self.relative_rms())
    }
}
