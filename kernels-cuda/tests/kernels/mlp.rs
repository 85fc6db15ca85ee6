//! The MLP on the device: the CPU's layer, up to a quant that falls to the other side of a half.

use crate::products::stored;
use crate::support::*;
use xielu::kernels::{DType, Matrix, Shape};
use xielu::{Backend, Mlp, Serial};
use xielu_kernels_cuda::cudarc::driver::CudaStream;
use xielu_kernels_cuda::{Activation, DeviceMatrix, DeviceMlp, Error, OnStream};
use xielu_testing::kernels::unrounded_kernel;

const HIDDEN: usize = 256;
const FFN: usize = 768;
const UP: Shape = Shape { rows: FFN, cols: HIDDEN };
const DOWN: Shape = Shape { rows: HIDDEN, cols: FFN };

/// Weights of gate, up and down.
struct Layer {
    dtypes: [DType; 3],
    bytes: [Vec<u8>; 3],
}

impl Layer {
    fn new(dtypes: [DType; 3]) -> Layer {
        let [gate, up, down] = dtypes;
        let bytes = [stored(gate, UP, 1), stored(up, UP, 2), stored(down, DOWN, 3)];
        Layer { dtypes, bytes }
    }

    fn matrices(&self) -> [Matrix<'_>; 3] {
        let shapes = [UP, UP, DOWN];
        std::array::from_fn(|i| Matrix::new(self.dtypes[i], shapes[i], &self.bytes[i]).unwrap())
    }

    fn layer(&self, act: Option<Activation>) -> Mlp<'_> {
        let [gate, up, down] = self.matrices();
        match act {
            Some(act) => Mlp::new(up, down, act).unwrap(),
            None => Mlp::gated(gate, up, down).unwrap(),
        }
    }

    fn cpu(&self, act: Option<Activation>, x: &[f32]) -> Vec<f32> {
        let mlp = self.layer(act);
        let mut y = vec![0.0; x.len()];
        let mut scratch = vec![0.0; mlp.scratch_len(FFN, x.len() / HIDDEN)];
        let backend = Backend::new(unrounded_kernel(), &Serial);
        mlp.forward(&backend, x, &mut y, &mut scratch).unwrap();
        y
    }
}

fn run(
    on: &OnStream<'_>,
    stream: &std::sync::Arc<CudaStream>,
    mlp: &DeviceMlp,
    x: &[f32],
    before: Option<f32>,
) -> Vec<f32> {
    let tokens = x.len() / HIDDEN;
    let mut scratch = mlp.scratch(stream, tokens).unwrap();
    let x = stream.clone_htod(x).unwrap();
    let mut y = stream.clone_htod(&vec![before.unwrap_or(f32::NAN); tokens * HIDDEN]).unwrap();
    mlp.forward(on, &x, tokens, &mut scratch, &mut y, before.is_some()).unwrap();
    stream.clone_dtoh(&y).unwrap()
}

#[test]
fn the_cpus_layer() {
    let Some((cuda, stream)) = crate::device::device() else { return };
    let on = cuda.on(&stream).unwrap();
    use DType::{BF16, F16, Q4_0, Q4_K, Q5_0, Q6_K, Q8_0};
    let acts = [Some(Activation::Xielu(coefficients(0.8, 0.5))), Some(Activation::Relu2), None];
    for dtypes in [[Q8_0; 3], [Q4_0; 3], [Q4_K, Q4_K, Q6_K], [BF16; 3], [Q8_0, Q5_0, F16]] {
        let layer = Layer::new(dtypes);
        for act in acts {
            let mlp = layer.layer(act).upload(&on).unwrap();
            assert_eq!((mlp.hidden_size(), mlp.ffn_size()), (HIDDEN, FFN));
            for tokens in [1, 3, 40] {
                let x = pre_activations(tokens * HIDDEN, 7);
                let expected = layer.cpu(act, &x);
                let found = run(&on, &stream, &mlp, &x, None);
                let square = |v: f64| v * v;
                let norm: f64 = expected.iter().map(|&v| square(v.into())).sum();
                let off: f64 = found
                    .iter()
                    .zip(&expected)
                    .map(|(&a, &b)| square(f64::from(a) - f64::from(b)))
                    .sum();
                let off = (off / norm).sqrt();
                assert!(off <= 2e-4, "{dtypes:?} {act:?} {tokens} tokens: {off}");
                let added = run(&on, &stream, &mlp, &x, Some(0.5));
                let sums: Vec<f32> = found.iter().map(|v| v + 0.5).collect();
                assert_eq!(bits(&added), bits(&sums), "{dtypes:?}");
            }
        }
    }
}

/// The C functions: the same bits as the Rust ones.
#[cfg(feature = "capi")]
#[test]
fn in_c() {
    use std::ffi::c_void;
    use std::ptr;

    use xielu_kernels_cuda::capi::*;
    use xielu_kernels_cuda::cudarc::driver::DevicePtr;

    const OK: xielu_cuda_status = xielu_cuda_status::XIELU_CUDA_OK;
    const INVALID: xielu_cuda_status = xielu_cuda_status::XIELU_CUDA_INVALID;
    let Some((cuda, stream)) = crate::device::device() else { return };
    let on = cuda.on(&stream).unwrap();
    let layer = Layer::new([DType::Q4_K, DType::Q8_0, DType::Q6_K]);
    let c = coefficients(0.8, 0.5);
    let in_c = xielu_cuda_coefficients {
        alpha_p: c.alpha_p,
        alpha_n: c.alpha_n,
        beta: c.beta,
        eps: c.eps,
        sigmoid_p: 1.0,
        sigmoid_n: 1.0,
    };
    let call = xielu_cuda_call {
        stream: ptr::null_mut(),
        function: XIELU_CUDA_XIELU,
        dtype: XIELU_CUDA_F32,
        coefficients: &raw const in_c,
        device_coefficients: ptr::null(),
    };
    let matrix = |i: usize, shape: Shape, name: &std::ffi::CStr| xielu_cuda_matrix {
        data: layer.bytes[i].as_ptr().cast(),
        bytes: layer.bytes[i].len() as u64,
        dtype: name.as_ptr(),
        rows: shape.rows as u64,
        cols: shape.cols as u64,
    };
    let gate = matrix(0, UP, c"Q4_K");
    let (up, down) = (matrix(1, UP, c"Q8_0"), matrix(2, DOWN, c"Q6_K"));
    let x = pre_activations(3 * HIDDEN, 7);
    for gated in [false, true] {
        let act = (!gated).then_some(Activation::Xielu(c));
        let expected = run(&on, &stream, &layer.layer(act).upload(&on).unwrap(), &x, Some(0.5));
        let gate = if gated { &raw const gate } else { ptr::null() };
        let there = stream.clone_htod(&x).unwrap();
        let y = stream.clone_htod(&vec![0.5f32; x.len()]).unwrap();
        stream.synchronize().unwrap();
        let (x_at, y_at) = (there.device_ptr(&stream).0, y.device_ptr(&stream).0);
        let at_stream: *mut c_void = stream.cu_stream().cast();
        // SAFETY: valid pointers, device memory of the stated size and a stream of the context.
        unsafe {
            let mut c = ptr::null_mut();
            assert_eq!(xielu_cuda_open(0, &raw mut c), OK);
            let mut mlp = ptr::null_mut();
            let short = xielu_cuda_matrix { bytes: up.bytes - 1, ..up };
            assert_eq!(xielu_cuda_mlp_open(c, &call, gate, &short, &down, 3, &mut mlp), INVALID);
            let other = xielu_cuda_matrix { dtype: c"Q9_9".as_ptr(), ..up };
            assert_eq!(xielu_cuda_mlp_open(c, &call, gate, &other, &down, 3, &mut mlp), INVALID);
            assert_eq!(xielu_cuda_mlp_open(c, &call, gate, &up, &up, 3, &mut mlp), INVALID);
            assert!(mlp.is_null());
            assert_eq!(xielu_cuda_mlp_open(c, &call, gate, &up, &down, 3, &mut mlp), OK);
            let (x_at, y_at) = (x_at as *const f32, y_at as *mut f32);
            assert_eq!(xielu_cuda_mlp_forward(c, mlp, at_stream, x_at, 4, y_at, true), INVALID);
            assert_eq!(xielu_cuda_mlp_forward(c, mlp, at_stream, x_at, 3, y_at, true), OK);
            let found = stream.clone_dtoh(&y).unwrap();
            assert_eq!(bits(&found), bits(&expected));
            xielu_cuda_mlp_close(mlp);
            xielu_cuda_close(c);
        }
    }
    // SAFETY: text.
    let bytes = unsafe { xielu_cuda_matrix_bytes(c"Q8_0".as_ptr(), 768, 256) };
    assert_eq!(bytes, (768 * 256 / 32 * 34) as u64);
}

#[test]
fn what_does_not_fit_is_refused() {
    let Some((cuda, stream)) = crate::device::device() else { return };
    let on = cuda.on(&stream).unwrap();
    let layer = Layer::new([DType::Q8_0; 3]);
    let act = Activation::Relu2;
    let [gate, up, _] = layer.matrices().map(|m| DeviceMatrix::upload(&on, &m).unwrap());
    let error = DeviceMlp::new(gate, up, act).map(drop);
    let expected = Error::Length { what: "the rows of down_proj", expected: 256, found: 768 };
    assert_eq!(error, Err(expected));
    let cpu = layer.layer(Some(act));
    let bytes = DeviceMatrix::bytes_for(DType::Q8_0, FFN, HIDDEN).unwrap();
    assert_eq!(cpu.device_bytes(), Some(2 * bytes));
    let mlp = cpu.upload(&on).unwrap();
    // Quants and groups of both, and the hidden values.
    let bytes = 2 * ((HIDDEN + FFN) + (HIDDEN + FFN) / 32 * 8 + FFN * 4);
    assert_eq!(mlp.scratch_bytes(2), Some(bytes));
    let mut scratch = mlp.scratch(&stream, 2).unwrap();
    let x = stream.alloc_zeros::<f32>(3 * HIDDEN).unwrap();
    let mut y = stream.alloc_zeros::<f32>(3 * HIDDEN).unwrap();
    let error = mlp.forward(&on, &x, 3, &mut scratch, &mut y, false);
    assert_eq!(error, Err(Error::Length { what: "the scratch's tokens", expected: 3, found: 2 }));
    let error = mlp.forward(&on, &x, 2, &mut scratch, &mut y, false);
    assert_eq!(error, Err(Error::Length { what: "x", expected: 512, found: 768 }));
}
