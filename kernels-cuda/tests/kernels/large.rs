//! More than 2^32 elements, in memory that exists only where it is touched: the last blocks of
//! each kernel run, on the host.

use crate::support::gradients::{Call, Gradients};
use crate::support::*;
use half::bf16;
use memmap2::{MmapMut, MmapOptions};
use xielu::kernels::Kernels;
use xielu_kernels_cuda::host::HostTwin;
use xielu_kernels_cuda::{
    Activation, ActivationKind, Backward, Coefficients, DType, Raw, Scalars, SwigluBackward,
    backward_workspace_len,
};

const N: u64 = (1 << 32) + 10_016;
/// Elements a block takes at a time, and elements summed together.
const STEP: u64 = 2048;
const TILE: u64 = 4 * STEP;
/// Where the last three tiles begin.
const TAIL: u64 = (N.div_ceil(TILE) - 3) * TILE;

fn function() -> Coefficients {
    coefficients(0.8, 0.8)
}

/// Zeros but for its last elements.
fn buffer(seed: u64) -> (MmapMut, Vec<bf16>) {
    let mut memory = MmapOptions::new()
        .len(2 * N as usize)
        .no_reserve_swap()
        .map_anon()
        .expect("8.6 GB of address space");
    let tail: Vec<bf16> =
        pre_activations((N - TAIL) as usize, seed).into_iter().map(bf16::from_f32).collect();
    memory[2 * TAIL as usize..].copy_from_slice(bytemuck::cast_slice(&tail));
    (memory, tail)
}

fn end_of(memory: &MmapMut) -> Vec<bf16> {
    bytemuck::pod_collect_to_vec(&memory[2 * TAIL as usize..])
}

/// The kernels, running only what lies in the last three tiles of `unit` elements a block.
fn last_blocks(unit: u64) -> Raw<HostTwin> {
    let blocks = N.div_ceil(unit);
    HostTwin::new(blocks).unwrap().0.only(TAIL / unit..blocks)
}

#[test]
fn forward_in_place() {
    let (mut memory, x) = buffer(3);
    let address = memory.as_mut_ptr() as u64;
    let scalars = Scalars::effective(function());
    let raw = last_blocks(STEP);
    // SAFETY: the mapping holds `N` elements, and nothing else uses it.
    unsafe { raw.forward(ActivationKind::Xielu, scalars, DType::BF16, [address; 2], N) }.unwrap();
    let f = Activation::Xielu(function());
    let expected = bf16::activate(&Kernels::detect(), &f, &x);
    same_bits("the end", &x, &end_of(&memory), &expected);
}

#[test]
fn swiglu_in_place() {
    let [(mut gate, gates), (mut up, ups)] = [buffer(4), buffer(5)];
    let [gate_at, up_at] = [&mut gate, &mut up].map(|m| m.as_mut_ptr() as u64);
    // SAFETY: the mappings hold `N` elements, and nothing else uses them.
    unsafe { last_blocks(STEP).swiglu(DType::BF16, [gate_at, up_at, up_at], N) }.unwrap();
    let expected = bf16::swiglu(&Kernels::detect(), &gates, &ups);
    same_bits("the end", &gates, &end_of(&up), &expected);
}

#[test]
fn blocks() {
    let (memory, x) = buffer(6);
    let mut blocks = MmapOptions::new()
        .len((N / 32 * 34) as usize)
        .no_reserve_swap()
        .map_anon()
        .expect("4.6 GB of address space");
    let addresses = [memory.as_ptr() as u64, blocks.as_mut_ptr() as u64];
    let scalars = Scalars::effective(function());
    let raw = last_blocks(STEP);
    // SAFETY: the mappings hold `N` elements and their blocks, and nothing else uses them.
    unsafe { raw.forward_q8_0(ActivationKind::Xielu, scalars, DType::BF16, addresses, N) }.unwrap();
    let machine = Machine::Host;
    let [there, out] = [machine.copy(&x, 0), machine.copy(&vec![0u8; x.len() / 32 * 34], 0)];
    let addresses = [there.address(), out.address()];
    let n = x.len() as u64;
    // SAFETY: the buffers hold `n` elements and their blocks, and outlive `read`.
    unsafe {
        machine.raw(5).forward_q8_0(ActivationKind::Xielu, scalars, DType::BF16, addresses, n)
    }
    .unwrap();
    assert!(blocks[(TAIL / 32 * 34) as usize..] == out.read::<u8>()[..]);
}

/// The partial sums of the tiles that did not run are zeros.
#[test]
fn gradients() {
    let [(x, xs), (dy, dys)] = [buffer(7), buffer(8)];
    let (mut dx, _) = buffer(9);
    let mut partials = vec![0.0f64; backward_workspace_len(N) as usize / 8];
    let mut alphas = [0.0f32; 2];
    let mut operands = Backward {
        x: x.as_ptr() as u64,
        dy: dy.as_ptr() as u64,
        dx: dx.as_mut_ptr() as u64,
        draw_p: alphas.as_mut_ptr() as u64,
        draw_n: alphas.as_mut_ptr() as u64 + 4,
        workspace: partials.as_mut_ptr() as u64,
        n: N,
        ..Backward::default()
    };
    let scalars = Scalars::effective(function());
    let raw = last_blocks(TILE);
    // SAFETY: the mappings hold `N` elements, the workspace what it must; nothing else uses them.
    unsafe { raw.backward(ActivationKind::Xielu, scalars, DType::BF16, &operands) }.unwrap();
    let machine = Machine::Host;
    let Gradients { dx: expected, .. } =
        Call::on(&machine).run(Activation::Xielu(function()), &xs, &dys);
    same_bits("dx", &xs, &end_of(&dx), &expected);
    let tiles = N.div_ceil(TILE) as usize;
    let (before, last) = partials.split_at(2 * (tiles - 3));
    assert!(before.iter().all(|&sum| sum == 0.0));

    // The same three tiles alone.
    let mut few = [0.0f64; 6];
    let [xs_at, dys_at] = [&xs, &dys].map(|v| v.as_ptr() as u64);
    operands = Backward { x: xs_at, dy: dys_at, dx: 0, n: N - TAIL, ..operands };
    operands.workspace = few.as_mut_ptr() as u64;
    let raw = HostTwin::new(1).unwrap();
    // SAFETY: the vectors hold what they must, and nothing else uses them.
    unsafe { raw.backward(ActivationKind::Xielu, scalars, DType::BF16, &operands) }.unwrap();
    assert_eq!(last, few);
    assert!(few.iter().all(|&sum| sum != 0.0));
}

#[test]
fn swiglu_gradients_in_place() {
    let [(mut gate, gates), (mut up, ups), (dy, dys)] = [buffer(10), buffer(11), buffer(12)];
    let [gate_at, up_at] = [&mut gate, &mut up].map(|m| m.as_mut_ptr() as u64);
    let operands = SwigluBackward {
        gate: gate_at,
        up: up_at,
        dy: dy.as_ptr() as u64,
        d_gate: gate_at,
        d_up: up_at,
        n: N,
        accumulate: false,
    };
    // SAFETY: the mappings hold `N` elements, and nothing else uses them.
    unsafe { last_blocks(STEP).swiglu_backward(DType::BF16, &operands) }.unwrap();
    let machine = Machine::Host;
    let [d_gate, d_up] = Call::on(&machine).swiglu(&gates, &ups, &dys);
    same_bits("d_gate", &gates, &end_of(&gate), &d_gate);
    same_bits("d_up", &gates, &end_of(&up), &d_up);
}
