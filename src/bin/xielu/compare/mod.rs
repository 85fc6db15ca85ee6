//! `xielu compare`: the activations side by side, at equal parameters and tokens.

mod report;

use std::path::PathBuf;

use anyhow::{Context as _, bail};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use xielu::activation::ActivationKind;
use xielu::checkpoint::AtomicFile;
use xielu::train::config::ACTIVATIONS;
use xielu::train::data;
use xielu::train::{RunLock, TrainConfig};

use crate::interrupt;
use crate::train::device::{DeviceArgs, Machine};
use crate::train::run::{Run, RunDir};
use crate::train::{ConfigArgs, open_data, start_threads};
use report::Trained;

/// Train the same model with several activations and seeds, and compare.
///
/// A gated MLP has three matrices in place of two, so swiglu gets 2/3 of the width: the number of
/// parameters is the same, as is the text. The result is a table (comparison.md, comparison.csv)
/// and drawings (loss.svg, perplexity.svg, alphas.svg), written again after every run.
///
/// The same command again goes on where it was; runs that are finished are not repeated.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  xielu compare --preset smoke --data models/heldout.txt \\
      --set data.validation_fraction=0.2 --out comparison
  xielu compare --preset tiny --data corpus.txt --validation heldout.txt --steps 1000 \\
      --seeds 0,1,2 --out comparison --threads 2")]
pub struct Args {
    #[command(flatten)]
    config: ConfigArgs,
    /// Directory of the comparison
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Seeds of weights and order of the text; every activation is trained with each
    #[arg(long, value_name = "SEEDS", value_delimiter = ',', default_value = "0,1,2")]
    seeds: Vec<u64>,
    /// Activations to compare
    #[arg(
        long,
        value_parser = named(),
        value_delimiter = ',',
        default_value = "xielu,xiprelu,relu2,swiglu"
    )]
    activations: Vec<Named>,
    /// Number of threads; all cores when not given
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    threads: Option<u16>,
    #[command(flatten)]
    device: DeviceArgs,
}

/// An activation by its name.
type Named = (&'static str, ActivationKind);

/// One of [`ACTIVATIONS`].
fn named() -> impl TypedValueParser<Value = Named> {
    PossibleValuesParser::new(ACTIVATIONS.map(|(name, _)| name)).try_map(|name| {
        ACTIVATIONS.into_iter().find(|(known, _)| *known == name).ok_or("no such activation")
    })
}

pub fn run(args: &Args) -> anyhow::Result<()> {
    let mut base = args.config.read()?;
    if base.data.validation.is_none() && base.data.validation_fraction.is_none() {
        bail!(
            "nothing to compare by: give --validation FILE or --set data.validation_fraction=0.05"
        );
    }
    base.run.threads = args.threads.map_or(base.run.threads, usize::from);
    let machine = args.device.open()?;
    let dir = RunDir(args.out.clone());
    let _lock = begin(&dir, &base)?;
    start_threads(&base)?;
    interrupt::catch()?;
    open_data(&base, &dir.data(), false)?;
    for &(name, activation) in &args.activations {
        let model = base.model.with_activation(activation);
        let (parameters, ffn) = (model.parameter_count()?, model.intermediate_size);
        say!("{name:<8} {parameters} parameters, ffn {ffn}");
    }
    // Seed by seed, so that a comparison that is cut short has compared something.
    let mut trained = Vec::new();
    for &seed in &args.seeds {
        for activation in &args.activations {
            trained.push(train(&dir, &base, &machine, *activation, seed)?);
            report::write(&dir.0, &base, &trained)?;
        }
    }
    say!("\n{}", report::table(&trained));
    say!("wrote {}", dir.0.display());
    Ok(())
}

/// Makes the directory, or finds it with the same configuration, and holds it.
fn begin(dir: &RunDir, config: &TrainConfig) -> anyhow::Result<RunLock> {
    let shown = dir.0.display();
    data::find(&config.data.train)?;
    let toml = config.to_toml()?;
    match std::fs::read_to_string(dir.config()) {
        Ok(found) if found == toml => return Ok(RunLock::take(&dir.0)?),
        Ok(_) => bail!("{shown} has a comparison with another configuration; give another --out"),
        Err(_) => {}
    }
    let is_empty = std::fs::read_dir(&dir.0).map_or(true, |entries| {
        entries.flatten().all(|entry| RunLock::is_lock(&entry.file_name()))
    });
    if !is_empty {
        bail!("{shown} is not empty and has no comparison; give another --out");
    }
    let cannot = || format!("cannot write to {shown}");
    std::fs::create_dir_all(&dir.0).with_context(cannot)?;
    let lock = RunLock::take(&dir.0)?;
    AtomicFile::write(dir.config(), toml.as_bytes()).with_context(cannot)?;
    Ok(lock)
}

/// Trains one model, unless that is done.
fn train(
    dir: &RunDir,
    base: &TrainConfig,
    machine: &Machine,
    (activation_name, activation): Named,
    seed: u64,
) -> anyhow::Result<Trained> {
    let name = format!("{activation_name}-seed{seed}");
    let run_dir = RunDir(dir.0.join(&name));
    let mut config = base.clone();
    config.model = base.model.with_activation(activation);
    config.run.seed = seed;
    if !run_dir.model().exists() {
        let toml = config.to_toml()?;
        let cannot = || format!("cannot write to {}", run_dir.0.display());
        std::fs::create_dir_all(&run_dir.0).with_context(cannot)?;
        let _lock = RunLock::take(&run_dir.0)?;
        AtomicFile::write(run_dir.config(), toml.as_bytes()).with_context(cannot)?;
        let dataset = data::open(&config, &dir.data())?;
        let (name, resume) = (format!("{name}: "), "the same command");
        let (dir, config, dataset, name) = (&run_dir, &config, &dataset, name.as_str());
        Run { dir, config, dataset, machine, name, resume }.finish()?;
    }
    Trained::read(&run_dir, activation_name, seed, &config)
}
