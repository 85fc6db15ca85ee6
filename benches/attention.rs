//! The attention of a prompt alone: GFLOP/s, and their share of what the machine multiplies and
//! adds when nothing waits for memory.
//!
//! `cargo bench --bench attention`; `XIELU_ISA` chooses the instruction set. One thread, one head of
//! keys and values that four heads of queries share, positions that a token does not see not
//! counted.

#[path = "support/isa.rs"]
mod isa;
#[path = "../kernels-simd/benches/support/peaks.rs"]
#[allow(dead_code)]
mod peaks;
#[path = "support/timing.rs"]
mod timing;

use xielu::kernels::{Attention, DType, Kernels, Matrix, Output, Shape};
use xielu_testing::noise::Noise;

/// Heads of queries for one of keys and values.
const GROUP: usize = 4;

fn main() {
    let kernels = isa::kernels();
    let peak = peaks::measure(kernels.isa(), 1).map(|peaks| peaks.fma_f32);
    println!("instruction set: {}", kernels.isa());
    if let Some(peak) = peak {
        println!("peak {:.0} GFLOP/s (f32)", peak / 1e9);
    }
    println!("\n| cache | head | tokens | GFLOP/s | of peak |\n|---|---|---|---|---|");
    for dtype in [DType::F32, DType::F16, DType::BF16, DType::Q8_0] {
        for head_dim in [64, 128] {
            for tokens in [512, 4096] {
                let rate = rate(kernels, dtype, head_dim, tokens);
                let share = peak.map_or("-".into(), |peak| format!("{:.0} %", 100.0 * rate / peak));
                println!("| {dtype} | {head_dim} | {tokens} | {:.0} | {share} |", rate / 1e9);
            }
        }
    }
}

/// Operations a second (a multiply-add is two) of a prompt.
fn rate(kernels: Kernels, dtype: DType, head_dim: usize, tokens: usize) -> f64 {
    let mut noise = Noise::new(1);
    let mut bytes = || {
        let values = noise.normal(tokens * head_dim);
        let mut bytes = vec![0; values.len() / dtype.block_len() * dtype.block_bytes()];
        xielu::quant::encode_row(dtype, &values, &mut bytes).expect("whole blocks");
        bytes
    };
    let (keys, values) = (bytes(), bytes());
    let matrix = |bytes| {
        Matrix::new(dtype, Shape { rows: tokens, cols: head_dim }, bytes)
            .expect("bytes of this shape")
    };
    let row = GROUP * head_dim;
    let queries = Noise::new(2).normal(tokens * row);
    let attention = Attention {
        keys: matrix(&keys),
        values: matrix(&values),
        queries: &queries,
        query_stride: row,
        visible: 1,
        scale: 1.0 / (head_dim as f32).sqrt(),
    };
    let mut out = vec![0.0; tokens * row];
    let seconds = timing::median_seconds(|| {
        let out = Output::new(&mut out, row).expect("whole tokens");
        kernels.attend(&attention, out).expect("shapes that fit");
    });
    let seen = tokens * (tokens + 1) / 2;
    (4 * seen * row) as f64 / seconds
}
