//! Every scale, norm, embedding and weight of a model: none may be NaN or infinite.

use anyhow::{Context as _, bail};
use rayon::prelude::*;
use xielu::checkpoint::{ModelFile, ModelView, Role, Tensor};
use xielu::kernels::Blocks;

use super::check::Check;

/// Damaged rows that are named, at most.
const NAMED: usize = 8;

/// One check that passes, or one that fails for every tensor with damage.
pub fn checks(file: &ModelFile) -> Vec<Check> {
    let name = format!("weights of {}", file.path().display());
    match damage(file) {
        Ok((values, damaged)) if damaged.is_empty() => {
            vec![(name, Ok(format!("{values} values, all finite")))]
        }
        Ok((_, damaged)) => damaged.into_iter().map(|e| (name.clone(), Err(e))).collect(),
        Err(e) => vec![(name, Err(e))],
    }
}

/// The number of values, and what is wrong with which tensor.
fn damage(file: &ModelFile) -> anyhow::Result<(usize, Vec<anyhow::Error>)> {
    let view = file.view()?;
    let checkpoint = view.checkpoint();
    let config = checkpoint.config()?;
    let (mut values, mut damaged) = (0, Vec::new());
    checkpoint.visit(&mut |role, tensor| {
        match check(&tensor).with_context(|| format!("tensor {}", name(&view, role))) {
            Ok(()) => values += tensor.rows * tensor.cols,
            Err(e) => damaged.push(e),
        }
        Ok(())
    })?;
    if config.hidden_act.has_alphas() {
        let alphas = |layer| checkpoint.raw_xielu(layer).with_context(|| format!("layer {layer}"));
        damaged.extend((0..config.num_layers).filter_map(|layer| alphas(layer).err()));
    }
    Ok((values, damaged))
}

/// What the file calls the tensor.
fn name(view: &ModelView<'_>, role: Role) -> String {
    match view {
        ModelView::Hf(dir) => dir.tensor_name(role).unwrap_or_else(|| role.to_string()),
        _ => role.to_string(),
    }
}

/// Fails with the rows that hold a value which is not finite.
fn check(tensor: &Tensor<'_>) -> anyhow::Result<()> {
    let row_bytes = tensor.dtype.row_bytes(tensor.cols).context("has partial blocks")?;
    let row = |values: &mut Vec<f32>, (row, bytes): (usize, &[u8])| {
        let blocks = Blocks::new(tensor.dtype, bytes)?;
        // A scale that is not finite makes all values of its block so: 0 times infinity is NaN.
        let bad = !blocks.dequantize(values) || values.iter().any(|v| !v.is_finite());
        let column = values.iter().position(|v| !v.is_finite()).unwrap_or(0);
        bad.then(|| (row, column, values.get(column).copied().unwrap_or(f32::NAN)))
    };
    let rows = tensor.data.par_chunks_exact(row_bytes.max(1)).enumerate();
    let bad = rows.map_init(|| vec![0.0; tensor.cols], row).flatten().collect::<Vec<_>>();
    let Some(&(first, column, value)) = bad.first() else { return Ok(()) };
    let others: Vec<String> =
        bad.iter().skip(1).take(NAMED - 1).map(|(row, ..)| row.to_string()).collect();
    let others = match (others.is_empty(), bad.len().saturating_sub(NAMED)) {
        (true, _) => String::new(),
        (false, 0) => format!(", and there is more in rows {}", others.join(", ")),
        (false, more) => {
            format!(", and there is more in rows {} and {more} others", others.join(", "))
        }
    };
    bail!("row {first}, column {column} is {value}{others}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use xielu::kernels::{DType, QK_K};

    /// Where the scales of a block lie, and whether they are f16. None of MXFP4 and NVFP4 is infinite
    /// or NaN; IQ1_M's is in parts.
    fn scales(dtype: DType) -> (&'static [usize], bool) {
        match dtype {
            DType::F32 | DType::Q8_K => (&[2], false),
            DType::BF16 => (&[0], false),
            DType::Q4_K | DType::Q5_K | DType::Q4_1 | DType::Q5_1 => (&[0, 2], true),
            DType::Q2_K => (&[80, 82], true),
            DType::Q3_K => (&[108], true),
            DType::TQ1_0 => (&[52], true),
            DType::TQ2_0 => (&[64], true),
            DType::MXFP4 | DType::NVFP4 | DType::IQ1_M => (&[], true),
            DType::Q6_K => (&[208], true),
            _ => (&[0], true),
        }
    }

    #[test]
    fn a_damaged_scale_of_any_type_is_found_in_its_row() {
        for dtype in DType::ALL {
            let row_bytes = dtype.row_bytes(2 * QK_K).unwrap();
            let good = vec![0; 20 * row_bytes];
            let tensor = Tensor { dtype, rows: 20, cols: 2 * QK_K, data: &good };
            check(&tensor).unwrap();
            let (offsets, half) = scales(dtype);
            let bad: [u16; 3] =
                if half { [0x7e00, 0x7c00, 0xfc00] } else { [0x7fc0, 0x7f80, 0xff80] };
            for (&offset, bits) in offsets.iter().flat_map(|o| bad.map(|bits| (o, bits))) {
                let mut data = good.clone();
                for row in 7..18 {
                    let at = row * row_bytes + dtype.block_bytes() + offset;
                    data[at..at + 2].copy_from_slice(&bits.to_le_bytes());
                }
                let error = check(&Tensor { data: &data, ..tensor }).unwrap_err().to_string();
                let first = format!("row 7, column {} is ", dtype.block_len());
                let more = "in rows 8, 9, 10, 11, 12, 13, 14 and 3 others";
                assert!(error.starts_with(&first) && error.ends_with(more), "{dtype}: {error}");
            }
        }
    }
}
