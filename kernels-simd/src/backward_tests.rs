//! The gradient kernels give these bits on every target and every instruction set.

use half::{bf16, f16};
use std::vec;
use std::vec::Vec;

use crate::test_support::every_kernel;
use crate::{
    Activation, ActivationKind, AlphaSums, BackwardError, Coefficients, Element, Kernels, TileSums,
};

const XIELU: Coefficients = Coefficients { alpha_p: 17.75, alpha_n: 6.284_33, beta: 0.5, eps: 0.0 };

/// A function, and the hashes of its gradients in f32, bf16 and f16.
const EXPECTED: [(Activation, [u64; 3]); 4] = [
    (
        Activation::Xielu(XIELU),
        [0x2b8a_699e_ab2d_411e, 0x5c96_da45_f7e2_f802, 0x82ff_fd19_b47c_7e3d],
    ),
    (
        Activation::Xielu(Coefficients { eps: -1e-6, ..XIELU }),
        [0xe1c9_e388_410c_54dc, 0x372d_591c_a31d_01ec, 0x3508_16a9_7576_6067],
    ),
    (
        Activation::Xiprelu(Coefficients { alpha_p: 0.8, alpha_n: 0.3, beta: 0.5, eps: 0.0 }),
        [0x9aae_ac2f_647c_8ff7, 0xfbcd_1316_94fb_aa68, 0x28c5_16ff_955e_82f9],
    ),
    (Activation::Relu2, [0xeac2_2d18_9b88_e7c5, 0x1a97_4164_028c_b7c8, 0xbd3e_74e1_c7e0_3a56]),
];
const SWIGLU: [u64; 3] = [0x0094_bd33_e221_2742, 0xda1a_ac7b_d839_311f, 0x2ae9_81bc_191f_444f];

/// Two whole tiles and a part; 16-bit patterns of every exponent as f32 among them.
fn inputs() -> [Vec<f32>; 2] {
    let n = 2 * AlphaSums::TILE as u32 + 777;
    let bend = |i: u32| ((i.wrapping_mul(0x9e37_79b9) >> 16) as i16) as f32 / 1900.0;
    let x = (0..n).map(bend).collect();
    let dy = (0..n).map(|i| bend(i + 31) / 8.0).collect();
    [x, dy]
}

/// NaNs and infinities too: what is summed would hide the rest.
fn patterns() -> [Vec<f32>; 2] {
    let x: Vec<f32> =
        (0..1u32 << 14).map(|i| f32::from_bits(i.wrapping_mul(0x9e37_79b9))).collect();
    let mut dy = x.clone();
    dy.rotate_left(77);
    [x, dy]
}

/// FNV-1a over whole values.
fn hash(h: u64, values: impl Iterator<Item = u64>) -> u64 {
    values.fold(h, |h, v| (h ^ v).wrapping_mul(0x100_0000_01b3))
}

const START: u64 = 0xcbf2_9ce4_8422_2325;

/// The hash of what `run` makes of `x` and `dy` in one storage type: two outputs, and the alphas'
/// sums.
fn hash_of<T: Element>(
    narrow: fn(f32) -> T,
    bits: fn(T) -> u64,
    run: impl Fn(&[T], &[T], &mut [Vec<T>; 2]) -> AlphaSums,
) -> u64 {
    let mut h = START;
    for values in [inputs(), patterns()] {
        let [x, dy] = values.map(|v| v.into_iter().map(narrow).collect::<Vec<T>>());
        let mut outputs = [x.clone(), x.clone()];
        let total = run(&x, &dy, &mut outputs);
        let [a, b] = &outputs;
        h = hash(h, a.iter().chain(b).map(|&v| bits(v)));
        if !total.p.is_nan() {
            h = hash(h, [total.p.to_bits(), total.n.to_bits()].into_iter());
        }
    }
    h
}

/// [`hash_of`] `$run`, a generic function of kernels and more, in f32, bf16 and f16.
macro_rules! hashes_of {
    ($run:expr) => {
        [
            hash_of::<f32>(|v| v, |v| v.to_bits().into(), $run),
            hash_of::<bf16>(bf16::from_f32, |v| v.to_bits().into(), $run),
            hash_of::<f16>(f16::from_f32, |v| v.to_bits().into(), $run),
        ]
    };
}

fn backward<T: Element>(
    kernels: Kernels,
    f: &Activation,
    [x, dy]: [&[T]; 2],
    dx: &mut [T],
) -> AlphaSums {
    let tiles = if f.kind().has_alphas() { x.len().div_ceil(AlphaSums::TILE) } else { 0 };
    let mut sums = vec![AlphaSums::default(); tiles];
    kernels.backward(f, x, dy, dx, &mut sums).unwrap();
    let mut total = TileSums::default();
    sums.into_iter().for_each(|tile| total.push(tile));
    total.total()
}

#[test]
fn functions_of_one_value_have_the_same_bits_everywhere() {
    for (f, expected) in EXPECTED {
        for kernels in every_kernel() {
            let found = hashes_of!(|x, dy, [dx, _]| backward(kernels, &f, [x, dy], dx));
            assert_eq!(found, expected, "{f:?} with {kernels:?}: {found:#018x?}");
        }
    }
}

#[test]
fn functions_without_a_gradient_kernel_are_errors() {
    for f in [Activation::Silu, Activation::Elu { alpha: 1.0 }, Activation::Xsilu { alpha: 0.5 }] {
        for kernels in every_kernel() {
            let mut dx = [7.0f32; 2];
            let error = kernels.backward(&f, &[1.0; 2], &[1.0; 2], &mut dx, &mut []);
            assert_eq!(error, Err(BackwardError::NoGradient(f.kind())));
            assert_eq!(dx, [7.0; 2]);
        }
    }
    assert_eq!(Activation::Silu.kind(), ActivationKind::Silu);
}

#[test]
fn swiglu_has_the_same_bits_everywhere() {
    for kernels in every_kernel() {
        let found = hashes_of!(|x, dy, [d_gate, d_up]| {
            kernels.swiglu_backward([x, dy], x, [d_gate, d_up]).unwrap();
            AlphaSums::default()
        });
        assert_eq!(found, SWIGLU, "{kernels:?}: {found:#018x?}");
    }
}
