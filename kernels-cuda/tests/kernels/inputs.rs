//! Inputs of products have the bits of the CPU's quantized inputs.

use crate::support::ptx::Buffers;
use crate::support::*;
use xielu::kernels::{InputBlock, Kernels};
use xielu_kernels_cuda::{Activation, Error, InputsAt, Prepare, Scalars};

/// What the kernel left: quants in the order of their values, groups, and f32 values.
#[derive(Debug, PartialEq)]
struct Found {
    quants: Vec<i8>,
    scales: Vec<u32>,
    sums: Vec<i16>,
    values: Vec<u32>,
}

fn prepared(
    machine: &Machine,
    prepare: Prepare,
    x: &[f32],
    gate: Option<&[f32]>,
    tokens: usize,
) -> Found {
    let cols = x.len() / tokens;
    let padded = cols.next_multiple_of(256) * tokens;
    let there = machine.copy(x, 4);
    let gate = gate.map(|gate| machine.copy(gate, 8));
    let quants = machine.copy(&vec![0x55u8; padded], 0);
    let groups = machine.copy(&vec![u64::MAX; padded / 32], 0);
    let values = machine.copy(&vec![f32::NAN; padded], 0);
    let to = InputsAt {
        quants: quants.address(),
        groups: groups.address(),
        values: values.address(),
        tokens: tokens as u64,
        cols: cols as u64,
    };
    let prepare = gate.as_ref().map_or(prepare, |gate| Prepare::Swiglu(gate.address()));
    // SAFETY: the buffers hold what `to` says and outlive `read`, which waits.
    unsafe { machine.raw(3).quantize(prepare, there.address(), tokens as u64, &to) }.unwrap();
    let stored: Vec<i8> = quants.read();
    // Place 8t + i is value 4t + i, place 8t + 4 + i value 16 + 4t + i.
    let in_order = |group: &[i8]| {
        (0..32).map(|k: usize| group[k % 16 / 4 * 8 + k / 16 * 4 + k % 4]).collect::<Vec<_>>()
    };
    let groups: Vec<u64> = groups.read();
    Found {
        quants: stored.chunks(32).flat_map(in_order).collect(),
        scales: groups.iter().map(|&g| g as u32).collect(),
        sums: groups.iter().flat_map(|&g| [(g >> 32) as i16, (g >> 48) as i16]).collect(),
        values: values.read::<f32>().iter().map(|v| v.to_bits()).collect(),
    }
}

fn expected(y: &[f32], tokens: usize) -> Found {
    let cols = y.len() / tokens;
    let mut blocks = vec![InputBlock::ZERO; InputBlock::per_row(cols) * tokens];
    Kernels::detect().quantize_input(y, cols, &mut blocks).unwrap();
    let mut found = Found { quants: vec![], scales: vec![], sums: vec![], values: vec![] };
    for block in &blocks {
        let bytes: &[u8] = bytemuck::bytes_of(block);
        found.scales.extend(bytemuck::pod_collect_to_vec::<u8, u32>(&bytes[..32]));
        found.sums.extend(bytemuck::pod_collect_to_vec::<u8, i16>(&bytes[32..64]));
        found.quants.extend(bytemuck::pod_collect_to_vec::<u8, i8>(&bytes[64..]));
    }
    for row in y.chunks(cols) {
        found.values.extend(row.iter().map(|v| v.to_bits()));
        found.values.resize(found.values.len().next_multiple_of(256), 0);
    }
    found
}

/// Rows of every magnitude, with NaN, infinities, subnormal groups and groups of zeros.
fn rows(tokens: usize, cols: usize) -> Vec<f32> {
    let mut x = pre_activations(tokens * cols, 9);
    for (i, group) in x.chunks_mut(32).enumerate() {
        match i % 11 {
            3 => group.fill(0.0),
            5 => group[7] = f32::NAN,
            6 => group[31] = f32::NEG_INFINITY,
            8 => group.iter_mut().for_each(|v| *v *= 1e-39),
            9 => group.iter_mut().for_each(|v| *v *= 3e18),
            _ => {}
        }
    }
    x
}

fn all(machine: &Machine) {
    let cpu = Kernels::detect();
    for (tokens, cols) in [(1, 32), (1, 256), (3, 96), (2, 288), (5, 512)] {
        let x = rows(tokens, cols);
        let found = prepared(machine, Prepare::AsIs, &x, None, tokens);
        assert!(found == expected(&x, tokens), "{tokens} x {cols} on the {}", machine.name());
        for f in functions() {
            let y = f32::activate(&cpu, &f, &x);
            let prepare = Prepare::Activate(f.kind(), Scalars::from(&f));
            let found = prepared(machine, prepare, &x, None, tokens);
            assert!(found == expected(&y, tokens), "{f:?}, {tokens} x {cols}");
        }
        let gate = pre_activations(x.len(), 4);
        let y = f32::swiglu(&cpu, &gate, &x);
        let found = prepared(machine, Prepare::AsIs, &x, Some(&gate), tokens);
        assert!(found == expected(&y, tokens), "SwiGLU, {tokens} x {cols}");
    }
}

#[test]
fn the_cpus_bits() {
    machines().iter().for_each(all);
}

#[test]
fn the_cpus_bits_interpreted() {
    all(&Machine::Ptx(Buffers::default()));
}

#[test]
fn what_does_not_fit_is_refused() {
    for machine in machines() {
        let x = machine.copy(&[1.0f32; 64], 0);
        let quants = machine.copy(&[0u8; 256], 0);
        let groups = machine.copy(&[0u64; 8], 0);
        let to = InputsAt {
            quants: quants.address(),
            groups: groups.address(),
            values: 0,
            tokens: 1,
            cols: 64,
        };
        let call = |prepare, tokens, to| {
            // SAFETY: the buffers hold one row.
            unsafe { machine.raw(1).quantize(prepare, x.address(), tokens, &to) }
        };
        assert_eq!(call(Prepare::AsIs, 1, to), Ok(()));
        let error = Error::Length { what: "the inputs' tokens", expected: 1, found: 2 };
        assert_eq!(call(Prepare::AsIs, 2, to), Err(error));
        let half = InputsAt { groups: 0, ..to };
        assert_eq!(call(Prepare::AsIs, 1, half), Err(Error::Null("the inputs' groups")));
        let odd = InputsAt { quants: to.quants + 8, ..to };
        assert_eq!(call(Prepare::AsIs, 1, odd), Err(Error::Alignment("the inputs' quants")));
        let kind = Activation::Relu2.kind();
        assert_eq!(call(Prepare::Activate(kind, Scalars::NONE), 1, to), Ok(()));
    }
}
