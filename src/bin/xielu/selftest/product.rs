//! Matrix products and block encoding against the scalar kernels.

use anyhow::{Context as _, ensure};
use xielu::kernels::{DType, Input, InputBlock, Kernels, Matrix, Output, QK_K};
use xielu::quant::encode_row;

use super::Check;

const ROWS: usize = 7;
const COLS: usize = 3 * QK_K;
const TOKENS: usize = 3;
/// Accepted difference, relative to the sum of the magnitudes of the terms.
const BOUND: f32 = 1e-5;

pub fn checks(kernels: &Kernels) -> Vec<Check> {
    let mut checks: Vec<Check> = vec![("input encoding".into(), encoding(kernels))];
    let each = |dtype: DType| (format!("{dtype} product"), product(kernels, dtype));
    checks.extend(DType::ALL.map(each));
    checks
}

/// Numbers between -1 and 1 without a pattern.
fn noise(n: usize, seed: u32) -> Vec<f32> {
    let mut state = seed;
    let next = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..n).map(next).collect()
}

fn blocks(kernels: &Kernels, x: &[f32]) -> anyhow::Result<Vec<InputBlock>> {
    let mut blocks = vec![InputBlock::ZERO; TOKENS * InputBlock::per_row(COLS)];
    kernels.quantize_input(x, COLS, &mut blocks)?;
    Ok(blocks)
}

fn encoding(kernels: &Kernels) -> anyhow::Result<String> {
    let x = noise(COLS * TOKENS, 3);
    let (ours, scalar) = (blocks(kernels, &x)?, blocks(&Kernels::scalar(), &x)?);
    let differ = ours.iter().zip(&scalar).filter(|(a, b)| a != b).count();
    ensure!(differ == 0, "{differ} of {} blocks differ from the scalar ones", ours.len());
    Ok(format!("{} blocks, the same as scalar", ours.len()))
}

fn product(kernels: &Kernels, dtype: DType) -> anyhow::Result<String> {
    let row_bytes = dtype.row_bytes(COLS).context("partial block")?;
    let mut data = vec![0; row_bytes * ROWS];
    let weights = noise(COLS * ROWS, 1);
    for (row, out) in weights.chunks_exact(COLS).zip(data.chunks_exact_mut(row_bytes)) {
        encode_row(dtype, row, out)?;
    }
    let matrix = Matrix::new(dtype, ROWS, COLS, &data)?;
    let x = noise(COLS * TOKENS, 2);
    let blocks = blocks(&Kernels::scalar(), &x)?;
    let input = || if dtype.is_quantized() { Input::Quantized(&blocks) } else { Input::F32(&x) };
    let run = |kernels: &Kernels| -> anyhow::Result<Vec<f32>> {
        let mut out = vec![0.0; ROWS * TOKENS];
        kernels.matmul(&matrix, input(), Output::new(&mut out, ROWS).context("output")?)?;
        Ok(out)
    };
    let (ours, scalar) = (run(kernels)?, run(&Kernels::scalar())?);
    // Terms are products of two numbers that average 1/2 in magnitude.
    let magnitude = COLS as f32 / 4.0;
    let worst = ours.iter().zip(&scalar).map(|(a, b)| (a - b).abs() / magnitude);
    let worst = worst.fold(0.0f32, |m, d| if d <= m { m } else { d });
    ensure!(worst <= BOUND, "differs from scalar by {worst:e} relative, the bound is {BOUND:e}");
    Ok(format!("{} values within {worst:.1e} of scalar", ours.len()))
}
