//! `xielu selftest`: does this machine compute what it should?

mod activation;
mod check;
mod product;
#[cfg(feature = "micromath")]
mod rough;
mod weights;

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use xielu::checkpoint::ModelFile;
use xielu::kernels::{Isa, Kernels};
use xielu::llama::{KvType, argmax};
use xielu::session::SessionOptions;

use crate::args::ComputeArgs;
use crate::model::{FileArgs, load, reserve};

/// Check the kernels of this machine, and a model if one is given.
///
/// The activation and matrix products are compared with double precision, block encoding with the
/// scalar kernels. All scales and values of a model must be finite; those that are not are
/// named. It generates a few tokens greedily, which must be the same ones as with the scalar
/// kernels.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  xielu selftest
  xielu selftest models/tiny-Q8_0.gguf --isa avx2")]
pub struct Args {
    /// GGUF file or Hugging Face directory to run
    model: Option<PathBuf>,
    #[command(flatten)]
    file: FileArgs,
    #[command(flatten)]
    compute: ComputeArgs,
}

/// Tokens of the greedy run.
const TOKENS: usize = 16;

pub fn run(args: &Args) -> anyhow::Result<()> {
    let kernels = args.compute.kernels()?;
    let runs = Isa::ALL.into_iter().filter(|isa| isa.is_available()).map(Isa::name);
    say!("this machine runs: {}", runs.collect::<Vec<_>>().join(", "));
    say!("checking: {}", kernels.isa());
    let mut checks = activation::checks(&kernels);
    checks.extend(product::checks(&kernels));
    #[cfg(feature = "micromath")]
    checks.extend(rough::checks());
    if let Some(path) = &args.model {
        let greedy = format!("greedy run of {}", path.display());
        match args.file.open(path) {
            Ok(file) => {
                checks.extend(weights::checks(&file));
                checks.push((greedy, greedy_run(&file.into(), kernels)));
            }
            Err(e) => checks.push((greedy, Err(e.into()))),
        }
    }
    let mut failed = 0;
    for (name, result) in &checks {
        match result {
            Ok(found) => say!("  ok      {name}: {found}"),
            Err(e) => {
                failed += 1;
                say!("  FAILED  {name}: {e:#}");
            }
        }
    }
    if failed > 0 {
        bail!("{failed} of {} checks failed, see the lines above", checks.len());
    }
    say!("all {} checks passed", checks.len());
    Ok(())
}

fn greedy_run(file: &Arc<ModelFile>, kernels: Kernels) -> anyhow::Result<String> {
    let greedy = |kernels| {
        let options = SessionOptions {
            batch: 1,
            kv_type: KvType::F32,
            threads: Some(1),
            kernels,
            ..SessionOptions::default()
        };
        let mut session = load(file.clone(), &options)?;
        reserve(&mut session, TOKENS, "end other programs")?;
        let mut logits = vec![0.0; session.config().output_vocab_size];
        session.with_decoder(|decoder| {
            let mut ids = vec![0];
            for position in 0..TOKENS {
                decoder.step(ids[position], &mut logits)?;
                ids.push(argmax(&logits).context("no token is the likeliest")?);
            }
            Ok::<_, anyhow::Error>(ids)
        })?
    };
    let (ids, scalar) = (greedy(kernels)?, greedy(Kernels::scalar())?);
    if ids != scalar {
        bail!("{} gives {ids:?}, scalar gives {scalar:?}", kernels.isa());
    }
    Ok(format!("{TOKENS} tokens, the same with scalar kernels"))
}
