//! The safe interface and the C functions on device 0, skipped where there is none;
//! `tools/pretended.sh` runs them on a driver without a device.

use std::sync::Arc;

use crate::support::*;
use half::bf16;
use xielu::activation::{Differentiable, Elementwise, Form, Relu2, Swiglu, Xiprelu, reference};
use xielu::kernels::{BlockQ8_0, Kernels};
use xielu::{RawXielu, Xielu};
use xielu_kernels_cuda::cudarc::driver::{CudaContext, CudaStream};
use xielu_kernels_cuda::{Activation, ActivationKind, Cuda, Error, Gradients, Kernel, Learned};
use xielu_testing::require;

/// A device and a stream of its own.
#[track_caller]
pub fn device() -> Option<(Box<Cuda>, Arc<CudaStream>)> {
    opened_device().inspect_err(|error| require::skip("cuda", &error.to_string())).ok()
}

fn raw() -> RawXielu {
    RawXielu { alpha_p: 1.8, alpha_n: 1.25, ..RawXielu::PAPER_INIT }
}

#[test]
fn forward_on_slices() {
    let Some((cuda, stream)) = device() else { return };
    let cpu = Kernels::detect();
    let x = pre_activations(10_001, 1);
    let f: Xielu = raw().freeze(Form::Ideal);
    let expected = f32::activate(&cpu, &f.into(), &x);
    let there = stream.clone_htod(&x).unwrap();
    let mut y = stream.alloc_zeros::<f32>(x.len()).unwrap();
    let on = cuda.on(&stream).unwrap();
    f.forward(&on, &there, &mut y).unwrap();
    same_bits("xIELU", &x, &stream.clone_dtoh(&y).unwrap(), &expected);
    f.forward_in_place(&on, &mut y).unwrap();
    let twice = f32::activate(&cpu, &f.into(), &expected);
    same_bits("xIELU twice", &x, &stream.clone_dtoh(&y).unwrap(), &twice);

    // A view in the middle, misaligned.
    let mut y = stream.alloc_zeros::<f32>(x.len()).unwrap();
    Relu2.forward(&on, &there.slice(1..5000), &mut y.slice_mut(2..5001)).unwrap();
    let found = stream.clone_dtoh(&y).unwrap();
    let expected = f32::activate(&cpu, &Relu2.into(), &x[1..5000]);
    same_bits("a view", &x[1..5000], &found[2..5001], &expected);
    assert!(found[..2].iter().chain(&found[5001..]).all(|&v| v == 0.0));

    let half: Vec<bf16> = x.iter().map(|&v| bf16::from_f32(v)).collect();
    let there = stream.clone_htod(&half).unwrap();
    let mut y = stream.alloc_zeros::<bf16>(x.len()).unwrap();
    Swiglu.forward(&on, [&there, &there], &mut y).unwrap();
    let expected = bf16::swiglu(&cpu, &half, &half);
    same_bits("SwiGLU", &half, &stream.clone_dtoh(&y).unwrap(), &expected);
}

#[test]
fn blocks_on_slices() {
    let Some((cuda, stream)) = device() else { return };
    let cpu = Kernels::detect();
    let x = pre_activations(3200, 1);
    let f = raw().freeze(Form::Ideal);
    let quantized = |values: &[f32]| {
        let mut blocks = vec![BlockQ8_0::ZERO; 100];
        cpu.quantize_q8_0(values, &mut blocks).unwrap();
        bytemuck::cast_slice::<_, u8>(&blocks).to_vec()
    };
    let there = stream.clone_htod(&x).unwrap();
    let mut blocks = stream.alloc_zeros::<u8>(3400).unwrap();
    let on = cuda.on(&stream).unwrap();
    on.forward_q8_0(&Activation::from(f), &there, &mut blocks).unwrap();
    let expected = quantized(&f32::activate(&cpu, &f.into(), &x));
    assert!(stream.clone_dtoh(&blocks).unwrap() == expected);
    on.swiglu_q8_0([&there, &there], &mut blocks).unwrap();
    let expected = quantized(&f32::swiglu(&cpu, &x, &x));
    assert!(stream.clone_dtoh(&blocks).unwrap() == expected);
    let wrong = on.forward_q8_0(&Activation::from(f), &there, &mut blocks.slice_mut(1..));
    assert_eq!(wrong, Err(Error::Length { what: "blocks", expected: 3400, found: 3399 }));
}

#[test]
fn gradients_on_slices() {
    let Some((cuda, stream)) = device() else { return };
    let n = 20_000;
    let [x, dy] = [1, 2].map(|seed| pre_activations(n, seed));
    let [x_there, dy_there] = [&x, &dy].map(|v| stream.clone_htod(v).unwrap());
    let mut dx = stream.alloc_zeros::<f32>(n).unwrap();
    let mut gradients = Gradients::new(&stream, n).unwrap();
    let on = cuda.on(&stream).unwrap();
    let f = Learned::from(raw().freeze(Form::Ideal));
    // Twice, into the same sums.
    for _ in 0..2 {
        on.backward(&f, &x_there, &dy_there, &mut dx, Some(&mut gradients)).unwrap();
    }
    let truth = reference::Xielu::new(&raw(), Form::Ideal);
    let mut sums = [0.0; 2];
    for ((&x, &dy), dx) in x.iter().zip(&dy).zip(stream.clone_dtoh(&dx).unwrap()) {
        let g = truth.gradients(&raw(), x.into());
        let expected = g.dx * f64::from(dy);
        assert!((f64::from(dx) - expected).abs() <= 1e-6 * expected.abs().max(1.0));
        sums[0] += 2.0 * f64::from(dy) * g.draw_p;
        sums[1] += 2.0 * f64::from(dy) * g.draw_n;
    }
    let alphas = stream.clone_dtoh(&gradients.alphas).unwrap();
    for (found, expected) in alphas.into_iter().zip(sums) {
        assert!((f64::from(found) / expected - 1.0).abs() < 1e-5, "{found}, expected {expected}");
    }

    let mut too_small = Gradients::new(&stream, 100).unwrap();
    let wrong = on.backward(&f, &x_there, &dy_there, &mut dx, Some(&mut too_small));
    assert_eq!(wrong, Err(Error::Length { what: "the workspace", expected: 6, found: 2 }));
    let relu2 = Activation::Relu2;
    let wrong = on.backward(&relu2, &x_there, &dy_there, &mut dx, Some(&mut gradients));
    assert_eq!(wrong, Err(Error::NoAlphas));
    Relu2.backward(&on, &x_there, &dy_there, &mut dx).unwrap();
    let found = stream.clone_dtoh(&dx).unwrap();
    let expected: Vec<f32> = x.iter().zip(&dy).map(|(x, dy)| dy * (2.0 * x.max(0.0))).collect();
    assert_eq!(found, expected);

    let mut d_up = stream.alloc_zeros::<f32>(n).unwrap();
    Swiglu.backward(&on, [&x_there, &x_there], &dy_there, [&mut dx, &mut d_up]).unwrap();
    let [d_gate, d_up] = [&dx, &d_up].map(|v| stream.clone_dtoh(v).unwrap());
    for i in 0..n {
        let [x, dy] = [x[i], dy[i]].map(f64::from);
        let expected = reference::swiglu_derivatives(x, x).map(|slope| slope * dy);
        for (found, expected) in [d_gate[i], d_up[i]].into_iter().zip(expected) {
            assert!((f64::from(found) - expected).abs() <= 1e-6 * expected.abs().max(1.0));
        }
    }
}

/// A training step whose alphas never leave the device: the same bits as with scalars from here.
#[test]
fn frozen_on_the_device() {
    let Some((cuda, stream)) = device() else { return };
    let n = 20_000;
    let [x, dy] = [1, 2].map(|seed| stream.clone_htod(&pre_activations(n, seed)).unwrap());
    let [p, q] = [raw().alpha_p, raw().alpha_n].map(|raw| stream.clone_htod(&[raw]).unwrap());
    let on = cuda.on(&stream).unwrap();
    let here: [Learned; 2] = [raw().freeze(Form::Ideal).into(), Xiprelu::freeze(&raw()).into()];
    for here in here {
        let kind = here.activation.kind();
        let there = on.freeze::<f32>(kind, [&p, &q], raw().beta, 0.0).unwrap();
        let mut y = [(); 2].map(|()| stream.alloc_zeros::<f32>(n).unwrap());
        on.forward(&here, &x, &mut y[0]).unwrap();
        there.forward(&on, &x, &mut y[1]).unwrap();
        let [expected, found] = y.each_ref().map(|y| stream.clone_dtoh(y).unwrap());
        same_bits("y", &expected, &found, &expected);
        let mut sums = Gradients::new(&stream, n).unwrap();
        on.backward(&here, &x, &dy, &mut y[0], Some(&mut sums)).unwrap();
        let sums = [sums, there.backward(&on, &x, &dy, &mut y[1]).unwrap()];
        let [expected, found] = y.each_ref().map(|dx| stream.clone_dtoh(dx).unwrap());
        same_bits("dx", &expected, &found, &expected);
        let [expected, found] = sums.map(|sums| stream.clone_dtoh(&sums.alphas).unwrap());
        assert_eq!(found, expected);
    }

    let two = stream.alloc_zeros::<f32>(2).unwrap();
    let wrong = on.freeze::<f32>(ActivationKind::Xielu, [&p, &two], 0.5, 0.0).unwrap_err();
    assert_eq!(wrong, Error::Length { what: "alpha_n", expected: 1, found: 2 });
    let wrong = on.freeze::<f32>(ActivationKind::Relu2, [&p, &q], 0.5, 0.0).unwrap_err();
    assert_eq!(wrong, Error::NoAlphas);
    let other = match Cuda::new(1) {
        Ok(other) => other,
        Err(error) => {
            return require::skip_part("scalars of another device", "cuda-2", &error.to_string());
        }
    };
    let others = other.context().default_stream();
    let wrong = cuda.on(&others).unwrap_err();
    assert_eq!(wrong, Error::OtherContext("the stream"));
    let [p, q] = [&p, &q].map(|raw| others.clone_htod(&stream.clone_dtoh(raw).unwrap()).unwrap());
    let there = other.on(&others).unwrap();
    let foreign = there.freeze::<f32>(ActivationKind::Xielu, [&p, &q], 0.5, 0.0).unwrap();
    let mut y = stream.alloc_zeros::<f32>(n).unwrap();
    let wrong = foreign.forward(&on, &x, &mut y);
    assert_eq!(wrong, Err(Error::OtherContext("the scalars")));
}

#[test]
fn what_does_not_fit_is_refused() {
    let Some((cuda, stream)) = device() else { return };
    let f = raw().freeze(Form::Ideal);
    let x = stream.alloc_zeros::<f32>(10).unwrap();
    let mut y = stream.alloc_zeros::<f32>(9).unwrap();
    let on = cuda.on(&stream).unwrap();
    let error = f.forward(&on, &x, &mut y);
    assert_eq!(error, Err(Error::Length { what: "y", expected: 10, found: 9 }));
    let other = match CudaContext::new(1) {
        Ok(other) => other,
        Err(error) => {
            return require::skip_part("memory of another device", "cuda-2", &error.to_string());
        }
    };
    let others = other.default_stream();
    assert_eq!(cuda.on(&others).unwrap_err(), Error::OtherContext("the stream"));
    let mut foreign = others.alloc_zeros::<f32>(10).unwrap();
    let error = f.forward(&on, &x, &mut foreign);
    assert_eq!(error, Err(Error::OtherContext("y")));
}

/// What the driver's compiler made of every kernel: no registers spilled to memory.
#[test]
fn every_kernel_loads_and_spills_nothing() {
    let Some((cuda, _)) = device() else { return };
    cuda.load_all().unwrap();
    let resources = cuda.resources().unwrap();
    let can_run = |k: &&Kernel| k.capability() <= cuda.capability();
    let entries: usize = Kernel::ALL.iter().filter(can_run).map(|k| k.entries().len()).sum();
    assert_eq!(resources.len(), entries);
    for (name, registers, local) in resources {
        println!("{name:24} {registers:3} registers, {local} bytes of local memory");
        assert!(registers > 0 && local == 0, "{name}");
    }
}

#[cfg(feature = "capi")]
mod capi {
    use std::ffi::c_void;
    use std::ptr;

    use xielu_kernels_cuda::capi::*;
    use xielu_kernels_cuda::cudarc::driver::DevicePtr;

    use super::*;

    const OK: xielu_cuda_status = xielu_cuda_status::XIELU_CUDA_OK;

    /// Stored scalars on the device, forward and backward, on a stream of the caller's.
    #[test]
    fn a_training_step_in_c() {
        let Some((_, stream)) = device() else { return };
        let n = 30_000usize;
        let [x, dy] = [1, 2].map(|seed| pre_activations(n, seed));
        let [x_there, dy_there] = [&x, &dy].map(|v| stream.clone_htod(v).unwrap());
        let out = stream.alloc_zeros::<f32>(n + 2).unwrap();
        let scalars = stream.clone_htod(&[raw().alpha_p, raw().alpha_n]).unwrap();
        let coefficients = stream.alloc_zeros::<f64>(4).unwrap();
        let workspace =
            stream.alloc_zeros::<u8>(xielu_cuda_workspace_size(n as u64) as usize).unwrap();
        let at = |address: u64| address as *mut c_void;
        let [x_at, dy_at, out_at, scalars_at] =
            [&x_there, &dy_there, &out, &scalars].map(|s| s.device_ptr(&stream).0);
        let coefficients_at = coefficients.device_ptr(&stream).0;
        let call = xielu_cuda_call {
            stream: stream.cu_stream().cast(),
            function: XIELU_CUDA_XIELU,
            dtype: XIELU_CUDA_F32,
            coefficients: ptr::null(),
            device_coefficients: at(coefficients_at),
        };
        let alphas_at = out_at + 4 * n as u64;
        let gradients = xielu_cuda_gradients {
            x: at(x_at),
            dy: at(dy_at),
            dx: at(out_at),
            draw_p: at(alphas_at).cast(),
            draw_n: at(alphas_at + 4).cast(),
            workspace: at(workspace.device_ptr(&stream).0),
            n: n as u64,
            accumulate_dx: false,
            accumulate_alphas: false,
        };
        let mut cuda = ptr::null_mut();
        // SAFETY: all addresses are of this device and as long as is said; the copies wait.
        unsafe {
            assert_eq!(xielu_cuda_open(0, &mut cuda), OK);
            let (p, q) = (at(scalars_at), at(scalars_at + 4));
            assert_eq!(xielu_cuda_freeze(cuda, &call, p, q, 0.5, 0.0, at(coefficients_at)), OK);
            assert_eq!(xielu_cuda_forward(cuda, &call, at(x_at), at(out_at), n as u64), OK);
            let y = stream.clone_dtoh(&out).unwrap();
            let expected = f32::activate(&Kernels::detect(), &raw().freeze(Form::Ideal).into(), &x);
            same_bits("C", &x, &y[..n], &expected);
            assert_eq!(xielu_cuda_backward(cuda, &call, &gradients), OK);
            let none = xielu_cuda_call { device_coefficients: ptr::null(), ..call };
            assert_eq!(
                xielu_cuda_backward(cuda, &none, &gradients),
                xielu_cuda_status::XIELU_CUDA_INVALID
            );
            let relu2 = xielu_cuda_call { function: XIELU_CUDA_RELU2, ..none };
            assert_eq!(
                xielu_cuda_backward(cuda, &relu2, &gradients),
                xielu_cuda_status::XIELU_CUDA_INVALID
            );
            xielu_cuda_close(cuda);
        }
        let found = stream.clone_dtoh(&out).unwrap();
        let call = crate::support::gradients::Call::on(&Machine::Host).run(
            Learned::from(raw().freeze(Form::Ideal)),
            &x,
            &dy,
        );
        same_bits("dx", &x, &found[..n], &call.dx);
        assert_eq!(found[n..], call.alphas);
    }
}
