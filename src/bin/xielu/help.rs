//! What shells and `man` know of the command: made of its own definition.

use std::io::{Write as _, stdout};
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Command;
use clap_complete::Shell;

/// The name that the command is installed by.
const NAME: &str = "xielu";

/// Print the completions of a shell: what the tab key adds to a command line.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  xielu completions bash > ~/.local/share/bash-completion/completions/xielu
  xielu completions zsh > \"${fpath[1]}/_xielu\"
  xielu completions fish > ~/.config/fish/completions/xielu.fish")]
pub struct Completions {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

/// Write manual pages, one for the command and one for each of its own commands.
#[derive(Debug, clap::Args)]
#[command(hide = true)]
pub struct Man {
    /// The folder that gets them; it is made if it is not there
    folder: PathBuf,
}

pub fn complete(args: &Completions, mut command: Command) -> anyhow::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, NAME, &mut script);
    Ok(stdout().write_all(&script)?)
}

pub fn man(args: &Man, command: Command) -> anyhow::Result<()> {
    let failed = || format!("cannot write manual pages to {}", args.folder.display());
    std::fs::create_dir_all(&args.folder).with_context(failed)?;
    clap_mangen::generate_to(command, &args.folder).with_context(failed)
}
