//! The measurements, on one decoder.

use std::time::Instant;

use indicatif::{ProgressBar, ProgressStyle};
use xielu::llama::Decoder;

use super::row::{Row, Test};
use crate::interrupt;

/// A decoder whose KV cache holds, up to its position, the first of `ids`.
pub struct Measurement<'a, 'm, 'w, 's> {
    decoder: &'a mut Decoder<'m, 'w, 's>,
    /// The tokens of every prompt: its first ones.
    ids: Vec<u32>,
    logits: Vec<f32>,
    batch: usize,
    repeats: usize,
}

impl<'a, 'm, 'w, 's> Measurement<'a, 'm, 'w, 's> {
    pub fn new(
        decoder: &'a mut Decoder<'m, 'w, 's>,
        ids: Vec<u32>,
        batch: usize,
        repeats: usize,
    ) -> Self {
        let logits = vec![0.0; decoder.model().config().output_vocab_size];
        Measurement { decoder, ids, logits, batch, repeats }
    }

    /// Prompts of those lengths, then generations of `n` tokens at those depths.
    pub fn all(
        mut self,
        prompts: &[usize],
        n: usize,
        depths: &[usize],
    ) -> anyhow::Result<Vec<Row>> {
        let bar = progress_bar(prompts.len() + depths.len())?;
        // Caches and clocks warm up once, unmeasured.
        bar.set_message("warming up");
        self.fill(0, prompts.iter().copied().min().unwrap_or(1))?;
        let mut rows = Vec::with_capacity(prompts.len() + depths.len());
        for &prompt in prompts {
            bar.set_message(format!("prompt of {prompt}"));
            rows.push(self.prompt(prompt)?);
            bar.inc(1);
        }
        // The deepest first: it leaves in the cache what the others need.
        let mut order: Vec<usize> = (0..depths.len()).collect();
        order.sort_by_key(|&i| std::cmp::Reverse(depths.get(i)));
        let mut generations = Vec::with_capacity(depths.len());
        for at in order {
            let depth = depths.get(at).copied().unwrap_or(0);
            bar.set_message(format!("generation at depth {depth}"));
            generations.push((at, self.generation(n, depth)?));
            bar.inc(1);
        }
        bar.finish_and_clear();
        generations.sort_by_key(|&(at, _)| at);
        rows.extend(generations.into_iter().map(|(_, row)| row));
        Ok(rows)
    }

    fn prompt(&mut self, prompt: usize) -> anyhow::Result<Row> {
        let test = Test { prompt, generated: 0, depth: 0 };
        self.repeat(test, |this| this.fill(0, prompt))
    }

    fn generation(&mut self, generated: usize, depth: usize) -> anyhow::Result<Row> {
        let filled = self.decoder.position();
        if filled < depth {
            self.fill(filled, depth)?;
        }
        self.repeat(Test { prompt: 0, generated, depth }, |this| {
            this.decoder.rewind(depth);
            let mut ids = this.ids.iter().skip(depth).take(generated);
            ids.try_for_each(|&id| {
                interrupt::check()?;
                Ok(this.decoder.step(id, &mut this.logits)?)
            })
        })
    }

    /// The prompt's tokens `from..to`, after those before them.
    fn fill(&mut self, from: usize, to: usize) -> anyhow::Result<()> {
        self.decoder.rewind(from);
        for ids in self.ids.get(from..to).unwrap_or_default().chunks(self.batch) {
            interrupt::check()?;
            self.decoder.prompt(ids)?;
        }
        Ok(self.decoder.logits(&mut self.logits)?)
    }

    fn repeat(
        &mut self,
        test: Test,
        mut work: impl FnMut(&mut Self) -> anyhow::Result<()>,
    ) -> anyhow::Result<Row> {
        let mut seconds = Vec::with_capacity(self.repeats);
        for _ in 0..self.repeats {
            let start = Instant::now();
            work(self)?;
            seconds.push(start.elapsed().as_secs_f64().max(1e-9));
        }
        Ok(Row { test, seconds })
    }
}

/// Shown on a terminal only.
fn progress_bar(tests: usize) -> anyhow::Result<ProgressBar> {
    let style = "{bar:16} {pos}/{len} tests, {msg}";
    Ok(ProgressBar::new(tests as u64).with_style(ProgressStyle::with_template(style)?))
}
