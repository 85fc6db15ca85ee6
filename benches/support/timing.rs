//! Medians of repeated runs, for benches that print one number.

use std::time::{Duration, Instant};

/// Median seconds of `f`: one run unmeasured, then half a second and at least three runs.
pub fn median_seconds(mut f: impl FnMut()) -> f64 {
    f();
    let start = Instant::now();
    let mut times = Vec::new();
    while times.len() < 3 || start.elapsed() < Duration::from_millis(500) {
        let start = Instant::now();
        f();
        times.push(start.elapsed().as_secs_f64());
    }
    times.sort_by(f64::total_cmp);
    0.5 * (times[(times.len() - 1) / 2] + times[times.len() / 2])
}
