//! One run: steps, evaluation, and checkpoints to go on from.

use std::path::Path;
use std::vec::Vec;

use candle_core::{DType, Device, Tensor};
use rayon::iter::{
    IndexedParallelIterator, IntoParallelRefIterator, IntoParallelRefMutIterator, ParallelIterator,
};
use rayon::{ThreadPool, ThreadPoolBuilder};

use super::checkpoint;
use super::clip::{clip_factor, global_norm};
use super::ops::add_in_place;
use super::optimizer::AdamW;
use super::{Batch, Batches, Model, TrainConfig, TrainError};

/// A model in training.
///
/// On the CPU a step's sequences are divided among threads, each computed by one, and their
/// gradients are added in the order of the sequences: any number of threads gives the same bits.
/// On another device batches come one after the other, all work from the calling thread: candle's
/// usual CUDA stream is another one in every thread, and nothing orders those.
#[derive(Debug)]
pub struct Trainer {
    config: TrainConfig,
    model: Model,
    optimizer: AdamW,
    step: u64,
    threads: ThreadPool,
}

/// What a step has done.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepReport {
    /// The step, from 0.
    pub step: u64,
    /// Mean `-ln p` over the step's tokens, before the update.
    pub loss: f64,
    /// Norm of all gradients together, before clipping.
    pub grad_norm: f64,
    /// The learning rate of this step.
    pub learning_rate: f64,
    /// Tokens of the step.
    pub tokens: usize,
}

/// What a piece of work has given: the sum of its losses, and gradients by parameter.
struct Piece {
    nll: f64,
    gradients: Vec<Tensor>,
}

impl Trainer {
    /// A run at its beginning.
    ///
    /// # Errors
    /// For a configuration that cannot be used, and those of candle.
    pub fn new(config: &TrainConfig, device: &Device) -> Result<Self, TrainError> {
        config.validate()?;
        let shape = config.model.to_config()?;
        let range = config.model.initializer_range;
        let model = Model::new(&shape, range, config.run.seed, device)?;
        // Half the memory and four times the speed, with f32 kept where it matters.
        let model = if device.is_cuda() { model.computing_in(DType::BF16) } else { model };
        let threads = ThreadPoolBuilder::new().num_threads(config.run.threads).build();
        let threads = threads.map_err(|e| TrainError::Config {
            key: "run.threads",
            problem: std::format!("cannot be used: {e}"),
        })?;
        let optimizer = AdamW::new(&config.optimizer, model.parameters())?;
        Ok(Trainer { config: config.clone(), model, optimizer, step: 0, threads })
    }

    /// The run as its newest usable checkpoint in `folder` left it; `None` if there is none. On
    /// the CPU it goes on with the bits of the uninterrupted run.
    ///
    /// # Errors
    /// If there are checkpoints and none can be used: the newest one's problem.
    pub fn resume(
        config: &TrainConfig,
        folder: &Path,
        device: &Device,
    ) -> Result<Option<Self>, TrainError> {
        let mut newest_problem = None;
        for path in checkpoint::newest_first(folder)? {
            let mut trainer = Trainer::new(config, device)?;
            match checkpoint::load(&path, &trainer.model, &mut trainer.optimizer) {
                Ok(step) => {
                    trainer.step = step;
                    return Ok(Some(trainer));
                }
                Err(problem) => newest_problem = newest_problem.or(Some(problem)),
            }
        }
        newest_problem.map_or(Ok(None), Err)
    }

    /// Writes a checkpoint to `folder` and removes all but the newest. It appears whole or not
    /// at all.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn save(&self, folder: &Path) -> Result<(), TrainError> {
        checkpoint::save(folder, &self.model, &self.optimizer, self.step)?;
        checkpoint::keep_newest(folder, self.config.run.keep_checkpoints)
    }

    /// Steps done.
    pub fn step(&self) -> u64 {
        self.step
    }

    /// The model as it is.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// The configuration of the run.
    pub fn config(&self) -> &TrainConfig {
        &self.config
    }

    /// One step of the optimiser.
    ///
    /// # Errors
    /// [`TrainError::NotFinite`] if loss or gradients are, and those of the data; the weights and
    /// the step are then as they were.
    pub fn train_step(&mut self, data: &(impl Batches + ?Sized)) -> Result<StepReport, TrainError> {
        let micro = 0..self.config.batch.accumulation;
        let batches = micro.map(|m| data.next(self.step, m)).collect::<Result<Vec<_>, _>>()?;
        let tokens = batches.iter().map(Batch::tokens).sum::<usize>();
        let pieces = self.pieces(batches)?;
        let total = self.gradients(&pieces, 1.0 / tokens.max(1) as f64)?;
        let loss = total.nll / tokens.max(1) as f64;
        let grad_norm = global_norm(total.gradients.iter())?;
        if !loss.is_finite() || !grad_norm.is_finite() {
            return Err(TrainError::NotFinite { step: self.step, loss, grad_norm });
        }
        let peak = self.config.optimizer.learning_rate;
        let learning_rate = peak * self.config.schedule.factor(self.step);
        let clip = clip_factor(grad_norm, self.config.optimizer.max_grad_norm);
        let (parameters, gradients) = (self.model.parameters(), &total.gradients);
        let (optimizer, step) = (&mut self.optimizer, self.step);
        let mut update = || optimizer.update(parameters, gradients, step, learning_rate, clip);
        if is_on_cpu(&self.model) {
            self.threads.install(update)?
        } else {
            update()?
        }
        self.step += 1;
        Ok(StepReport { step, loss, grad_norm, learning_rate, tokens })
    }

    /// Mean `-ln p` over all targets of `batches`.
    ///
    /// # Errors
    /// If there is none, and those of the data and of candle.
    pub fn evaluate(
        &self,
        batches: impl IntoIterator<Item = Result<Batch, TrainError>>,
    ) -> Result<f64, TrainError> {
        let (mut nll, mut tokens) = (0.0, 0);
        for batch in batches {
            let batch = batch?;
            tokens += batch.tokens();
            let pieces = self.pieces([batch])?;
            for losses in self.each(&pieces, |piece| self.model.losses(piece))? {
                nll += losses.iter().sum::<f64>();
            }
        }
        if tokens == 0 {
            return Err(TrainError::Data("there is nothing to evaluate on".into()));
        }
        Ok(nll / tokens as f64)
    }

    /// Work for one thread each: single sequences on the CPU, whole batches on other devices.
    fn pieces(&self, batches: impl IntoIterator<Item = Batch>) -> Result<Vec<Batch>, TrainError> {
        let is_cpu = is_on_cpu(&self.model);
        let mut pieces = Vec::new();
        for batch in batches {
            batch.validate(self.model.config().vocab_size)?;
            if is_cpu {
                pieces.extend(batch.split());
            } else {
                pieces.push(batch);
            }
        }
        Ok(pieces)
    }

    /// Runs `f` on every piece, several at a time on the CPU; results in the order of the pieces.
    fn each<R: Send>(
        &self,
        pieces: &[Batch],
        f: impl Fn(&Batch) -> Result<R, TrainError> + Send + Sync,
    ) -> Result<Vec<R>, TrainError> {
        if !is_on_cpu(&self.model) {
            return pieces.iter().map(f).collect();
        }
        // Products divide themselves among threads only if there is nothing else to divide.
        let busy = pieces.len() >= self.threads.current_num_threads();
        let threshold = if busy { usize::MAX } else { gemm::DEFAULT_THREADING_THRESHOLD };
        gemm::set_threading_threshold(threshold);
        self.threads.install(|| pieces.par_iter().map(f).collect())
    }

    /// Losses and gradients of all pieces, added in their order; gradients are those of the sum
    /// of losses times `scale`.
    fn gradients(&self, pieces: &[Batch], scale: f64) -> Result<Piece, TrainError> {
        let mut total: Option<Piece> = None;
        let threads = is_on_cpu(&self.model).then_some(&self.threads);
        // Not all at once: every piece in flight holds the gradients of all parameters.
        let at_once = threads.map_or(1, ThreadPool::current_num_threads);
        for wave in pieces.chunks(at_once) {
            for piece in self.each(wave, |batch| self.piece(batch, scale))? {
                total = Some(match total {
                    None => piece,
                    Some(total) => total.plus(&piece, threads)?,
                });
            }
        }
        total.ok_or_else(|| TrainError::Data("a step without tokens".into()))
    }

    fn piece(&self, batch: &Batch, scale: f64) -> Result<Piece, TrainError> {
        let (losses, gradients) = self.model.gradients(batch, scale)?;
        Ok(Piece { nll: losses.iter().sum(), gradients })
    }
}

impl Piece {
    /// The sum, computed by `threads` or the calling one.
    fn plus(mut self, other: &Piece, threads: Option<&ThreadPool>) -> Result<Piece, TrainError> {
        let add = |(total, gradient): (&mut Tensor, &Tensor)| add_in_place(total, gradient);
        let (totals, gradients) = (&mut self.gradients, &other.gradients);
        match threads {
            Some(threads) => {
                threads.install(|| totals.par_iter_mut().zip(gradients).try_for_each(add))?
            }
            None => totals.iter_mut().zip(gradients).try_for_each(add)?,
        }
        self.nll += other.nll;
        Ok(self)
    }
}

fn is_on_cpu(model: &Model) -> bool {
    model.parameters().iter().all(|p| p.tensor().device().is_cpu())
}
