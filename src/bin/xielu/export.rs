//! `xielu export`: the model of a checkpoint, as others read it.

use std::path::PathBuf;

use candle_core::DType;
use clap::ValueEnum;
use xielu::train::export::export;

use crate::train::run::{newest, weights};

/// Write the newest checkpoint of a run as a Hugging Face directory.
///
/// transformers reads models with xielu or relu2 and QK-norm (Apertus), and with swiglu (Llama,
/// Qwen3). `xielu quantize` makes a GGUF file of all.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  xielu export run model --dtype bf16
  xielu quantize model model-q8_0.gguf --type q8_0")]
pub struct Args {
    /// Directory of a run
    run: PathBuf,
    /// Directory to write; it must not exist or be empty
    output: PathBuf,
    /// Type of the weights
    #[arg(long, value_enum, default_value_t = DTypeArg::F32)]
    dtype: DTypeArg,
}

/// [`DType`] on the command line.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum DTypeArg {
    F32,
    Bf16,
}

pub fn run(args: &Args) -> anyhow::Result<()> {
    let (trainer, tokenizer) = newest(&args.run)?;
    let dtype = match args.dtype {
        DTypeArg::F32 => DType::F32,
        DTypeArg::Bf16 => DType::BF16,
    };
    export(&weights(trainer.model()), &tokenizer, dtype, &args.output)?;
    say!("wrote step {} to {}", trainer.step(), args.output.display());
    Ok(())
}
