//! The committed PTX, interpreted, gives the bits of the host twins.

use crate::support::calls::{Layout, forward, fused, swiglu};
use crate::support::gradients::{Call, Gradients};
use crate::support::ptx::Buffers;
use crate::support::*;
use half::{bf16, f16};
use xielu_kernels_cuda::{Activation, ActivationKind};

/// Moderate values and, rarer, everything else: whole steps, then a rest.
fn inputs<T: Value>(seed: u64) -> Vec<T> {
    let mut x = pre_activations(8192 + 2048 + 77, seed);
    x.iter_mut().skip(8192).step_by(3).zip(sweep(33_554_393)).for_each(|(x, s)| *x = s);
    x.into_iter().map(T::from_f32).collect()
}

fn interpreter() -> Machine {
    Machine::Ptx(Buffers::default())
}

/// One of each function, with and without eps.
fn some_functions() -> Vec<Activation> {
    functions().into_iter().take(4).collect()
}

fn forwards<T: Value>() {
    let (host, ptx) = (Machine::Host, interpreter());
    let [x, up] = [1, 2].map(inputs::<T>);
    for f in some_functions() {
        for at in [Layout::default(), Layout { src: 1, dst: 2 }] {
            let expected = forward(&host, 3, &f, &x, at);
            same_bits("forward", &x, &forward(&ptx, 3, &f, &x, at), &expected);
        }
    }
    for at in [[0; 3], [1, 2, 3]] {
        let expected = swiglu(&host, 3, &x, &up, at);
        same_bits("SwiGLU", &x, &swiglu(&ptx, 3, &x, &up, at), &expected);
    }
}

#[test]
fn forwards_of_every_type() {
    forwards::<f32>();
    forwards::<bf16>();
    forwards::<f16>();
}

fn blocks<T: Value>() {
    let (host, ptx) = (Machine::Host, interpreter());
    let x = inputs::<T>(3);
    let x = &x[..x.len() / 32 * 32];
    let functions = some_functions();
    for f in functions.iter().map(Some).chain([None]) {
        for at in [Layout::default(), Layout { src: 1, dst: 7 }] {
            assert!(fused(&ptx, 2, f, x, at) == fused(&host, 2, f, x, at), "{f:?}, {at:?}");
        }
    }
}

#[test]
fn blocks_of_every_type() {
    blocks::<f32>();
    blocks::<bf16>();
    blocks::<f16>();
}

/// With NaNs, which leave NaN gradients of the alphas, and without.
fn backwards<T: Value>() {
    let (host, ptx) = (Machine::Host, interpreter());
    let all: [Vec<T>; 2] = [1, 2].map(inputs);
    let tame = all.each_ref().map(|v| &v[..8192]);
    for f in some_functions() {
        for [x, dy] in [tame, all.each_ref().map(|v| &v[..])] {
            for (at, add_to) in [([0; 3], None), ([0; 3], Some(0.5)), ([1, 0, 3], Some(0.5))] {
                let call = |machine| Call { machine, blocks: 2, at, add_to }.run(f, x, dy);
                let (Gradients { dx, alphas }, expected) = (call(&ptx), call(&host));
                same_bits("dx", x, &dx, &expected.dx);
                assert_eq!(alphas.map(f32::to_bits), expected.alphas.map(f32::to_bits), "{f:?}");
            }
        }
    }
    let [x, dy] = all;
    let up = inputs::<T>(5);
    for (at, add_to) in [([0; 3], None), ([0; 3], Some(0.5)), ([1, 0, 3], None)] {
        let call = |machine| Call { machine, blocks: 2, at, add_to }.swiglu(&x, &up, &dy);
        for (found, expected) in call(&ptx).iter().zip(call(&host)) {
            same_bits("SwiGLU's gradients", &x, found, &expected);
        }
    }
}

#[test]
fn backwards_f32() {
    backwards::<f32>();
}

#[test]
fn backwards_bf16() {
    backwards::<bf16>();
}

#[test]
fn backwards_f16() {
    backwards::<f16>();
}

/// Instructions that one element of a whole step costs, with values as they are in a model.
fn instructions<T: Value>(f: Option<&Activation>, backward: bool) -> f64 {
    const N: usize = 8 * 8192;
    let [x, dy] = [1, 2]
        .map(|seed| pre_activations(N, seed).into_iter().map(T::from_f32).collect::<Vec<T>>());
    let machine = interpreter();
    match f {
        Some(f) if backward => drop(Call { blocks: 1, ..Call::on(&machine) }.run(*f, &x, &dy)),
        Some(f) => drop(forward(&machine, 1, f, &x, Layout::default())),
        None if backward => {
            drop(Call { blocks: 1, ..Call::on(&machine) }.swiglu(&x, &dy, &dy));
        }
        None => drop(swiglu(&machine, 1, &x, &dy, [0; 3])),
    }
    let Machine::Ptx(buffers) = &machine else { unreachable!("an interpreter") };
    buffers.executed.get() as f64 / N as f64
}

/// What makes kernels as fast as memory: few instructions. Each is a lane of a multiprocessor for
/// a cycle, or a little more or less once the driver has assembled it.
#[test]
fn instructions_an_element() {
    let all = functions();
    let f = |kind| all.iter().find(|f| f.kind() == kind);
    // The most there may be in bf16, forward and backward.
    let kernels = [
        ("xielu", f(ActivationKind::Xielu), [46.0, 57.0]),
        ("xiprelu", f(ActivationKind::Xiprelu), [18.5, 30.5]),
        ("relu2", f(ActivationKind::Relu2), [16.5, 24.0]),
        ("swiglu", None, [47.0, 76.0]),
    ];
    println!("instructions an element: {:>6} {:>6} {:>6}", "f32", "bf16", "f16");
    for (name, f, most) in kernels {
        for (backward, most) in [false, true].into_iter().zip(most) {
            let counts = [
                instructions::<f32>(f, backward),
                instructions::<bf16>(f, backward),
                instructions::<f16>(f, backward),
            ];
            let direction = if backward { "backward" } else { "forward" };
            println!(
                "{name:14} {direction:9} {:>6.1} {:>6.1} {:>6.1}",
                counts[0], counts[1], counts[2]
            );
            assert!(counts[1] <= most, "{name} {direction}: {} of {most}", counts[1]);
        }
    }
}

/// The interpreter itself: it notices what it is there to notice.
mod mistakes {
    use super::*;
    use xielu_kernels_cuda::{DType, Scalars};

    fn run(elements: u64, x_and_y: [u64; 2], machine: &Machine) {
        let scalars = Scalars::effective(coefficients(0.8, 0.8));
        // SAFETY: the interpreter refuses what is not in a buffer.
        unsafe {
            machine.raw(1).forward(ActivationKind::Xielu, scalars, DType::F32, x_and_y, elements)
        }
        .unwrap();
    }

    #[test]
    #[should_panic(expected = "outside of every buffer")]
    fn too_many_elements() {
        let machine = interpreter();
        let [x, y] = [1, 2].map(|seed| machine.copy(&pre_activations(100, seed), 0));
        run(101, [x.address(), y.address()], &machine);
    }

    #[test]
    #[should_panic(expected = "outside of every buffer")]
    fn a_buffer_that_is_gone() {
        let machine = interpreter();
        let y = machine.copy(&[0.0f32; 8], 0);
        let gone = machine.copy(&[0.0f32; 8], 0).address();
        run(8, [gone, y.address()], &machine);
    }
}
