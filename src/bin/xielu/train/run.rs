//! One run in its directory: steps, evaluations, checkpoints, and the exported model at the end.

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, bail};
use candle_core::{DType, Device};
use xielu::activation::{ActivationKind, Form, Xiprelu};
use xielu::train::data::{Dataset, TextTokenizer};
use xielu::train::export::{Weights, export};
use xielu::train::{Model, Parameter, TrainConfig, Trainer};

use super::device::Machine;
use super::log::{Evaluation, Log, Record, Step};
use super::plots;
use super::progress::Display;
use crate::interrupt;

/// A run's directory.
#[derive(Clone, Debug)]
pub struct RunDir(pub PathBuf);

impl RunDir {
    /// The configuration, with every default.
    pub fn config(&self) -> PathBuf {
        self.0.join("config.toml")
    }

    /// Tokenizer and token shards.
    pub fn data(&self) -> PathBuf {
        self.0.join("data")
    }

    /// Checkpoints to go on from.
    pub fn checkpoints(&self) -> PathBuf {
        self.0.join("checkpoints")
    }

    /// The trained model.
    pub fn model(&self) -> PathBuf {
        self.0.join("model")
    }
}

/// What a run is made of.
pub struct Run<'a> {
    pub dir: &'a RunDir,
    pub config: &'a TrainConfig,
    pub dataset: &'a Dataset,
    pub machine: &'a Machine,
    /// What begins every line of progress.
    pub name: &'a str,
    /// The command that goes on with it after an interruption.
    pub resume: &'a str,
}

impl Run<'_> {
    /// Trains from the newest checkpoint, or from the beginning, to the end.
    pub fn finish(&self) -> anyhow::Result<()> {
        let mut trainer = self.trainer()?;
        let total = self.config.schedule.total_steps;
        let mut log = Log::open(&self.dir.0, trainer.step())?;
        let mut display = Display::new(self.name, total, trainer.step())?;
        if trainer.step() == 0 && log.evaluations().next().is_none() {
            self.evaluate(&trainer, &mut log, &mut display)?;
        }
        while trainer.step() < total {
            if interrupt::requested() {
                display.finish();
                trainer.save(&self.dir.checkpoints())?;
                bail!("interrupted at step {}; go on with: {}", trainer.step(), self.resume);
            }
            let step = self.step(&mut trainer)?;
            display.step(&step, self.config.tokens_per_step());
            log.add(Record::Step(step))?;
            let due = |every: u64| {
                trainer.step() == total || (every > 0 && trainer.step().is_multiple_of(every))
            };
            if due(self.config.run.evaluate_every) {
                self.evaluate(&trainer, &mut log, &mut display)?;
            }
            if due(self.config.run.checkpoint_every) {
                trainer.save(&self.dir.checkpoints())?;
            }
        }
        display.finish();
        if !self.dir.model().exists() {
            let weights = weights(trainer.model());
            export(&weights, &self.dataset.tokenizer, DType::F32, &self.dir.model())?;
        }
        Ok(())
    }

    fn trainer(&self) -> anyhow::Result<Trainer> {
        let device = &self.machine.device;
        Ok(match Trainer::resume(self.config, &self.dir.checkpoints(), device)? {
            Some(trainer) => trainer,
            None => Trainer::new(self.config, device)?,
        })
    }

    fn step(&self, trainer: &mut Trainer) -> anyhow::Result<Step> {
        let start = Instant::now();
        let report = trainer.train_step(&self.dataset.train)?;
        let tokens = self.config.tokens_per_step();
        let tokens_per_second = tokens as f64 / start.elapsed().as_secs_f64();
        Ok(Step {
            step: trainer.step(),
            tokens: trainer.step() * tokens as u64,
            loss: report.loss,
            grad_norm: report.grad_norm,
            learning_rate: report.learning_rate,
            tokens_per_second,
            utilisation: self.machine.utilisation(self.config, tokens_per_second)?,
        })
    }

    fn evaluate(
        &self,
        trainer: &Trainer,
        log: &mut Log,
        display: &mut Display,
    ) -> anyhow::Result<()> {
        let validation_loss = match &self.dataset.validation {
            Some(validation) => {
                Some(trainer.evaluate(validation.batches(self.config.batch.sequences))?)
            }
            None => None,
        };
        let (alpha_p, alpha_n) = effective_alphas(trainer.model())?;
        let step = trainer.step();
        log.add(Record::Evaluation(Evaluation { step, validation_loss, alpha_p, alpha_n }))?;
        display.evaluation(validation_loss);
        plots::write(&self.dir.0, log)
    }
}

/// The activations' effective alphas, layer by layer.
fn effective_alphas(model: &Model) -> anyhow::Result<(Vec<f64>, Vec<f64>)> {
    let alphas = model.alphas()?;
    let effective = alphas.iter().map(|raw| match model.config().hidden_act {
        ActivationKind::Xiprelu => {
            let f = Xiprelu::freeze(raw);
            (f64::from(f.alpha_p()), f64::from(f.alpha_n()))
        }
        _ => {
            let f = raw.freeze(Form::Ideal);
            (f64::from(f.alpha_p()), f64::from(f.alpha_n()))
        }
    });
    Ok(effective.unzip())
}

/// A model's tensors, to be exported.
pub fn weights(model: &Model) -> Weights {
    let tensor = |p: &Parameter| (p.name().to_owned(), p.tensor().clone());
    Weights { config: *model.config(), tensors: model.parameters().iter().map(tensor).collect() }
}

/// The model of the newest checkpoint of a run, and its tokenizer.
pub fn newest(dir: &Path) -> anyhow::Result<(Trainer, TextTokenizer)> {
    let dir = RunDir(dir.into());
    let config = read_config(&dir)?;
    let tokenizer = TextTokenizer::open(&dir.data())?;
    let trainer = Trainer::resume(&config, &dir.checkpoints(), &Device::Cpu)?;
    Ok((trainer.context("the run has no checkpoint yet")?, tokenizer))
}

/// The configuration of the run in `dir`.
pub fn read_config(dir: &RunDir) -> anyhow::Result<TrainConfig> {
    let path = dir.config();
    let text = std::fs::read_to_string(&path).with_context(|| {
        format!("there is no run in {}: cannot read config.toml", dir.0.display())
    })?;
    TrainConfig::from_toml(&text).with_context(|| format!("{} cannot be used", path.display()))
}
