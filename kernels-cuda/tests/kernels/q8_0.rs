//! The fused kernels write the bytes of the CPU's activation followed by its quantizer.

use crate::support::calls::{Layout, fused};
use crate::support::*;
use half::{bf16, f16};
use xielu::kernels::{BlockQ8_0, Kernels};
use xielu_kernels_cuda::{Activation, ActivationKind, Error, Scalars};

fn quantized(values: &[f32]) -> Vec<u8> {
    let mut blocks = vec![BlockQ8_0::ZERO; values.len() / 32];
    Kernels::detect().quantize_q8_0(values, &mut blocks).unwrap();
    bytemuck::cast_slice(&blocks).to_vec()
}

fn widened<T: Value>(x: &[T]) -> Vec<f32> {
    x.iter().map(|v| v.to_f32()).collect()
}

fn expected<T: Value>(f: Option<&Activation>, x: &[T]) -> Vec<u8> {
    let (cpu, x) = (Kernels::detect(), widened(x));
    quantized(&match f {
        Some(f) => f32::activate(&cpu, f, &x),
        None => f32::swiglu(&cpu, &x, &x),
    })
}

fn all_functions<T: Value>(x: &[T]) {
    for machine in machines() {
        let all = functions();
        for f in all.iter().map(Some).chain([None]) {
            let found = fused(&machine, 3, f, x, Layout::default());
            assert!(found == expected(f, x), "{f:?} on the {}", machine.name());
        }
    }
}

/// Neighbours in magnitude share a block, so every scale and every quant occurs; blocks with NaN
/// and infinity, and those whose scale overflows or vanishes, are among them.
#[test]
fn every_encoding() {
    all_functions(&every::<bf16>());
    all_functions(&every::<f16>());
}

/// Blocks of one magnitude each, from subnormal to the largest.
#[test]
fn f32_of_every_magnitude() {
    let mut x = pre_activations(255 * 32, 3);
    for (block, values) in x.chunks_mut(32).enumerate() {
        let scale = f32::from_bits((block as u32) << 23);
        values.iter_mut().for_each(|v| *v *= scale);
    }
    let specials = [f32::NAN, f32::INFINITY, -f32::INFINITY, -f32::NAN, 1e-45, f32::MAX, -0.0, 0.0];
    for special in specials {
        x.extend([special; 32]);
        x.extend((0..32).map(|i| if i == 17 { special } else { 0.25 }));
    }
    all_functions(&x);
}

fn sizes<T: Value>() {
    let x: Vec<T> = pre_activations(3 * 2048 + 96, 7).into_iter().map(T::from_f32).collect();
    let f = Activation::Xielu(coefficients(17.75, 6.3));
    for machine in machines() {
        for n in [32, 64, 2016, 2048, 2080, 3 * 2048 + 96] {
            let x = &x[..n];
            for (src, dst) in [(0, 0), (1, 0), (0, 1), (3, 2), (0, 16)] {
                for blocks in [1, 2, 100] {
                    let found = fused(&machine, blocks, Some(&f), x, Layout { src, dst });
                    assert!(found == expected(Some(&f), x), "{n} elements");
                    let found = fused(&machine, blocks, None, x, Layout { src, dst });
                    assert!(found == expected(None, x), "{n} elements, SwiGLU");
                }
            }
        }
    }
}

#[test]
fn sizes_places_and_grids() {
    sizes::<f32>();
    sizes::<bf16>();
    sizes::<f16>();
}

#[test]
fn partial_blocks_are_refused() {
    for machine in machines() {
        let x = machine.copy(&[0.0f32; 40], 0);
        let y = machine.copy(&[0u8; 68], 0);
        let scalars = Scalars::NONE;
        let call = |n| {
            let kind = ActivationKind::Relu2;
            let addresses = [x.address(), y.address()];
            // SAFETY: there is room for more elements than any of these.
            unsafe { machine.raw(1).forward_q8_0(kind, scalars, f32::STORED, addresses, n) }
        };
        assert_eq!(call(33), Err(Error::PartialBlock(33)));
        assert_eq!(call(31), Err(Error::PartialBlock(31)));
        assert_eq!(call(0), Ok(()));
        assert_eq!(call(32), Ok(()));
    }
}
