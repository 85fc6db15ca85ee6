//! Training: the model, whole runs, and CUDA devices.

#[cfg(xielu_train_cuda)]
mod cuda;
mod model;
mod run;
