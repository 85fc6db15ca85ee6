//! The forward kernels have the bits of the CPU's, whatever size, place and grid.

use crate::support::calls::{Layout, forward, swiglu};
use crate::support::*;
use half::{bf16, f16};
use xielu::kernels::Kernels;
use xielu_kernels_cuda::{Activation, DType, Scalars};

/// Elements a block takes at a time.
const STEP: usize = 2048;

fn equal_to_cpu<T: Value>(machine: &Machine, x: &[T]) {
    let cpu = Kernels::detect();
    for f in functions() {
        let found = forward(machine, 64, &f, x, Layout::default());
        same_bits(machine.name(), x, &found, &T::activate(&cpu, &f, x));
    }
}

#[test]
fn bf16_every_encoding() {
    machines().iter().for_each(|m| equal_to_cpu(m, &every::<bf16>()));
}

#[test]
fn f16_every_encoding() {
    machines().iter().for_each(|m| equal_to_cpu(m, &every::<f16>()));
}

#[test]
fn f32_sweep() {
    machines().iter().for_each(|m| equal_to_cpu(m, &sweep(4099)));
}

#[test]
#[ignore = "all 2^32 inputs, more than a quarter of an hour: cargo test --release \
            -p xielu-kernels-cuda --features host-twin --test kernels -- --ignored f32_every"]
fn f32_every_encoding() {
    const PART: u64 = 1 << 24;
    for machine in machines() {
        for start in (0..1u64 << 32).step_by(PART as usize) {
            let x: Vec<f32> = (start..start + PART).map(|b| f32::from_bits(b as u32)).collect();
            let cpu = Kernels::detect();
            for f in [functions()[1], functions()[11], functions()[12]] {
                let found = forward(&machine, 64, &f, &x, Layout::default());
                same_bits(machine.name(), &x, &found, &f32::activate(&cpu, &f, &x));
            }
        }
    }
}

/// Every gate with some `up` of every magnitude.
fn swiglu_equal_to_cpu<T: Value>(gates: &[T]) {
    for machine in machines() {
        for shift in [1, 4097, 30011] {
            let up: Vec<T> = gates.iter().cycle().skip(shift).take(gates.len()).copied().collect();
            let found = swiglu(&machine, 64, gates, &up, [0; 3]);
            let expected = T::swiglu(&Kernels::detect(), gates, &up);
            same_bits(machine.name(), gates, &found, &expected);
        }
    }
}

#[test]
fn swiglu_all_types() {
    swiglu_equal_to_cpu(&every::<bf16>());
    swiglu_equal_to_cpu(&every::<f16>());
    swiglu_equal_to_cpu(&sweep(9973));
}

fn sizes_places_and_grids<T: Value>() {
    let f = Activation::Xielu(coefficients(17.75, 6.3));
    let cpu = Kernels::detect();
    let all: Vec<T> = pre_activations(3 * STEP + 7, 5).into_iter().map(T::from_f32).collect();
    let sizes = [1, 2, 3, 7, 8, 9, 31, 255, 257, STEP - 1, STEP, STEP + 1, 2 * STEP, 3 * STEP + 7];
    for machine in machines() {
        for n in sizes {
            let x = &all[all.len() - n..];
            let expected = T::activate(&cpu, &f, x);
            for (src, dst) in [(0, 0), (1, 0), (0, 1), (1, 1), (3, 3), (2, 7), (16, 5)] {
                for blocks in [1, 2, 1000] {
                    let found = forward(&machine, blocks, &f, x, Layout { src, dst });
                    same_bits("a part", x, &found, &expected);
                }
            }
            let gates: Vec<T> = x.iter().rev().copied().collect();
            let expected = T::swiglu(&cpu, &gates, x);
            for at in [[0; 3], [1, 0, 0], [0, 3, 0], [2, 1, 5]] {
                same_bits("a part", x, &swiglu(&machine, 2, &gates, x, at), &expected);
            }
        }
    }
}

#[test]
fn odd_sizes_misaligned_any_grid() {
    sizes_places_and_grids::<f32>();
    sizes_places_and_grids::<bf16>();
    sizes_places_and_grids::<f16>();
}

#[test]
fn in_place() {
    let x = pre_activations(STEP + 5, 9);
    for machine in machines() {
        for f in functions() {
            let expected = forward(&machine, 1, &f, &x, Layout::default());
            let memory = machine.copy(&x, 4);
            let scalars = Scalars::from(&f);
            let addresses = [memory.address(); 2];
            let n = x.len() as u64;
            // SAFETY: the buffer holds `n` elements and outlives `read`, which waits.
            unsafe { machine.raw(3).forward(f.kind(), scalars, DType::F32, addresses, n) }.unwrap();
            same_bits("in place", &x, &memory.read(), &expected);
        }
        let memory = machine.copy(&x, 0);
        let gate = machine.copy(&x, 0);
        let expected = swiglu(&machine, 1, &x, &x, [0; 3]);
        let addresses = [gate.address(), memory.address(), memory.address()];
        // SAFETY: as above.
        unsafe { machine.raw(3).swiglu(DType::F32, addresses, x.len() as u64) }.unwrap();
        same_bits("in place", &x, &memory.read(), &expected);
    }
}

#[test]
fn scalars_on_the_device() {
    let x = pre_activations(100, 1);
    let n = x.len() as u64;
    for machine in machines() {
        for f in functions() {
            let c = coefficients_of(&f);
            let floats = [c.alpha_p, c.alpha_n, c.beta, c.eps].map(f32::to_ne_bytes).concat();
            let doubles = [1.0, 1.0].map(f64::to_ne_bytes).concat();
            let scalars = machine.copy(&[floats, doubles].concat(), 0);
            let memory = machine.copy(&x, 0);
            let there = Scalars::Device(scalars.address());
            let addresses = [memory.address(); 2];
            // SAFETY: the buffers hold what they must and outlive `read`, which waits.
            unsafe { machine.raw(3).forward(f.kind(), there, DType::F32, addresses, n) }.unwrap();
            let expected = forward(&machine, 1, &f, &x, Layout::default());
            same_bits("scalars on the device", &x, &memory.read(), &expected);
        }
    }
}

/// Where one value of a thread needs the general form, so do its neighbours: the same bits.
#[test]
fn beside_a_nan() {
    let mut x = sweep(65_521);
    x.extend(pre_activations(5000, 1));
    x.iter_mut().step_by(4).for_each(|v| *v = f32::NAN);
    machines().iter().for_each(|m| equal_to_cpu(m, &x));
}
