//! What the product kernels do when memory does not limit them: a matrix that fits the
//! second-level cache, on one thread, weights in place and packed.
//!
//! ```sh
//! cargo run --release -p xielu-kernels-simd --example products [ISA|TYPE...]
//! ```

use std::time::{Duration, Instant};

use xielu_kernels_simd::{DType, Input, InputBlock, Isa, Kernels, Matrix, Output, Shape};

const ROWS: usize = 256;
const COLS: usize = 4096;
const TOKENS: [usize; 8] = [1, 4, 8, 16, 32, 64, 256, 512];

fn main() {
    let names: Vec<String> = std::env::args().skip(1).map(|name| name.to_lowercase()).collect();
    let mut isas: Vec<Isa> = names.iter().filter_map(|name| name.parse().ok()).collect();
    if isas.is_empty() {
        isas.push(Isa::detect());
    }
    let mut dtypes = DType::ALL.to_vec();
    if names.iter().any(|name| name.parse::<Isa>().is_err()) {
        dtypes.retain(|dtype| names.contains(&dtype.to_string().to_lowercase()));
    }
    print!("GFLOP/s of [{ROWS}, {COLS}], tokens:      ");
    TOKENS.iter().for_each(|tokens| print!("{tokens:8}"));
    println!("    GB/s at 1");
    for isa in isas {
        let Some(kernels) = Kernels::for_isa(isa) else {
            println!("{isa}: not on this machine");
            continue;
        };
        for &dtype in &dtypes {
            measure(&kernels, dtype);
        }
    }
}

/// A line for weights in place and one for packed ones.
fn measure(kernels: &Kernels, dtype: DType) {
    // Any bytes are weights; these make no NaNs, and no subnormal numbers, which are slow.
    let noise = |i: usize| (i.wrapping_mul(0x9e37_79b9) >> 13) as u8 & 0x3b | 0x20;
    let bytes: Vec<u8> = (0..dtype.row_bytes(COLS).unwrap_or(0) * ROWS).map(noise).collect();
    let Ok(w) = Matrix::new(dtype, Shape { rows: ROWS, cols: COLS }, &bytes) else { return };
    line(kernels, &w, "in place");
    let mut memory = vec![0; w.bytes()];
    if let Ok(packed) = kernels.pack(&w, &mut memory) {
        line(kernels, &packed, "packed");
    }
}

fn line(kernels: &Kernels, w: &Matrix<'_>, layout: &str) {
    print!("{:<12} {:<5} {layout:<8}                    ", kernels.isa(), w.dtype());
    let mut first = None;
    for tokens in TOKENS {
        let x: Vec<f32> =
            (0..tokens * COLS).map(|i| (i * 7919 % 1000) as f32 / 500.0 - 1.0).collect();
        let mut blocks = vec![InputBlock::ZERO; tokens * InputBlock::per_row(COLS)];
        let _ = kernels.quantize_input(&x, COLS, &mut blocks);
        let mut out = vec![0.0; tokens * ROWS];
        let time = fastest(|| {
            let input = match w.dtype().is_quantized() {
                true => Input::Quantized(&blocks),
                false => Input::F32(&x),
            };
            let out = Output::new(&mut out, ROWS).expect("whole tokens");
            kernels.matmul(w, input, out).expect("shapes fit");
        });
        print!("{:8.1}", 2.0 * (ROWS * COLS * tokens) as f64 / time.as_nanos() as f64);
        first.get_or_insert(time);
    }
    println!("{:10.1}", w.bytes() as f64 / first.unwrap_or_default().as_nanos() as f64);
}

/// The fastest of many runs: other programs only ever add time.
fn fastest(mut run: impl FnMut()) -> Duration {
    let (start, mut best) = (Instant::now(), Duration::MAX);
    while start.elapsed() < Duration::from_millis(200) {
        let begin = Instant::now();
        run();
        best = best.min(begin.elapsed());
    }
    best
}
