//! What a run shows: a bar on a terminal, lines elsewhere.

use std::io::IsTerminal;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use indicatif::{HumanDuration, ProgressBar, ProgressStyle};
use xielu::train::data::{OnProgress, Progress};

use super::log::Step;
use crate::interrupt;

/// Weight of the newest step in what is shown as loss and speed.
const NEWEST: f64 = 0.1;

/// The bar, or the lines, of a run.
pub struct Display {
    bar: ProgressBar,
    name: String,
    total: u64,
    /// Steps between two lines; `None` on a terminal.
    every: Option<u64>,
    loss: Option<f64>,
    speed: Option<f64>,
    utilisation: Option<f64>,
    validation: String,
}

impl Display {
    /// For a run of `total` steps, `done` of which are done. `name` begins every line.
    pub fn new(name: &str, total: u64, done: u64) -> anyhow::Result<Self> {
        let template = "{prefix}{bar:32} {pos}/{len} steps, {msg}";
        let bar = ProgressBar::new(total).with_style(ProgressStyle::with_template(template)?);
        bar.set_prefix(name.to_owned());
        bar.set_position(done);
        let every = (!std::io::stderr().is_terminal()).then(|| (total / 20).max(1));
        let (name, validation) = (name.into(), String::new());
        let (loss, speed, utilisation) = (None, None, None);
        Ok(Display { bar, name, total, every, loss, speed, utilisation, validation })
    }

    /// After a step.
    pub fn step(&mut self, step: &Step, tokens_per_step: usize) {
        let loss = averaged(&mut self.loss, step.loss);
        let speed = averaged(&mut self.speed, step.tokens_per_second);
        let left = self.total.saturating_sub(step.step) as f64 * tokens_per_step as f64 / speed;
        let left = Duration::try_from_secs_f64(left).unwrap_or_default();
        let left = HumanDuration(Duration::from_secs(left.as_secs()));
        let validation = &self.validation;
        let utilisation = match step.utilisation {
            Some(newest) => {
                format!(" (MFU {:.1} %)", 100.0 * averaged(&mut self.utilisation, newest))
            }
            None => String::new(),
        };
        let text =
            format!("loss {loss:.4}{validation}, {speed:.0} tokens/s{utilisation}, {left} left");
        self.bar.set_position(step.step);
        let due = |every| step.step.is_multiple_of(every) || step.step == self.total;
        if self.every.is_some_and(due) {
            tell!("{}step {}/{}: {text}", self.name, step.step, self.total);
        }
        self.bar.set_message(text);
    }

    /// After an evaluation.
    pub fn evaluation(&mut self, validation_loss: Option<f64>) {
        if let Some(loss) = validation_loss {
            self.validation = format!(", validation {loss:.4}");
        }
    }

    /// The run has ended.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

fn averaged(mean: &mut Option<f64>, newest: f64) -> f64 {
    *mean.insert(mean.map_or(newest, |mean| mean + NEWEST * (newest - mean)))
}

/// A bar for the preparation of the data, which Ctrl-C breaks off.
pub fn data() -> anyhow::Result<OnProgress<'static>> {
    let template = "{bar:32} {bytes}/{total_bytes}, {eta} left, {msg}";
    let bar = ProgressBar::new(0).with_style(ProgressStyle::with_template(template)?);
    let mut last = Instant::now();
    Ok(Box::new(move |progress: Progress| {
        bar.set_length(progress.total);
        bar.set_position(progress.done);
        bar.set_message(progress.task);
        if bar.is_hidden() && last.elapsed() > Duration::from_secs(10) {
            tell!("{}: {} of {} bytes", progress.task, progress.done, progress.total);
            last = Instant::now();
        }
        if progress.done >= progress.total {
            bar.finish_and_clear();
        }
        if interrupt::requested() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }))
}
