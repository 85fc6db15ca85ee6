//! What a build without feature `train` answers to the commands of training.

use std::ffi::OsString;

use anyhow::bail;
use clap::Subcommand;

/// The commands that are not there.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Train a model
    #[command(hide = true, disable_help_flag = true)]
    Train(Ignored),
    /// Export the model of a run
    #[command(hide = true, disable_help_flag = true)]
    Export(Ignored),
    /// Compare activations
    #[command(hide = true, disable_help_flag = true)]
    Compare(Ignored),
}

/// Any arguments.
#[derive(Debug, clap::Args)]
pub struct Ignored {
    #[arg(allow_hyphen_values = true, trailing_var_arg = true)]
    _rest: Vec<OsString>,
}

impl Command {
    /// The error that says what is missing and how to get it.
    pub fn refuse(&self) -> anyhow::Result<()> {
        let name = match self {
            Command::Train(_) => "train",
            Command::Export(_) => "export",
            Command::Compare(_) => "compare",
        };
        bail!(
            "`xielu {name}` needs feature `train`, which this build does not have; build it with: \
             cargo install --path . --features cli,train"
        )
    }
}
