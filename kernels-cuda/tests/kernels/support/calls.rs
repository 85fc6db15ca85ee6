//! Forward calls on one machine's memory.

use xielu_kernels_cuda::{Activation, Scalars};

use super::{Machine, Value, bits};

/// Where a call's operands lie: offsets from a 16-byte boundary in elements.
#[derive(Clone, Copy, Debug, Default)]
pub struct Layout {
    pub src: usize,
    pub dst: usize,
}

/// `f` of every element.
pub fn forward<T: Value>(
    machine: &Machine,
    blocks: u64,
    f: &Activation,
    x: &[T],
    at: Layout,
) -> Vec<T> {
    let size = size_of::<T>();
    let src = machine.copy(x, at.src * size);
    let dst = machine.copy(&vec![T::from_f32(7.0); x.len()], at.dst * size);
    let scalars = Scalars::from(f);
    let n = x.len() as u64;
    let addresses = [src.address(), dst.address()];
    // SAFETY: both buffers hold `n` elements and outlive `read`, which waits.
    unsafe { machine.raw(blocks).forward(f.kind(), scalars, T::STORED, addresses, n) }.unwrap();
    assert_eq!(bits(&src.read::<T>()), bits(x), "the input was written to");
    dst.read()
}

/// `silu(gate) * up`, with the offsets of both and of the result.
pub fn swiglu<T: Value>(
    machine: &Machine,
    blocks: u64,
    gate: &[T],
    up: &[T],
    at: [usize; 3],
) -> Vec<T> {
    let [g, u, y] = at.map(|offset| offset * size_of::<T>());
    let gate = machine.copy(gate, g);
    let up_memory = machine.copy(up, u);
    let y = machine.copy(&vec![T::from_f32(7.0); up.len()], y);
    let addresses = [gate.address(), up_memory.address(), y.address()];
    // SAFETY: the three buffers hold as many elements and outlive `read`, which waits.
    unsafe { machine.raw(blocks).swiglu(T::STORED, addresses, up.len() as u64) }.unwrap();
    y.read()
}

/// The Q8_0 blocks of `f`, or of SwiGLU with `x` as both operands.
pub fn fused<T: Value>(
    machine: &Machine,
    blocks: u64,
    f: Option<&Activation>,
    x: &[T],
    at: Layout,
) -> Vec<u8> {
    let n = x.len() as u64;
    let src = machine.copy(x, at.src * size_of::<T>());
    let dst = machine.copy(&vec![0xffu8; x.len() / 32 * 34], at.dst);
    let raw = machine.raw(blocks);
    // SAFETY: the buffers hold `n` elements and `n / 32` blocks, and outlive `read`, which waits.
    unsafe {
        match f {
            Some(f) => {
                let scalars = Scalars::from(f);
                let addresses = [src.address(), dst.address()];
                raw.forward_q8_0(f.kind(), scalars, T::STORED, addresses, n)
            }
            None => {
                let addresses = [src.address(), src.address(), dst.address()];
                raw.swiglu_q8_0(T::STORED, addresses, n)
            }
        }
    }
    .unwrap();
    dst.read()
}
