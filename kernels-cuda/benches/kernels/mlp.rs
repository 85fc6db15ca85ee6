//! The MLP of a layer, 4096 -> 21504 -> 4096, with quantized weights: one token, a few, a prompt.

use std::cell::RefCell;

use xielu_kernels_cuda::cudarc::driver::CudaStream;
use xielu_kernels_cuda::{
    Activation, Coefficients, Cuda, DeviceMatrix, DeviceMlp, MlpScratch, OnStream,
};
use xielu_kernels_simd::{DType, Matrix, Shape};

use super::{Result, medians};

/// Microseconds for 1 and 8 tokens that are aimed at on an H200.
const FORMATS: [(DType, [Option<f64>; 2]); 4] = [
    (DType::Q8_0, [Some(48.0), Some(60.0)]),
    (DType::Q4_0, [Some(31.0), Some(46.0)]),
    (DType::Q4_K, [Some(33.0), None]),
    (DType::Q6_K, [Some(45.0), None]),
];
/// Layers in turn, so that no cache holds the weights from one call to the next.
const LAYERS: usize = 4;

/// A table of all formats; `small` for a device that only pretends.
pub fn mlps(cuda: &Cuda, small: bool) -> Result<()> {
    let (hidden, ffn, launches) = if small { (256, 512, 1) } else { (4096, 21504, 20) };
    let stream = cuda.context().new_stream()?;
    let on = cuda.on(&stream)?;
    println!(
        "\nMLP {hidden} -> {ffn} -> {hidden}\n{:8} {:>7} {:>10} {:>8} {:>8} {:>8} aim on an H200",
        "", "tokens", "us", "GB/s", "TFLOP/s", "of copy"
    );
    for (dtype, aims) in FORMATS {
        let layers = (0..LAYERS)
            .map(|_| layer(&on, dtype, hidden, ffn))
            .collect::<Result<Vec<DeviceMlp>>>()?;
        for (i, tokens) in [1, 8, if small { 40 } else { 512 }].into_iter().enumerate() {
            let aim = aims.get(i).copied().flatten();
            line(&on, &stream, &layers, dtype, tokens, launches, aim)?;
        }
    }
    Ok(())
}

/// Weights of a sensible size; which ones does not matter to the time.
fn layer(on: &OnStream<'_>, dtype: DType, hidden: usize, ffn: usize) -> Result<DeviceMlp> {
    let upload = |rows, cols| {
        let len = dtype.block_bytes();
        // f16 scales of about 0.01.
        let scales: &[usize] = match dtype {
            DType::Q4_K => &[0, 2],
            DType::Q6_K => &[208],
            _ => &[0],
        };
        let mut state = 1u32;
        let mut pattern = vec![0u8; 1021 * len];
        for block in pattern.chunks_mut(len) {
            block.fill_with(|| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 24) as u8
            });
            for &at in scales {
                block[at..at + 2].copy_from_slice(&[0x1f, 0x21]);
            }
        }
        let bytes = rows * cols / dtype.block_len() * len;
        let stored: Vec<u8> = pattern.iter().copied().cycle().take(bytes).collect();
        let matrix = Matrix::new(dtype, Shape { rows, cols }, &stored)?;
        Ok::<_, Box<dyn std::error::Error>>(DeviceMatrix::upload(on, &matrix)?)
    };
    let c = Coefficients { alpha_p: 0.8, alpha_n: 0.8, beta: 0.5, eps: 0.0 };
    Ok(DeviceMlp::new(upload(ffn, hidden)?, upload(hidden, ffn)?, Activation::Xielu(c))?)
}

/// Prints a line: the time of a layer, and that of a copy that moves as many bytes as its weights.
fn line(
    on: &OnStream<'_>,
    stream: &std::sync::Arc<CudaStream>,
    layers: &[DeviceMlp],
    dtype: DType,
    tokens: usize,
    launches: usize,
    aim: Option<f64>,
) -> Result<()> {
    let (hidden, ffn) = (layers[0].hidden_size(), layers[0].ffn_size());
    let of = |rows, cols| DeviceMatrix::bytes_for(dtype, rows, cols).unwrap_or(0);
    let bytes = of(ffn, hidden) + of(hidden, ffn);
    let x = stream.clone_htod(&vec![0.5f32; tokens * hidden])?;
    let scratch: RefCell<MlpScratch> = layers[0].scratch(stream, tokens)?.into();
    let y = RefCell::new(stream.alloc_zeros::<f32>(tokens * hidden)?);
    let from = stream.alloc_zeros::<u8>(bytes / 2)?;
    let to = RefCell::new(stream.alloc_zeros::<u8>(bytes / 2)?);
    let next = RefCell::new(layers.iter().cycle());
    let mlp = || {
        let layer = next.borrow_mut().next().ok_or("no layers")?;
        let (mut scratch, mut y) = (scratch.borrow_mut(), y.borrow_mut());
        Ok(layer.forward(on, &x, tokens, &mut scratch, &mut *y, false)?)
    };
    let copy = || Ok(stream.memcpy_dtod(&from, &mut *to.borrow_mut())?);
    let [ours, copy] = medians(stream, launches, [&mlp, &copy])?;
    println!(
        "{:8} {tokens:7} {:10.1} {:8.0} {:8.1} {:8.3} {}",
        dtype.name(),
        1e6 * ours,
        bytes as f64 / ours / 1e9,
        4.0 * (tokens * hidden * ffn) as f64 / ours / 1e12,
        copy / ours,
        aim.map_or_else(String::new, |aim| format!("{aim:.0} us")),
    );
    Ok(())
}
