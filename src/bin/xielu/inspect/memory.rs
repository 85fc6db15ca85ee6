//! What running a model takes: known from its configuration, nothing is loaded.

use std::io::Write;

use anyhow::bail;
use clap::value_parser;
use xielu::Config;
use xielu::kernels::QK;
use xielu::llama::{DecoderMemory, DecoderOptions, KvType};
use xielu::mlp::MlpSizes;

use crate::args::KvArg;
use crate::device::Device;

/// Contexts shown when none is given, as far as the model was trained for them.
const CONTEXTS: [usize; 5] = [64, 256, 1024, 4096, 16_384];
/// Tiles shown when none is given, beside the whole hidden vector.
const TILES: [usize; 2] = [32, 256];

/// What the table is made for.
#[derive(Debug, clap::Args)]
pub struct MemoryArgs {
    /// Show the memory that running the model takes, instead of tensors and activations
    #[arg(long, conflicts_with = "svg")]
    pub memory: bool,
    /// Positions of the KV cache to show; some up to what the model was trained for when not given
    #[arg(long, value_name = "N,...", value_delimiter = ',', requires = "memory",
          value_parser = value_parser!(u32).range(1..))]
    context: Vec<u32>,
    /// Hidden values of the MLP held at a time; 32, 256 and all when not given
    #[arg(long, value_name = "N,...", value_delimiter = ',', requires = "memory",
          value_parser = value_parser!(u32).range(1..))]
    tile: Vec<u32>,
    /// Tokens of a prompt that go through the layers together
    #[arg(long, value_name = "N", default_value_t = 1, requires = "memory",
          value_parser = value_parser!(u32).range(1..))]
    pub batch: u32,
    /// How cached keys and values are stored
    #[arg(long, value_enum, default_value_t = KvArg::F16, requires = "memory")]
    pub kv_type: KvArg,
    /// Whose memory: the CPU's, or that of a CUDA device (`cuda`), in a build with feature `cuda`;
    /// no device is needed
    #[arg(long, value_name = "DEVICE", default_value_t = Device::Cpu, requires = "memory",
          conflicts_with = "tile")]
    pub device: Device,
}

impl MemoryArgs {
    pub fn contexts(&self, config: &Config) -> Vec<usize> {
        if !self.context.is_empty() {
            return self.context.iter().map(|&n| n as usize).collect();
        }
        let trained = config.context_length;
        CONTEXTS.into_iter().filter(|&n| n < trained).chain([trained]).collect()
    }

    fn tiles(&self, config: &Config) -> anyhow::Result<Vec<usize>> {
        let ffn = config.intermediate_size;
        if self.tile.is_empty() {
            return Ok(TILES.into_iter().filter(|&n| n < ffn).chain([ffn]).collect());
        }
        let tile = |&n: &u32| match n as usize {
            n if n >= ffn => Ok(ffn),
            n if n.is_multiple_of(QK) => Ok(n),
            n => bail!("--tile {n} is not a multiple of {QK}"),
        };
        self.tile.iter().map(tile).collect()
    }
}

/// Flash, and a line of RAM for every context and tile. All sizes are bytes; `widened` is what
/// weights in FP8 take in RAM.
pub fn print(
    out: &mut impl Write,
    args: &MemoryArgs,
    config: &Config,
    file: Option<usize>,
    [weights, widened]: [u64; 2],
) -> anyhow::Result<()> {
    let kv_type = KvType::from(args.kv_type);
    kv_type.check(config)?;
    let batch = args.batch as usize;
    let tiles = args.tiles(config)?;
    writeln!(out, "\nMemory in bytes")?;
    if let Some(file) = file {
        writeln!(out, "  {:<10} {file:>12}  the file, in flash or mapped", "file")?;
    }
    writeln!(out, "  {:<10} {weights:>12}  used where they lie, nothing is copied", "weights")?;
    if widened > 0 {
        writeln!(out, "  {:<10} {widened:>12}  in RAM: weights in FP8, once widened", "widened")?;
    }
    let smallest = DecoderMemory::new(config, &DecoderOptions::SMALLEST, 1, kv_type);
    let bits = usize::BITS;
    writeln!(out, "  {:<10} {:>12}  views of the weights ({bits}-bit)", "layers", smallest.layers)?;
    writeln!(out, "  {:<10} {:>12}  of one token", "logits", smallest.logits)?;

    let tokens = if batch == 1 { "one token".into() } else { format!("{batch} tokens") };
    let kv_name = format!("{kv_type:?}").to_lowercase();
    writeln!(out, "\nRAM: layers, logits, KV cache in {kv_name}, scratch of {tokens} at a time")?;
    writeln!(
        out,
        "  {:>8} {:>8} {:>12} {:>12} {:>12} {:>12}",
        "context", "tile", "KV cache", "scratch", "of it MLP", "RAM"
    )?;
    for context in args.contexts(config) {
        for &tile in &tiles {
            let options = DecoderOptions { batch, mlp_tile: tile };
            let memory = DecoderMemory::new(config, &options, context, kv_type);
            let mlp =
                MlpSizes { hidden_size: config.hidden_size, tile, tokens: batch }.scratch_len();
            let mlp = mlp.saturating_mul(size_of::<f32>());
            let tile =
                if tile == config.intermediate_size { "whole".into() } else { tile.to_string() };
            let ram = memory.total();
            writeln!(
                out,
                "  {context:>8} {tile:>8} {:>12} {:>12} {mlp:>12} {ram:>12} {:>12}",
                memory.kv_cache,
                memory.scratch,
                human(ram)
            )?;
        }
    }
    Ok(())
}

/// A size to one decimal.
pub fn human(bytes: usize) -> String {
    let mut size = bytes as f64 / 1024.0;
    for unit in ["KiB", "MiB", "GiB"] {
        if size < 1024.0 {
            return format!("{size:.1} {unit}");
        }
        size /= 1024.0;
    }
    format!("{size:.1} TiB")
}
