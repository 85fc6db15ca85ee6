//! Arguments that several commands share.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, bail};
use clap::ValueEnum;
use xielu::kernels::{Isa, Kernels};
use xielu::llama::KvType;
use xielu::{Backend, Rayon};

use crate::model::{FileArgs, ModelFile};

/// What computes, and on how many threads.
#[derive(Debug, clap::Args)]
pub struct ComputeArgs {
    /// Instruction set of the kernels; the fastest this machine runs when not given
    #[arg(long, value_name = "NAME", env = "XIELU_ISA", hide_env_values = true)]
    pub isa: Option<Isa>,
    /// Number of threads; all cores when not given
    #[arg(long, short_alias = 't', value_name = "N",
          value_parser = clap::value_parser!(u16).range(1..))]
    pub threads: Option<u16>,
}

impl ComputeArgs {
    /// The kernels asked for, and the threads made.
    pub fn backend(&self) -> anyhow::Result<Backend<'static>> {
        self.start_threads()?;
        Ok(Backend::new(self.kernels()?, &Rayon))
    }

    /// Makes the threads asked for, once in a process: before anything that may make others.
    pub fn start_threads(&self) -> anyhow::Result<()> {
        static STARTED: AtomicBool = AtomicBool::new(false);
        let Some(threads) = self.threads else { return Ok(()) };
        if STARTED.swap(true, Ordering::Relaxed) {
            return Ok(());
        }
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads.into());
        pool.build_global().context("the threads cannot be started")
    }

    /// The kernels asked for.
    pub fn kernels(&self) -> anyhow::Result<Kernels> {
        let Some(isa) = self.isa else { return Ok(Kernels::detect()) };
        match Kernels::for_isa(isa) {
            Some(kernels) => Ok(kernels),
            None => {
                let runs = Isa::ALL.into_iter().filter(|isa| isa.is_available());
                let runs: Vec<_> = runs.map(|isa| isa.name()).collect();
                bail!("this machine does not run {isa}; --isa can be: {}", runs.join(", "))
            }
        }
    }
}

/// A model and how its decoder runs.
#[derive(Debug, clap::Args)]
pub struct ModelArgs {
    /// GGUF file (any part, if it is split) or Hugging Face directory
    #[arg(required_unless_present = "model_option")]
    model: Option<PathBuf>,
    /// The model, as other programs take it
    #[arg(
        short = 'm',
        long = "model",
        value_name = "MODEL",
        hide = true,
        conflicts_with = "model"
    )]
    model_option: Option<PathBuf>,
    #[command(flatten)]
    file: FileArgs,
    /// How cached keys and values are stored
    #[arg(long, value_enum, default_value_t = KvArg::F16)]
    pub kv_type: KvArg,
    /// Run the MLP in tiles that never hold the whole hidden vector: less memory, same result
    #[arg(long)]
    pub tiled_mlp: bool,
    /// Copy the weights to an order that is faster for a few tokens at a time; says what the copy
    /// takes
    #[arg(long)]
    pub pack: bool,
    /// Compute xIELU and the softmax by approximations, as a microcontroller without an FPU may
    #[cfg(feature = "micromath")]
    #[arg(long)]
    pub rough: bool,
    #[command(flatten)]
    pub compute: ComputeArgs,
}

impl ModelArgs {
    /// What a command line with nothing but a model says, with another type of cache.
    pub fn plain(model: &Path, kv_type: KvArg) -> Self {
        ModelArgs {
            model: Some(model.into()),
            model_option: None,
            file: FileArgs::default(),
            kv_type,
            tiled_mlp: false,
            pack: false,
            #[cfg(feature = "micromath")]
            rough: false,
            compute: ComputeArgs { isa: None, threads: None },
        }
    }

    /// Makes the threads asked for and opens the model.
    pub fn open(&self) -> anyhow::Result<ModelFile> {
        self.compute.start_threads()?;
        // One of the two arguments is there.
        let path = self.model.as_ref().or(self.model_option.as_ref());
        Ok(self.file.open(path.map_or(Path::new(""), PathBuf::as_path))?)
    }

    /// As [`ComputeArgs::backend`], with the functions asked for.
    pub fn backend(&self) -> anyhow::Result<Backend<'static>> {
        let backend = self.compute.backend()?;
        #[cfg(feature = "micromath")]
        if self.rough {
            return Ok(backend.with_rough_functions());
        }
        Ok(backend)
    }
}

/// [`KvType`] on the command line.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum KvArg {
    F32,
    F16,
    Bf16,
    #[value(name = "q8_0")]
    Q8_0,
}

impl From<KvArg> for KvType {
    fn from(arg: KvArg) -> Self {
        match arg {
            KvArg::F32 => KvType::F32,
            KvArg::F16 => KvType::F16,
            KvArg::Bf16 => KvType::BF16,
            KvArg::Q8_0 => KvType::Q8_0,
        }
    }
}
