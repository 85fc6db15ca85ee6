//! `xielu inspect`: what a model is made of.

mod alphas;
#[cfg(feature = "cuda")]
mod device_memory;
mod json;
mod memory;
mod plot;
mod svg;
mod tensors;
mod text;

use std::io::{BufWriter, Write, stdout};
use std::path::PathBuf;

use anyhow::Context as _;
use xielu::checkpoint::{AtomicFile, ModelFile, ModelView};
use xielu::config::RopeScaling;
use xielu::{Config, Error, escaped};

use crate::device::Device;
use crate::drawing::fixed;
use crate::model::FileArgs;
use crate::terminal::Escaping;
use alphas::LayerAlphas;
use memory::MemoryArgs;

/// Show a model's configuration, tensors and learned activations.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Files with tensor types that cannot be computed with are listed all the same.

Examples:
  xielu inspect models/tiny-Q8_0.gguf
  xielu inspect ./Apertus-8B --no-tensors --svg curves.svg
  xielu inspect model.gguf --json | jq '.tensors[] | select(.type == \"F32\").name'
  xielu inspect models/tiny-Q8_0.gguf --memory --context 64 --tile 32")]
pub struct Args {
    /// GGUF file (any part, if it is split) or Hugging Face directory
    model: PathBuf,
    #[command(flatten)]
    file: FileArgs,
    /// Draw the learned curve of every layer into this file
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Leave out the list of tensors
    #[arg(long)]
    no_tensors: bool,
    /// List GGUF metadata too
    #[arg(long)]
    metadata: bool,
    /// Print one JSON object: configuration, tensors, activations
    #[arg(long, conflicts_with_all = ["memory", "metadata"])]
    json: bool,
    #[command(flatten)]
    memory: MemoryArgs,
}

pub fn run(args: &Args) -> anyhow::Result<()> {
    let on_device = args.memory.memory && args.memory.device != Device::Cpu;
    #[cfg(not(feature = "cuda"))]
    if on_device {
        return Err(crate::device::no_cuda(args.memory.device));
    }
    let file = args.file.open(&args.model)?;
    let view = file.view()?;
    let config = view.checkpoint().config();
    if args.json {
        let layers = activations(&view, &config)?;
        let whole = json::whole(&file, &view, &config, &layers, !args.no_tensors)?;
        say!("{}", serde_json::to_string_pretty(&whole)?);
        return draw(args, &file, &layers);
    }
    let mut out = Escaping(BufWriter::new(stdout().lock()));
    writeln!(out, "{}", file.path().display())?;
    if let ModelView::Gguf(model) = &view {
        let gguf = model.first();
        let name = gguf.get_str("general.architecture").unwrap_or("unnamed");
        let parts = match model.split().parts().len() {
            1 => String::new(),
            parts => format!(", in {parts} parts"),
        };
        let (version, name) = (gguf.version(), escaped(name));
        writeln!(out, "GGUF version {version}, architecture {name}{parts}")?;
        if gguf.prefixed_alpha_keys() {
            tell!(
                "warning: the alphas stand under keys with an architecture prefix, \
                 which llama.cpp does not read; `xielu quantize` writes the usual keys"
            );
        }
        if args.metadata {
            print_metadata(&mut out, gguf)?;
        }
    }
    match &config {
        Ok(config) => print_config(&mut out, config)?,
        Err(e) => writeln!(out, "\nThis library cannot run the model: {e}")?,
    }
    text::print(&mut out, &view)?;
    #[cfg(feature = "cuda")]
    if on_device {
        device_memory::print(&mut out, &args.memory, view.checkpoint())?;
        return Ok(out.flush()?);
    }
    if args.memory.memory {
        let config = config.context("memory can be told only for models that can run")?;
        let weights = tensors::total_bytes(&view)?;
        let widened = match &view {
            ModelView::Hf(dir) => dir.widened_bytes() as u64,
            ModelView::Gguf(_) => 0,
        };
        let sizes = [weights, widened];
        memory::print(&mut out, &args.memory, &config, file.file_size(), sizes)?;
        return Ok(out.flush()?);
    }
    if !args.no_tensors {
        tensors::print_list(&mut out, &view)?;
    }
    tensors::print_totals(&mut out, &view)?;
    let layers = activations(&view, &config)?;
    if !layers.is_empty() {
        print_alphas(&mut out, &layers)?;
    }
    out.flush()?;
    draw(args, &file, &layers)
}

/// The learned activations; none where the model has none, or cannot run.
fn activations(
    view: &ModelView<'_>,
    config: &Result<Config, Error>,
) -> anyhow::Result<Vec<LayerAlphas>> {
    match config {
        Ok(config) if config.hidden_act.has_alphas() => alphas::read(view.checkpoint(), config),
        _ => Ok(Vec::new()),
    }
}

/// Draws the activations, if that is wanted.
fn draw(args: &Args, file: &ModelFile, layers: &[LayerAlphas]) -> anyhow::Result<()> {
    let Some(path) = &args.svg else { return Ok(()) };
    anyhow::ensure!(!layers.is_empty(), "the model has no learned activations to draw");
    let title = format!("Learned activations of {}", shown_name(file));
    let drawing = svg::draw(&title, layers)?;
    AtomicFile::write(path, drawing.as_bytes())
        .with_context(|| format!("cannot write {}", path.display()))?;
    tell!("wrote {}", path.display());
    Ok(())
}

fn shown_name(file: &ModelFile) -> String {
    let path = file.path();
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

fn print_metadata(
    out: &mut impl Write,
    gguf: &xielu::checkpoint::gguf::Gguf<'_>,
) -> anyhow::Result<()> {
    use xielu::checkpoint::gguf::Value;
    writeln!(out, "\nMetadata")?;
    for (key, value) in gguf.metadata() {
        let key = escaped(key).to_string();
        match value {
            Value::Array(array) => {
                let kind = array.element_type();
                writeln!(out, "  {key:<44} {} of {kind:?}", array.len())?;
            }
            Value::Str(text) => writeln!(out, "  {key:<44} {text:?}")?,
            Value::BadStr(bytes) => {
                let text = String::from_utf8_lossy(bytes);
                writeln!(out, "  {key:<44} {text:?} (not UTF-8)")?;
            }
            value => writeln!(out, "  {key:<44} {value:?}")?,
        }
    }
    Ok(())
}

fn print_config(out: &mut impl Write, c: &Config) -> anyhow::Result<()> {
    writeln!(out, "\nConfiguration")?;
    let mut row = |name: &str, value: String| writeln!(out, "  {name:<16} {value}");
    row("activation", format!("{:?}", c.hidden_act).to_lowercase())?;
    row("layers", c.num_layers.to_string())?;
    row("hidden", c.hidden_size.to_string())?;
    row("ffn", c.intermediate_size.to_string())?;
    row("heads", format!("{} / {} kv x {}", c.num_heads, c.num_kv_heads, c.head_dim))?;
    row("vocabulary", c.vocab_size.to_string())?;
    if c.output_vocab_size != c.vocab_size {
        row("output rows", c.output_vocab_size.to_string())?;
    }
    row("context", c.context_length.to_string())?;
    row("RoPE", format!("theta {}{}", c.rope.theta, scaling(c)))?;
    row("QK-norm", yes(c.qk_norm))?;
    row("tied embeddings", yes(c.tie_word_embeddings))?;
    row("RMSNorm epsilon", format!("{:e}", c.rms_norm_eps))?;
    Ok(())
}

fn scaling(config: &Config) -> String {
    match config.rope.scaling {
        RopeScaling::None => String::new(),
        RopeScaling::Linear { factor } => format!(", all wavelengths times {factor}"),
        RopeScaling::Llama3 { factor, original_context, .. } => {
            format!(", llama3 scaling by {factor} from a context of {original_context}")
        }
        _ => ", scaled".into(),
    }
}

fn yes(flag: bool) -> String {
    if flag { "yes" } else { "no" }.into()
}

fn print_alphas(out: &mut impl Write, layers: &[LayerAlphas]) -> anyhow::Result<()> {
    writeln!(out, "\nActivations (stored values are before softplus)")?;
    alphas::print_table(out, layers)?;
    let largest = layers.iter().fold(0.0f32, |m, l| m.max(l.alpha_p).max(l.alpha_n));
    writeln!(out, "\nEffective alphas, bars up to {}", fixed(largest, 3))?;
    plot::bars(out, layers, largest)?;
    if let (Some(first), Some(last)) = (layers.first(), layers.last()) {
        writeln!(out, "\nf(x) of the first layer (left) and the last (right)")?;
        plot::curves(out, &[first, last])?;
    }
    Ok(())
}
