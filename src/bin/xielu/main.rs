//! The `xielu` command.
#![forbid(unsafe_code)]

/// `println!` that returns an error instead of panicking when the reader has gone.
macro_rules! say {
    ($($arg:tt)*) => {
        std::io::Write::write_fmt(
            &mut crate::terminal::Escaping(std::io::stdout()),
            format_args!("{}\n", format_args!($($arg)*)),
        )?
    };
}

/// `eprintln!` that a standard error which cannot be written to does not stop.
macro_rules! tell {
    ($($arg:tt)*) => {{
        let _ = std::io::Write::write_fmt(
            &mut crate::terminal::Escaping(std::io::stderr()),
            format_args!("{}\n", format_args!($($arg)*)),
        );
    }};
}

mod args;
mod bench;
mod chat;
#[cfg(feature = "train")]
mod compare;
mod conversation;
mod device;
mod drawing;
#[cfg(feature = "train")]
mod export;
mod generate;
mod generation;
mod grammar;
mod help;
mod imatrix;
mod inspect;
mod interrupt;
mod model;
mod perplexity;
mod printer;
mod prompt_cache;
mod quantize;
mod report;
mod sampling;
mod selftest;
mod terminal;
mod text;
#[cfg(feature = "train")]
mod train;
mod usage;
mod windows;
#[cfg(not(feature = "train"))]
mod without_train;

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};

/// Run, measure and convert models trained with the xIELU activation.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100, after_help = EXAMPLES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
A MODEL is a GGUF file or a Hugging Face directory (config.json, *.safetensors, tokenizer.json).

Examples:
  xielu generate models/tiny-Q8_0.gguf --prompt 'The `Vec<T>` type is'
  xielu chat ./Apertus-8B-Instruct
  xielu perplexity models/tiny-Q8_0.gguf --text models/heldout.txt
  xielu inspect models/tiny-Q8_0.gguf --svg curves.svg

Environment:
  XIELU_ISA           instruction set of the kernels when --isa is not given
  XIELU_MAX_TEXT_MIB  a larger bound on tokenizer.json, config.json and the like, in MiB";

#[derive(Debug, Subcommand)]
enum Command {
    Inspect(inspect::Args),
    Generate(generate::Args),
    Chat(chat::Args),
    Perplexity(perplexity::Args),
    Quantize(quantize::Args),
    Imatrix(imatrix::Args),
    Bench(bench::Args),
    Selftest(selftest::Args),
    Completions(help::Completions),
    Man(help::Man),
    #[cfg(feature = "train")]
    Train(train::Args),
    #[cfg(feature = "train")]
    Export(export::Args),
    #[cfg(feature = "train")]
    Compare(compare::Args),
    #[cfg(not(feature = "train"))]
    #[command(flatten)]
    WithoutTrain(without_train::Command),
}

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(e) => return usage::report(&e),
    };
    let result = match cli.command {
        Command::Inspect(args) => inspect::run(&args),
        Command::Generate(args) => generate::run(&args),
        Command::Chat(args) => chat::run(&args),
        Command::Perplexity(args) => perplexity::run(&args),
        Command::Quantize(args) => quantize::run(&args),
        Command::Imatrix(args) => imatrix::run(&args),
        Command::Bench(args) => bench::run(&args),
        Command::Selftest(args) => selftest::run(&args),
        Command::Completions(args) => help::complete(&args, Cli::command()),
        Command::Man(args) => help::man(&args, Cli::command()),
        #[cfg(feature = "train")]
        Command::Train(args) => train::run(&args),
        #[cfg(feature = "train")]
        Command::Export(args) => export::run(&args),
        #[cfg(feature = "train")]
        Command::Compare(args) => compare::run(&args),
        #[cfg(not(feature = "train"))]
        Command::WithoutTrain(command) => command.refuse(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        // The reader of our output has gone (`xielu ... | head`): nothing to report.
        Err(e) if report::is_broken_pipe(&e) => ExitCode::SUCCESS,
        Err(e) if interrupt::requested() => {
            tell!("{}", report::message(&e));
            ExitCode::from(130)
        }
        Err(e) => {
            tell!("error: {}", report::message(&e));
            ExitCode::FAILURE
        }
    }
}
