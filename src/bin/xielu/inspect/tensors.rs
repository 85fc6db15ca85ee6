//! The tensors of a file, whether or not this library computes with their types.

use std::collections::BTreeMap;
use std::io::Write;

use xielu::checkpoint::{Checkpoint as _, ModelView, Role};
use xielu::escaped;

/// What one line of the list says.
pub struct Listed {
    pub name: String,
    pub kind: String,
    /// Contiguous dimension last.
    pub shape: Vec<u64>,
    /// `None` if the type's size is unknown.
    pub bytes: Option<u64>,
}

/// Every tensor of the file, in its order.
pub fn list(view: &ModelView<'_>) -> anyhow::Result<Vec<Listed>> {
    match view {
        ModelView::Gguf(gguf) => Ok(gguf
            .split()
            .tensors()
            .map(|(_, info)| Listed {
                name: escaped(info.name).to_string(),
                kind: info.ggml_type.to_string(),
                shape: info.dims().iter().rev().copied().collect(),
                bytes: info.byte_len(),
            })
            .collect()),
        ModelView::Hf(dir) => {
            let config = dir.config()?;
            let stored = Role::all(&config).filter_map(|role| dir.stored(role));
            Ok(stored
                .map(|tensor| Listed {
                    name: escaped(&tensor.name).to_string(),
                    kind: tensor.dtype.to_string(),
                    shape: tensor.shape.iter().map(|&dim| dim as u64).collect(),
                    bytes: Some(tensor.bytes as u64),
                })
                .collect())
        }
    }
}

/// Name, type, shape and size of every tensor.
pub fn print_list(out: &mut impl Write, view: &ModelView<'_>) -> anyhow::Result<()> {
    let tensors = list(view)?;
    let width = tensors.iter().map(|t| t.name.len()).max().unwrap_or(0);
    writeln!(out, "\nTensors")?;
    for t in &tensors {
        let dims: Vec<_> = t.shape.iter().map(u64::to_string).collect();
        let bytes = t.bytes.map_or("size unknown".into(), |b| b.to_string());
        writeln!(out, "  {:<width$}  {:<8} {:>16} {bytes:>14}", t.name, t.kind, dims.join(" x "))?;
    }
    Ok(())
}

/// Bytes of all tensors whose size is known.
pub fn total_bytes(view: &ModelView<'_>) -> anyhow::Result<u64> {
    Ok(list(view)?.iter().filter_map(|t| t.bytes).sum())
}

/// Numbers of tensors, values and bytes, by type and together.
pub fn print_totals(out: &mut impl Write, view: &ModelView<'_>) -> anyhow::Result<()> {
    let mut by_type: BTreeMap<String, [u64; 3]> = BTreeMap::new();
    for t in list(view)? {
        let values = t.shape.iter().product::<u64>();
        let sums = [1, values, t.bytes.unwrap_or(0)];
        for kind in [t.kind, "together".into()] {
            let total = by_type.entry(kind).or_default();
            total.iter_mut().zip(sums).for_each(|(t, s)| *t += s);
        }
    }
    writeln!(out, "\n  {:<10} {:>8} {:>14} {:>16}", "type", "tensors", "values", "bytes")?;
    for (kind, [tensors, values, bytes]) in by_type {
        writeln!(out, "  {kind:<10} {tensors:>8} {values:>14} {bytes:>16}")?;
    }
    Ok(())
}
