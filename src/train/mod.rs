//! Training on candle's autograd: the model, its optimiser, and checkpoints that resume to the
//! same bits.
//!
//! A run is described by a [`TrainConfig`], read from TOML. Data comes as [`Batches`], which are
//! functions of the step: what resumes needs no more than its number.

mod batch;
mod checkpoint;
mod clip;
pub mod config;
pub mod data;
mod error;
pub mod export;
mod files;
mod lock;
mod model;
pub mod ops;
mod optimizer;
mod peak;
pub mod presets;
mod schedule;
mod trainer;

pub use batch::{Batch, Batches};
pub use config::TrainConfig;
pub use error::TrainError;
pub use lock::RunLock;
pub use model::{Model, Parameter};
pub use peak::peak_flops;
pub use trainer::{StepReport, Trainer};
