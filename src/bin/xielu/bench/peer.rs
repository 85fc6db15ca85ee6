//! What another bench measured.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use anyhow::{Context as _, bail};
use serde::Deserialize;

use super::print::Machine;
use super::row::{Row, Summary, Test};

/// More than any results take: a model that was given in their place is not read whole.
const MAX_BYTES: u64 = 16 << 20;

/// The rows of a file.
#[derive(Debug)]
pub struct Peer(Vec<PeerRow>);

/// What is needed of a row that llama-bench or this program wrote.
#[derive(Debug, Deserialize)]
struct PeerRow {
    n_prompt: usize,
    n_gen: usize,
    /// Older versions of llama-bench had no depths.
    #[serde(default)]
    n_depth: usize,
    n_threads: Option<usize>,
    model_filename: Option<String>,
    avg_ts: f64,
    #[serde(default)]
    samples_ts: Vec<f64>,
}

impl Peer {
    /// Reads an array of objects, or one object after the other (`-o jsonl`).
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let shown = path.display();
        let what = || {
            format!(
                "{shown} is not what `llama-bench -o json` or `xielu bench --output json` writes"
            )
        };
        let mut bytes = Vec::new();
        let file = File::open(path).and_then(|f| f.take(MAX_BYTES + 1).read_to_end(&mut bytes));
        file.with_context(|| format!("cannot read {shown}"))?;
        if bytes.len() as u64 > MAX_BYTES {
            bail!("{}: it is larger than 16 MiB", what());
        }
        let first = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
        let rows: Result<Vec<PeerRow>, _> = match first {
            Some(b'[') => serde_json::from_slice(&bytes),
            _ => serde_json::Deserializer::from_slice(&bytes).into_iter().collect(),
        };
        let rows = rows.with_context(what)?;
        if rows.is_empty() {
            bail!("{}: it has no rows", what());
        }
        if let Some(rate) =
            rows.iter().map(PeerRow::rate).find(|rate| !rate.is_normal() || *rate < 0.0)
        {
            bail!("{}: a rate is {rate} tokens/s", what());
        }
        Ok(Peer(rows))
    }

    /// The rows to compare with what `machine` did.
    pub fn beside(mut self, machine: &Machine) -> Self {
        self.0.retain(|row| row.n_threads.is_none_or(|threads| threads == machine.threads));
        let models: BTreeSet<_> = self.0.iter().filter_map(PeerRow::model).collect();
        if models.len() > 1 {
            let ours = base_name(&machine.model);
            self.0.retain(|row| row.model() == ours);
        }
        self
    }

    /// Tokens per second of the row's test.
    pub fn rate(&self, row: &Row) -> Option<f64> {
        let same = self.0.iter().filter(|theirs| theirs.test() == row.test);
        same.map(PeerRow::rate).reduce(f64::max)
    }
}

impl PeerRow {
    const fn test(&self) -> Test {
        Test { prompt: self.n_prompt, generated: self.n_gen, depth: self.n_depth }
    }

    /// The median, as ours is; the mean where the samples are not there.
    fn rate(&self) -> f64 {
        if self.samples_ts.is_empty() {
            return self.avg_ts;
        }
        Summary::of(self.samples_ts.clone()).median
    }

    fn model(&self) -> Option<&str> {
        base_name(self.model_filename.as_deref()?)
    }
}

fn base_name(path: &str) -> Option<&str> {
    Path::new(path).file_name()?.to_str()
}
