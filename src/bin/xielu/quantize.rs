//! `xielu quantize`: a model in smaller types.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use anyhow::bail;
use clap::ValueEnum;
use indicatif::{ProgressBar, ProgressStyle};
use xielu::kernels::DType;
use xielu::quant::ErrorStats;
use xielu::quant::convert::{
    ConvertError, Progress, TensorReport, Types, convert_gguf, convert_hf,
};

use crate::interrupt;
use crate::model::{ModelFile, ModelView};

/// Write a model as a GGUF file with other types.
///
/// Norms and RoPE factors stay F32. The result appears at OUT when it is complete, or not at
/// all.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A Q4_0 model has a Q8_0 output head unless --output-type says otherwise, as llama.cpp's \
quantizer does it.

Examples:
  xielu quantize ./Apertus-8B apertus-q8_0.gguf --type q8_0
  xielu quantize model-bf16.gguf model-q4_0.gguf --type q4_0 --embeddings q8_0
  xielu quantize model-bf16.gguf small.gguf --mlp q4_0 --rest q8_0 --force")]
pub struct Args {
    /// GGUF file or Hugging Face directory to read
    input: PathBuf,
    /// GGUF file to write
    output: PathBuf,
    #[command(flatten)]
    types: TypeArgs,
    /// Replace OUT if it exists
    #[arg(long)]
    force: bool,
    /// Name of the pre-tokenizer (tokenizer.ggml.pre) to store for a Hugging Face directory;
    /// recognised from tokenizer.json when not given
    #[arg(long, value_name = "NAME")]
    pre: Option<String>,
    /// Show what became of every tensor
    #[arg(long, short)]
    verbose: bool,
}

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = true)]
struct TypeArgs {
    /// Type of everything that the options below do not name
    #[arg(long = "type", value_enum, value_name = "TYPE", ignore_case = true)]
    all: Option<TypeArg>,
    /// Type of the MLP's matrices (up, down, gate)
    #[arg(long, value_enum, value_name = "TYPE", ignore_case = true)]
    mlp: Option<TypeArg>,
    /// Type of every other matrix
    #[arg(long, value_enum, value_name = "TYPE", ignore_case = true)]
    rest: Option<TypeArg>,
    /// Type of the token embedding
    #[arg(long, value_enum, value_name = "TYPE", ignore_case = true)]
    embeddings: Option<TypeArg>,
    /// Type of the output head
    #[arg(long, value_enum, value_name = "TYPE", ignore_case = true)]
    output_type: Option<TypeArg>,
}

/// [`DType`] on the command line.
#[derive(Clone, Copy, Debug, ValueEnum)]
#[value(rename_all = "snake_case")]
enum TypeArg {
    #[value(name = "q4_0")]
    Q4_0,
    #[value(name = "q8_0")]
    Q8_0,
    F16,
    Bf16,
    F32,
}

impl From<TypeArg> for DType {
    fn from(arg: TypeArg) -> Self {
        match arg {
            TypeArg::Q4_0 => DType::Q4_0,
            TypeArg::Q8_0 => DType::Q8_0,
            TypeArg::F16 => DType::F16,
            TypeArg::Bf16 => DType::BF16,
            TypeArg::F32 => DType::F32,
        }
    }
}

impl TypeArgs {
    fn types(&self) -> anyhow::Result<Types> {
        let part = |one: Option<TypeArg>, flag: &str| match one.or(self.all) {
            Some(arg) => Ok(DType::from(arg)),
            None => bail!("nothing says what type the {flag} part gets; give --type or --{flag}"),
        };
        Ok(Types {
            mlp: part(self.mlp, "mlp")?,
            rest: part(self.rest, "rest")?,
            embeddings: self.embeddings.map(DType::from),
            output: self.output_type.map(DType::from),
        })
    }
}

pub fn run(args: &Args) -> anyhow::Result<()> {
    let types = args.types.types()?;
    let shown = args.output.display();
    if args.output.is_dir() {
        bail!("{shown} is a directory; give the name of the GGUF file to write");
    }
    if args.output.is_file() && !args.force {
        bail!("{shown} exists; give --force to replace it");
    }
    let file = ModelFile::open(&args.input)?;
    let view = file.view()?;
    interrupt::catch()?;
    let reports = match convert(&view, &args.output, &types, args.pre.as_deref()) {
        Ok(reports) => reports,
        Err(ConvertError::Cancelled) => bail!("interrupted; nothing was written"),
        // These texts name their causes themselves.
        Err(e @ ConvertError::Io { .. }) => bail!("{e}"),
        Err(e) => bail!("cannot convert {}: {e}", args.input.display()),
    };
    print_summary(&reports, args.verbose)?;
    say!("wrote {shown}");
    Ok(())
}

fn convert(
    view: &ModelView<'_>,
    output: &Path,
    types: &Types,
    pre: Option<&str>,
) -> Result<Vec<TensorReport>, ConvertError> {
    let style = ProgressStyle::with_template("{bar:32} {bytes}/{total_bytes} {msg}");
    let bar = ProgressBar::new(0).with_style(style.unwrap_or(ProgressStyle::default_bar()));
    let progress = |p: Progress<'_>| {
        bar.set_length(p.total);
        bar.set_position(p.done);
        bar.set_message(p.tensor.to_owned());
        if interrupt::requested() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let reports = match view {
        ModelView::Gguf(gguf) => convert_gguf(gguf, output, types, progress),
        ModelView::Hf(dir) => convert_hf(dir, output, types, pre, progress),
    };
    bar.finish_and_clear();
    reports
}

/// Sums over the tensors of one change of type.
#[derive(Default)]
struct Group {
    tensors: usize,
    before: u64,
    after: u64,
    error: ErrorStats,
}

fn print_summary(reports: &[TensorReport], verbose: bool) -> anyhow::Result<()> {
    let mut groups: Vec<((DType, DType), Group)> = Vec::new();
    say!(
        "{:<28} {:>8} {:>13} {:>13} {:>10} {:>12} {:>9}",
        "",
        "tensors",
        "bytes before",
        "bytes after",
        "max error",
        "relative rms",
        "SNR dB"
    );
    for r in reports {
        let one =
            Group { tensors: 1, before: r.bytes_before, after: r.bytes_after, error: r.error };
        if verbose {
            print_group(&format!("{} {}", r.name, r.to), &one)?;
        }
        if r.fell_back {
            eprintln!(
                "warning: {} became {}: its rows of {} are not whole blocks",
                r.name, r.to, r.shape[1]
            );
        }
        let index = groups.iter().position(|(key, _)| *key == (r.from, r.to));
        match index.and_then(|i| groups.get_mut(i)) {
            Some((_, group)) => group.add(&one),
            None => groups.push(((r.from, r.to), one)),
        }
    }
    let mut together = Group::default();
    for ((from, to), group) in &groups {
        print_group(&format!("{from} -> {to}"), group)?;
        together.add(group);
    }
    print_group("together", &together)
}

impl Group {
    fn add(&mut self, other: &Group) {
        self.tensors += other.tensors;
        self.before += other.before;
        self.after += other.after;
        self.error.merge(&other.error);
    }
}

fn print_group(name: &str, g: &Group) -> anyhow::Result<()> {
    let error = match g.error.count() {
        0 => format!("{:>10} {:>12} {:>9}", "-", "-", "-"),
        _ => format!(
            "{:>10.2e} {:>12.2e} {:>9.1}",
            g.error.max_abs(),
            g.error.relative_rms(),
            g.error.snr_db()
        ),
    };
    say!("{name:<28} {:>8} {:>13} {:>13} {error}", g.tensors, g.before, g.after);
    Ok(())
}
