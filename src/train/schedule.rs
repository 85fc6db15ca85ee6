//! The learning rate over the steps of a run.

use super::config::ScheduleConfig;

impl ScheduleConfig {
    /// The learning rate of `step` (from 0), in units of the peak.
    ///
    /// Warm-up, constant, decay (WSD): `(step + 1) / warmup_steps` at first, then 1, and
    /// `1 - sqrt(done)` over the last `decay_fraction` of all steps, where `done` goes from 0 to 1
    /// (Hägele et al., arXiv 2405.18392).
    pub fn factor(&self, step: u64) -> f64 {
        let total = self.total_steps as f64;
        let decay = total * self.decay_fraction;
        let warm = ((step + 1) as f64 / self.warmup_steps.max(1) as f64).min(1.0);
        let done = (step as f64 - (total - decay)) / decay;
        // No decay at all: 0 / 0.
        let left = if done > 0.0 { 1.0 - done.min(1.0).sqrt() } else { 1.0 };
        warm.min(left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rises_stays_and_falls() {
        let wsd = ScheduleConfig { total_steps: 1000, warmup_steps: 100, decay_fraction: 0.2 };
        assert_eq!(wsd.factor(0), 0.01);
        assert_eq!(wsd.factor(49), 0.5);
        assert!((99..=800).all(|step| wsd.factor(step) == 1.0));
        assert!((wsd.factor(850) - 0.5).abs() < 1e-12);
        assert!((800..1000).all(|step| wsd.factor(step + 1) < wsd.factor(step)));
        assert!(wsd.factor(999) > 0.0 && wsd.factor(1000) == 0.0 && wsd.factor(5000) == 0.0);
    }

    #[test]
    fn without_warm_up_or_decay_it_is_constant() {
        let flat = ScheduleConfig { total_steps: 10, warmup_steps: 0, decay_fraction: 0.0 };
        assert!((0..10).all(|step| flat.factor(step) == 1.0));
        let all = ScheduleConfig { total_steps: 10, warmup_steps: 0, decay_fraction: 1.0 };
        assert_eq!(all.factor(0), 1.0);
        assert!(all.factor(1) < 1.0);
    }
}
