//! `xielu quantize`: a model in smaller types.

mod convert;
mod importance;
mod report;
mod summary;
mod types;

use std::path::PathBuf;

use anyhow::{Context as _, bail};
use xielu::checkpoint::ModelView;
use xielu::checkpoint::gguf::SplitName;
use xielu::checkpoint::hf::{HfDir, VocabularyOptions};
use xielu::convert::{Conversion, Output};

use crate::args::ComputeArgs;
use crate::interrupt;
use crate::model::FileArgs;
use convert::convert;
use types::TypeArgs;

/// Write a model as a GGUF file with other types.
///
/// Norms and RoPE factors stay F32. The result appears at OUTPUT when it is complete, or not at
/// all. With --report nothing is written: the model is measured in every type, on a text.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
q4_k_m is q4_k with q5_k in down and attention, q6_k in attention's v and the embedding; q5_k_m is \
q5_k with q6_k in attention and the embedding. The output head of a model of 2 to 5 bits is q6_k \
unless --output-type says otherwise, as llama.cpp's quantizer does it. Where a \
row is not a multiple of 256 values, q4_k, q5_k and q6_k become q8_0, and q2_k, q3_k and iq4_xs \
iq4_nl; where it is not a multiple of 32, f16.

Examples:
  xielu quantize ./Apertus-8B apertus-q4_k_m.gguf --type q4_k_m
  xielu quantize model-bf16.gguf model-q4_0.gguf --type q4_0 --embeddings q8_0
  xielu quantize model-00001-of-00004.gguf model-q4_k.gguf --type q4_k --split-max-size 2G
  xielu quantize model-bf16.gguf small.gguf --up q4_k --down q5_k --rest q8_0 --force
  xielu imatrix model-bf16.gguf --text calibration.txt -o imatrix.gguf
  xielu quantize model-bf16.gguf model-q3_k.gguf --type q3_k --imatrix imatrix.gguf
  xielu quantize ./Apertus-8B --report --text wiki.test.raw --windows 8
  xielu quantize ./Apertus-8B --report --text wiki.test.raw --types q4_k,q3_k,iq4_xs")]
pub struct Args {
    /// GGUF file (any part, if it is split) or Hugging Face directory to read
    input: PathBuf,
    #[command(flatten)]
    file: FileArgs,
    /// GGUF file to write
    #[arg(required_unless_present = "report", conflicts_with = "report")]
    output: Option<PathBuf>,
    #[command(flatten)]
    types: TypeArgs,
    #[command(flatten)]
    report: report::ReportArgs,
    #[command(flatten)]
    compute: ComputeArgs,
    /// Importance matrix (of `xielu imatrix` or llama-imatrix): the scales of q2_k to q6_k, q4_0,
    /// q4_1, q5_0, q5_1, iq4_nl and iq4_xs are searched for by its weights. With --report, what
    /// that gains
    #[arg(long, value_name = "FILE")]
    imatrix: Option<PathBuf>,
    /// Replace OUTPUT if it exists
    #[arg(long)]
    force: bool,
    /// Write parts that hold at most SIZE bytes of tensors (such as 2G or 500M):
    /// OUTPUT-00001-of-00003.gguf and so on, with the metadata in the first
    #[arg(long, value_name = "SIZE", value_parser = part_size, conflicts_with = "report")]
    split_max_size: Option<u64>,
    /// Name of the pre-tokenizer (tokenizer.ggml.pre) to store for a Hugging Face directory;
    /// recognised from tokenizer.json when not given
    #[arg(long, value_name = "NAME")]
    pre: Option<String>,
    /// Leave the whole tokenizer.json of a Hugging Face directory out: what GGUF's other keys
    /// cannot hold is lost then
    #[arg(long)]
    no_tokenizer_json: bool,
    /// Leave the vocabulary out: the file can be run by token ids only
    #[arg(long, conflicts_with_all = ["pre", "no_tokenizer_json"])]
    no_tokenizer: bool,
    /// Show what became of every tensor
    #[arg(long, short)]
    verbose: bool,
}

pub fn run(args: &Args) -> anyhow::Result<()> {
    let Some(output) = &args.output else {
        args.compute.start_threads()?;
        let file = args.file.open(&args.input)?;
        let matrix = args.imatrix.as_deref().map(importance::read).transpose()?;
        interrupt::catch()?;
        return report::run(&args.report, &args.compute, file.into(), matrix.as_ref());
    };
    if args.report.text.is_some() {
        bail!("--text goes with --report and without an output");
    }
    let types = args.types.types()?;
    let shown = output.display();
    if output.is_dir() {
        bail!("{shown} is a directory; give the name of the GGUF file to write");
    }
    let output = Output { path: output, max_part: args.split_max_size, replace: args.force };
    if args.split_max_size.is_none() && output.path.is_file() && !args.force {
        bail!("{shown} exists; give --force to replace it");
    }
    args.compute.start_threads()?;
    let file = args.file.open(&args.input)?;
    let view = file.view()?;
    interrupt::catch()?;
    let conversion = match &view {
        ModelView::Hf(_) if args.no_tokenizer => Conversion::without_vocabulary(&view),
        ModelView::Hf(dir) => with_vocabulary(&view, dir, args)?,
        ModelView::Gguf(_) if args.pre.is_some() || args.no_tokenizer || args.no_tokenizer_json => {
            bail!(
                "--pre, --no-tokenizer and --no-tokenizer-json are for Hugging Face directories; \
                 a GGUF file keeps the vocabulary that it has"
            );
        }
        ModelView::Gguf(_) => Conversion::new(&view)?,
    };
    let matrix = args.imatrix.as_deref().map(importance::read).transpose()?;
    let conversion = match (&matrix, &args.imatrix) {
        (Some(matrix), Some(path)) => {
            importance::check(matrix, path)?;
            conversion.with_importance(matrix, &path.display().to_string())
        }
        _ => conversion,
    };
    let reports = convert(&conversion, output, &types)?;
    summary::print(&reports, args.verbose)?;
    if matrix.is_some() {
        importance::notes(&reports).iter().for_each(|note| tell!("note: {note}"));
    }
    match (args.split_max_size, reports.last()) {
        (Some(_), Some(last)) => {
            let name = SplitName::new(output.path, last.part + 1);
            let (first, count) = (name.path(1), name.count);
            say!("wrote {} ({count} in all)", first.display());
        }
        _ => say!("wrote {shown}"),
    }
    Ok(())
}

/// Bytes, or as many thousands, millions or milliards of them as llama.cpp's `gguf-split` means.
fn part_size(text: &str) -> Result<u64, String> {
    let (digits, unit) = match text.char_indices().next_back() {
        Some((at, 'K' | 'k')) => (text.get(..at), 1_000),
        Some((at, 'M' | 'm')) => (text.get(..at), 1_000_000),
        Some((at, 'G' | 'g')) => (text.get(..at), 1_000_000_000),
        _ => (Some(text), 1),
    };
    let number = digits.and_then(|digits| digits.parse::<u64>().ok());
    let bytes = number.and_then(|number| number.checked_mul(unit)).filter(|&bytes| bytes > 0);
    bytes.ok_or_else(|| "a size is a number of bytes, or one with K, M or G".to_owned())
}

/// A directory's model with its vocabulary; says what other programs will not read of it.
fn with_vocabulary<'a, 'w>(
    view: &'a ModelView<'w>,
    dir: &HfDir,
    args: &Args,
) -> anyhow::Result<Conversion<'a, 'w>> {
    let options =
        VocabularyOptions { pre: args.pre.as_deref(), without_json: args.no_tokenizer_json };
    let conversion = Conversion::with_vocabulary(view, options);
    let conversion = conversion.context("cannot convert the tokenizer")?;
    match conversion.vocabulary() {
        Some(vocabulary) => vocabulary.lost.iter().for_each(|lost| tell!("note: {lost}")),
        None => {
            let path = dir.tokenizer_path();
            tell!("note: {} is missing: the file gets no vocabulary", path.display());
        }
    }
    Ok(conversion)
}
