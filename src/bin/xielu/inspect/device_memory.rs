//! What running a model takes on a CUDA device: known before there is one.

use std::io::Write;

use xielu::checkpoint::Checkpoint;
use xielu::llama::{CudaMemory, KvType, Layer, Model};

use super::memory::{MemoryArgs, human};

/// The weights as they are on the device, and a line for every context. All sizes are bytes.
pub fn print(
    out: &mut impl Write,
    args: &MemoryArgs,
    checkpoint: &dyn Checkpoint<'_>,
) -> anyhow::Result<()> {
    let config = checkpoint.config()?;
    let kv_type = KvType::from(args.kv_type);
    kv_type.check(&config)?;
    let mut layers = vec![Layer::EMPTY; config.num_layers];
    let model = Model::load(checkpoint, &mut layers)?;
    let batch = args.batch as usize;
    let of = |context| CudaMemory::new(&model, context, kv_type, batch);
    let CudaMemory { weights, staging, .. } = of(1);
    writeln!(out, "\nMemory of a CUDA device in bytes")?;
    writeln!(out, "  {:<10} {weights:>12}  copied there once", "weights")?;
    writeln!(out, "  {:<10} {staging:>12}  while they are copied", "staging")?;
    let tokens = if batch == 1 { "one token".into() } else { format!("{batch} tokens") };
    let kv_name = kv_type.name();
    writeln!(out, "\nKV cache in {kv_name}, buffers of {tokens} at a time, all with the weights")?;
    writeln!(out, "  {:>8} {:>14} {:>14} {:>14}", "context", "KV cache", "buffers", "all")?;
    for context in args.contexts(&config) {
        let memory = of(context);
        let (cache, buffers, all) = (memory.kv_cache, memory.buffers, memory.total());
        let short = human(usize::try_from(all).unwrap_or(usize::MAX));
        writeln!(out, "  {context:>8} {cache:>14} {buffers:>14} {all:>14} {short:>12}")?;
    }
    Ok(())
}
