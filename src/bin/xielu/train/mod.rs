//! `xielu train`: a model from text.

pub mod charts;
mod config;
pub mod device;
pub mod log;
pub mod plots;
pub mod progress;
pub mod run;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use xielu::checkpoint::AtomicFile;
use xielu::train::data;
use xielu::train::export::Family;
use xielu::train::{RunLock, TrainConfig};

use crate::interrupt;
pub use config::ConfigArgs;
use device::DeviceArgs;
use run::{Run, RunDir};

/// Train a model.
///
/// The directory gets the configuration (config.toml), the tokens of the text (data/), a log of
/// every step (log.jsonl), drawings of it (loss.svg, alphas.svg), checkpoints, and at the end the
/// model as a Hugging Face directory (model/).
#[derive(Debug, clap::Args)]
#[command(after_help = "\
One process at a time works in DIR. Ctrl-C saves a checkpoint; --resume goes on from the newest one, to the same bits.

Examples:
  xielu train --list
  xielu train --preset smoke --data models/heldout.txt --out run
  xielu train --preset tiny --data corpus.txt --validation heldout.txt --out run --threads 2
  xielu train my.toml --set optimizer.learning_rate=1e-3 --set run.seed=1 --out run-1
  xielu train --resume --out run")]
pub struct Args {
    #[command(flatten)]
    config: ConfigArgs,
    /// Directory of the run; it must not exist or be empty
    #[arg(long, value_name = "DIR", required_unless_present = "list")]
    out: Option<PathBuf>,
    /// Go on with the run in DIR, with its own configuration
    #[arg(long)]
    resume: bool,
    /// Number of threads, all cores when not given; any number gives the same bits
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    threads: Option<u16>,
    #[command(flatten)]
    device: DeviceArgs,
    /// List the configurations that are ready to run
    #[arg(long, exclusive = true)]
    list: bool,
}

pub fn run(args: &Args) -> anyhow::Result<()> {
    let Some(out) = &args.out else { return config::list() };
    let dir = RunDir(out.clone());
    let machine = args.device.open()?;
    let lock;
    let mut config = if args.resume {
        if !args.config.is_empty() {
            bail!("--resume goes on with the run as it began: give it --out and --threads only");
        }
        // A directory without a run gets no lock.
        run::read_config(&dir)?;
        lock = RunLock::take(&dir.0)?;
        run::read_config(&dir)?
    } else {
        let config = args.config.read()?;
        let config = with_threads(config, args.threads);
        lock = begin(&dir, &config)?;
        config
    };
    config = with_threads(config, args.threads);
    start_threads(&config)?;
    interrupt::catch()?;
    warn_of_family(&config)?;
    let dataset = open_data(&config, &dir.data(), dir.checkpoints().exists())?;
    tell!("{} parameters", config.model.parameter_count()?);
    let resume = format!("xielu train --resume --out {}", out.display());
    let (dir, config, dataset) = (&dir, &config, &dataset);
    Run { dir, config, dataset, machine: &machine, name: "", resume: &resume }.finish()?;
    drop(lock);
    report(dir)
}

fn with_threads(mut config: TrainConfig, threads: Option<u16>) -> TrainConfig {
    config.run.threads = threads.map_or(config.run.threads, usize::from);
    config
}

/// Makes the threads asked for; once in a process.
pub fn start_threads(config: &TrainConfig) -> anyhow::Result<()> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(config.run.threads);
    pool.build_global().context("the threads cannot be started")
}

/// Makes the directory of a new run, and holds it.
fn begin(dir: &RunDir, config: &TrainConfig) -> anyhow::Result<RunLock> {
    let cannot = || format!("cannot write to {}", dir.0.display());
    if dir.0.exists() {
        check_empty(dir)?;
    }
    // What cannot be read is said before anything is written.
    data::find(&config.data.train)?;
    std::fs::create_dir_all(&dir.0).with_context(cannot)?;
    let lock = RunLock::take(&dir.0)?;
    // Another run may have begun, and even ended, since.
    check_empty(dir)?;
    AtomicFile::write(dir.config(), config.to_toml()?.as_bytes()).with_context(cannot)?;
    Ok(lock)
}

/// Fails if something is in the directory besides the lock.
fn check_empty(dir: &RunDir) -> anyhow::Result<()> {
    let shown = dir.0.display();
    let entries = std::fs::read_dir(&dir.0).with_context(|| format!("cannot read {shown}"))?;
    for entry in entries {
        if !RunLock::is_lock(&entry?.file_name()) {
            bail!(
                "{shown} is not empty; give --resume to go on with the run in it, \
                 or another directory"
            );
        }
    }
    Ok(())
}

/// The data of a run: made, or that of a run which goes on.
pub fn open_data(config: &TrainConfig, dir: &Path, goes_on: bool) -> anyhow::Result<data::Dataset> {
    let dataset = if goes_on {
        data::open(config, dir)?
    } else {
        data::prepare(config, dir, progress::data()?)?
    };
    let train = &dataset.train;
    tell!("{} tokens of text, {} sequences an epoch", train.tokens(), train.per_epoch());
    if let Some(validation) = &dataset.validation {
        tell!("validation: {} windows of {}", validation.windows(), validation.length());
    }
    Ok(dataset)
}

/// Says beforehand what will not read the model.
fn warn_of_family(config: &TrainConfig) -> anyhow::Result<()> {
    let shape = config.model.to_config()?;
    if Family::of(&shape) == Family::XieluLlama {
        tell!(
            "note: this library alone will read the model; transformers has no class for it \
             (it has one for xielu and relu2 with model.qk_norm = true, and for swiglu)"
        );
    }
    Ok(())
}

/// What came out.
fn report(dir: &RunDir) -> anyhow::Result<()> {
    let records = log::read(&dir.0.join("log.jsonl"))?;
    if let Some(loss) = log::evaluations(&records).last().and_then(|e| e.validation_loss) {
        say!("validation loss {loss:.5}, perplexity {:.4}", loss.exp());
    }
    say!("wrote {}", dir.model().display());
    Ok(())
}
