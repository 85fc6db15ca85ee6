//! One test and what was measured.

/// A test as llama-bench describes it: one of the first two is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Test {
    /// Tokens of the prompt.
    pub prompt: usize,
    /// Tokens generated.
    pub generated: usize,
    /// Tokens in the KV cache before.
    pub depth: usize,
}

impl Test {
    pub const fn name(self) -> &'static str {
        if self.generated == 0 { "prompt" } else { "generation" }
    }

    pub const fn tokens(self) -> usize {
        self.prompt + self.generated
    }
}

/// A test and the seconds of its repeats.
#[derive(Debug)]
pub struct Row {
    pub test: Test,
    /// In the order they were measured.
    pub seconds: Vec<f64>,
}

impl Row {
    /// Tokens per second of the repeats.
    pub fn rates(&self) -> Vec<f64> {
        self.seconds.iter().map(|seconds| self.test.tokens() as f64 / seconds).collect()
    }
}

/// Of some numbers.
#[derive(Clone, Copy, Debug)]
pub struct Summary {
    pub least: f64,
    pub median: f64,
    pub most: f64,
    pub mean: f64,
    /// Standard deviation of a sample; 0 for one number.
    pub deviation: f64,
}

impl Summary {
    /// NaN throughout if there are none.
    pub fn of(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        let at = |i: usize| values.get(i).copied().unwrap_or(f64::NAN);
        let last = values.len().saturating_sub(1);
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let squares: f64 = values.iter().map(|v| (v - mean) * (v - mean)).sum();
        Summary {
            least: at(0),
            median: 0.5 * (at(last / 2) + at(values.len() / 2)),
            most: at(last),
            mean,
            deviation: (squares / last.max(1) as f64).sqrt(),
        }
    }
}
