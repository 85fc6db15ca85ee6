//! Arguments that several commands share.

use std::str::FromStr;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, bail};
use clap::ValueEnum;
use xielu::kernels::{Isa, Kernels};
use xielu::llama::KvType;
use xielu::{Backend, Rayon};

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

/// The most tokens to generate; `None` without a limit.
#[derive(Clone, Copy, Debug)]
pub struct Limit(pub Option<usize>);

impl FromStr for Limit {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "-1" | "none" => Ok(Limit(None)),
            _ => Ok(Limit(Some(text.parse().map_err(|_| "not a number of tokens")?))),
        }
    }
}
