//! `log.jsonl`: one line per step and per evaluation.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use xielu::checkpoint::AtomicFile;

/// A line of the log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Record {
    Step(Step),
    Evaluation(Evaluation),
}

/// One optimiser step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// Steps done, this one included.
    pub step: u64,
    /// Tokens trained on so far.
    pub tokens: u64,
    /// Mean loss of the step, before its update.
    pub loss: f64,
    /// Norm of the gradients, before clipping.
    pub grad_norm: f64,
    /// Learning rate of the step.
    pub learning_rate: f64,
    /// Tokens per second.
    pub tokens_per_second: f64,
    /// Model FLOP utilisation, 0 to 1, where the device's peak is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub utilisation: Option<f64>,
}

/// The state after a step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evaluation {
    /// Steps done.
    pub step: u64,
    /// Mean loss on the validation text, if there is one.
    pub validation_loss: Option<f64>,
    /// Effective alphas, layer by layer; empty for activations without.
    pub alpha_p: Vec<f64>,
    /// Effective alphas, layer by layer; empty for activations without.
    pub alpha_n: Vec<f64>,
}

impl Record {
    fn step(&self) -> u64 {
        match self {
            Record::Step(record) => record.step,
            Record::Evaluation(record) => record.step,
        }
    }
}

/// The log of a run, in memory and on disk.
pub struct Log {
    path: PathBuf,
    file: File,
    records: Vec<Record>,
}

impl Log {
    /// Opens the log in `dir`, without what comes after `step`: a resumed run does it again.
    pub fn open(dir: &Path, step: u64) -> anyhow::Result<Self> {
        let path = dir.join("log.jsonl");
        let records: Vec<_> = read(&path)?.into_iter().filter(|r| r.step() <= step).collect();
        let mut lines = Vec::new();
        for record in &records {
            serde_json::to_writer(&mut lines, record)?;
            lines.push(b'\n');
        }
        let cannot = || format!("cannot write {}", path.display());
        AtomicFile::write(&path, &lines).with_context(cannot)?;
        let file = OpenOptions::new().append(true).open(&path).with_context(cannot)?;
        Ok(Log { path, file, records })
    }

    /// Adds a line.
    pub fn add(&mut self, record: Record) -> anyhow::Result<()> {
        let mut line = serde_json::to_vec(&record)?;
        line.push(b'\n');
        let written = self.file.write_all(&line);
        written.with_context(|| format!("cannot write {}", self.path.display()))?;
        self.records.push(record);
        Ok(())
    }

    /// All steps.
    pub fn steps(&self) -> impl Iterator<Item = &Step> {
        steps(&self.records)
    }

    /// All evaluations.
    pub fn evaluations(&self) -> impl Iterator<Item = &Evaluation> {
        evaluations(&self.records)
    }
}

/// The steps among `records`.
pub fn steps(records: &[Record]) -> impl Iterator<Item = &Step> {
    records.iter().filter_map(|record| match record {
        Record::Step(step) => Some(step),
        Record::Evaluation(_) => None,
    })
}

/// The evaluations among `records`.
pub fn evaluations(records: &[Record]) -> impl Iterator<Item = &Evaluation> {
    records.iter().filter_map(|record| match record {
        Record::Evaluation(evaluation) => Some(evaluation),
        Record::Step(_) => None,
    })
}

/// The lines of a log; none if there is no file. A line that a killed run left half written ends
/// it.
pub fn read(path: &Path) -> anyhow::Result<Vec<Record>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(e).with_context(|| format!("cannot read {}", path.display())),
    };
    let mut records = Vec::new();
    for line in BufReader::new(file).lines() {
        let line = line.with_context(|| format!("cannot read {}", path.display()))?;
        match serde_json::from_str(&line) {
            Ok(record) => records.push(record),
            Err(_) => break,
        }
    }
    Ok(records)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(step: u64) -> Record {
        Record::Step(Step {
            step,
            tokens: step * 10,
            loss: 1.0 / step as f64,
            grad_norm: 0.1,
            learning_rate: 1e-3,
            tokens_per_second: 123.4,
            utilisation: (step == 2).then_some(0.25),
        })
    }

    #[test]
    fn a_resumed_log_begins_where_the_checkpoint_is() {
        let dir = tempfile::tempdir().unwrap();
        let mut log = Log::open(dir.path(), 0).unwrap();
        let evaluation = Evaluation {
            step: 2,
            validation_loss: Some(2.5),
            alpha_p: vec![0.8],
            alpha_n: vec![0.9],
        };
        for record in [step(1), step(2), Record::Evaluation(evaluation.clone()), step(3)] {
            log.add(record).unwrap();
        }
        let path = dir.path().join("log.jsonl");
        log.file.write_all(b"{\"step\": 4, \"to").unwrap();
        let read = read(&path).unwrap();
        assert_eq!((read.len(), &read[3]), (4, &step(3)));
        let log = Log::open(dir.path(), 2).unwrap();
        assert_eq!(log.steps().count(), 2);
        assert_eq!(log.evaluations().collect::<Vec<_>>(), [&evaluation]);
        let lines = std::fs::read_to_string(&path).unwrap();
        assert_eq!(lines.lines().count(), 3, "{lines}");
    }
}
