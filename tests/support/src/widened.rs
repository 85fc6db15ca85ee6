//! The trained model in widths that are multiples of 256, as the K-quants ask for: the same
//! function (to rounding), other shapes. Not a model trained at this width.
//!
//! - The residual stream is there twice: hidden 128 -> 256. Every matrix that reads it holds its
//!   columns twice and halved, every one that writes it its rows twice; halving is exact.
//! - The heads are there twice: 4 / 2 -> 8 / 4.
//! - The MLP's hidden vector gets zeros at its end: ffn 672 -> 768.

use std::fs;
use std::path::Path;

use half::bf16;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde_json::Value;

const FFN: [usize; 2] = [672, 768];

/// A row-major matrix; norms have one row.
struct Matrix {
    rows: usize,
    cols: usize,
    values: Vec<bf16>,
}

impl Matrix {
    fn map(self, rows: usize, cols: usize, value: impl Fn(&Matrix, usize, usize) -> bf16) -> Self {
        let values = (0..rows * cols).map(|i| value(&self, i / cols, i % cols)).collect();
        Matrix { rows, cols, values }
    }

    fn at(&self, row: usize, col: usize) -> bf16 {
        let inside = row < self.rows && col < self.cols;
        if inside { self.values[row * self.cols + col] } else { bf16::ZERO }
    }

    fn twice_down(self) -> Self {
        let (rows, cols) = (self.rows, self.cols);
        self.map(2 * rows, cols, |m, row, col| m.at(row % rows, col))
    }

    fn twice_across(self, factor: f32) -> Self {
        let (rows, cols) = (self.rows, self.cols);
        self.map(rows, 2 * cols, |m, row, col| {
            bf16::from_f32(factor * m.at(row, col % cols).to_f32())
        })
    }

    fn padded(self, rows: usize, cols: usize) -> Self {
        self.map(rows, cols, Matrix::at)
    }
}

fn widen(name: &str, m: Matrix) -> Matrix {
    let part = name.trim_end_matches(".weight").rsplit('.').next().unwrap();
    match part {
        "embed_tokens" => m.twice_across(1.0),
        "lm_head" => m.twice_across(0.5),
        "q_proj" | "k_proj" | "v_proj" | "o_proj" => m.twice_across(0.5).twice_down(),
        "up_proj" => m.twice_across(0.5).padded(FFN[1], 256),
        "down_proj" => m.twice_down().padded(256, FFN[1]),
        // One value for each of a head's, or a scalar.
        "q_norm" | "k_norm" => m,
        part if part.ends_with("norm") => m.twice_across(1.0),
        _ => m,
    }
}

/// Writes the directory `source` (the trained model) widened into the directory `target`.
pub fn write_widened(source: &Path, target: &Path) {
    let mut config: Value =
        serde_json::from_slice(&fs::read(source.join("config.json")).unwrap()).unwrap();
    assert_eq!(config["intermediate_size"], FFN[0]);
    config["intermediate_size"] = FFN[1].into();
    for key in ["hidden_size", "num_attention_heads", "num_key_value_heads"] {
        config[key] = (2 * config[key].as_u64().unwrap()).into();
    }
    fs::write(target.join("config.json"), config.to_string()).unwrap();
    for name in ["tokenizer.json", "tokenizer_config.json"] {
        fs::copy(source.join(name), target.join(name)).unwrap();
    }
    let bytes = fs::read(source.join("model.safetensors")).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let tensors: Vec<_> = file
        .iter()
        .map(|(name, t)| {
            assert_eq!(t.dtype(), Dtype::BF16);
            let values = t.data().as_chunks().0.iter().map(|&b| bf16::from_le_bytes(b)).collect();
            let cols = t.shape().last().copied().unwrap_or(1);
            let rows = t.shape().iter().product::<usize>() / cols;
            let m = widen(name, Matrix { rows, cols, values });
            let shape = match t.shape().len() {
                2 => vec![m.rows, m.cols],
                1 => vec![m.cols],
                _ => vec![],
            };
            let data: Vec<u8> = m.values.iter().flat_map(|v| v.to_le_bytes()).collect();
            (name.to_owned(), shape, data)
        })
        .collect();
    let views = tensors.iter().map(|(name, shape, data)| {
        (name.as_str(), TensorView::new(Dtype::BF16, shape.clone(), data).unwrap())
    });
    safetensors::serialize_to_file(views, None, &target.join("model.safetensors")).unwrap();
}
