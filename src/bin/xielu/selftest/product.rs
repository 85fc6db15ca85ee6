//! Matrix products against double precision, block encoding against the scalar kernels.

use anyhow::{Context as _, ensure};
use xielu::kernels::{Blocks, DType, Input, InputBlock, Kernels, Matrix, Output, QK, QK_K, Shape};
use xielu::quant::{EncodeError, encode_row};

use super::check::Check;

const ROWS: usize = 7;
const COLS: usize = 3 * QK_K;
const TOKENS: usize = 3;
/// Lanes that every kernel adds floats in, at least.
const LANES: usize = 8;

/// Accepted error, relative to the sum of the magnitudes of what is added: half an ulp for each
/// rounding of f32 on a term's way. Sums of a group of quants are exact integers, so there each group
/// is added once, and where weights have a minimum twice; floats are added one by one in every lane.
/// The rest is for scales, the product itself and the lanes in the end.
fn bound(dtype: DType) -> f64 {
    let groups = COLS / QK;
    let roundings = match dtype {
        DType::Q4_K | DType::Q5_K => 2 * groups + 7,
        // Each 16 values have a scale, and perhaps a minimum.
        dtype if dtype.is_quantized() && !dtype.has_tiles() => 4 * groups + 7,
        dtype if dtype.is_quantized() => groups + 7,
        _ => COLS / LANES + LANES + 2,
    };
    roundings as f64 / f64::from(1 << 24)
}

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
        match encode_row(dtype, row, out) {
            Err(EncodeError::NoEncoder { .. }) => random_blocks(dtype, out),
            result => result?,
        }
    }
    let matrix = Matrix::new(dtype, Shape { rows: ROWS, cols: COLS }, &data)?;
    let x = noise(COLS * TOKENS, 2);
    let blocks = blocks(&Kernels::scalar(), &x)?;
    let input = || if dtype.is_quantized() { Input::Quantized(&blocks) } else { Input::F32(&x) };
    let run = |kernels: &Kernels| -> anyhow::Result<Vec<f32>> {
        let mut out = vec![0.0; ROWS * TOKENS];
        kernels.matmul(&matrix, input(), Output::new(&mut out, ROWS).context("output")?)?;
        Ok(out)
    };
    let values: Vec<f32> = match dtype.is_quantized() {
        true => blocks.iter().flat_map(InputBlock::dequantize).collect(),
        false => x.clone(),
    };
    let (ours, bound) = (run(kernels)?, bound(dtype));
    let truth = values.chunks_exact(COLS).flat_map(|x| (0..ROWS).map(move |row| (x, row)));
    let mut worst = 0.0f64;
    for ((x, row), &found) in truth.zip(&ours) {
        let mut w = vec![0.0; COLS];
        ensure!(matrix.row(row).is_some_and(|row| row.dequantize(&mut w)), "the weights' length");
        let (sum, magnitude) = dot(dtype, &w, x);
        let error = (f64::from(found) - sum).abs() / magnitude;
        // A NaN must not pass for small.
        worst = if error <= worst { worst } else { error };
    }
    ensure!(
        worst <= bound,
        "off by {worst:.1e} of the terms' magnitudes, the bound is {bound:.1e}"
    );
    Ok(format!("{} values within {worst:.1e} of {bound:.1e} of the terms' magnitudes", ours.len()))
}

/// Blocks of any bytes whose values are finite and moderate.
fn random_blocks(dtype: DType, out: &mut [u8]) {
    let mut values = vec![0.0; dtype.block_len()];
    let mut seed = 4;
    for block in out.chunks_exact_mut(dtype.block_bytes()) {
        let moderate = |values: &[f32]| values.iter().all(|v| v.abs() < 1e4);
        loop {
            seed += 1;
            for (byte, x) in block.iter_mut().zip(noise(dtype.block_bytes(), seed)) {
                *byte = (x * 128.0) as i8 as u8;
            }
            let decoded = Blocks::new(dtype, block).is_some_and(|b| b.dequantize(&mut values));
            if decoded && moderate(&values) && values.iter().any(|&v| v != 0.0) {
                break;
            }
        }
    }
}

/// The product, and the sum of the magnitudes of what a kernel adds.
fn dot(dtype: DType, w: &[f32], x: &[f32]) -> (f64, f64) {
    // Quants from 0 on, and a minimum that is taken away: each is as large as the largest weight and
    // a tenth more, for the 6 bits that minima are rounded to.
    let largest = w.iter().fold(0f32, |m, v| m.max(v.abs()));
    let apart =
        matches!(dtype, DType::Q4_K | DType::Q5_K | DType::Q4_1 | DType::Q5_1 | DType::Q2_K);
    let minimum = if apart { 1.1 * f64::from(largest) } else { 0.0 };
    let terms = w.iter().zip(x).map(|(&w, &x)| (f64::from(w) * f64::from(x), f64::from(x).abs()));
    terms.fold((0.0, 0.0), |(sum, magnitude), (term, x)| {
        (sum + term, magnitude + term.abs() + 2.0 * minimum * x)
    })
}
