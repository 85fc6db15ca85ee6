//! The gradient kernels give these bits on every target and every instruction set.

use half::{bf16, f16};
use std::vec;
use std::vec::Vec;

use crate::test_support::every_kernel;
use crate::{AlphaSums, LearnedActivation, TileSums, XieluCoefficients};

const XIELU: XieluCoefficients =
    XieluCoefficients { alpha_p: 17.75, alpha_n: 6.284_33, beta: 0.5, eps: 0.0 };

/// A function, and the hashes of its gradients in f32, bf16 and f16.
const EXPECTED: [(LearnedActivation, [u64; 3]); 3] = [
    (
        LearnedActivation::Xielu(XIELU),
        [0x2b8a_699e_ab2d_411e, 0x5c96_da45_f7e2_f802, 0x82ff_fd19_b47c_7e3d],
    ),
    (
        LearnedActivation::Xielu(XieluCoefficients { eps: -1e-6, ..XIELU }),
        [0xe1c9_e388_410c_54dc, 0x372d_591c_a31d_01ec, 0x3508_16a9_7576_6067],
    ),
    (
        LearnedActivation::Xiprelu { alpha_p: 0.8, alpha_n: 0.3, beta: 0.5 },
        [0x9aae_ac2f_647c_8ff7, 0xfbcd_1316_94fb_aa68, 0x28c5_16ff_955e_82f9],
    ),
];
const RELU2: [u64; 3] = [0xeac2_2d18_9b88_e7c5, 0x1a97_4164_028c_b7c8, 0xbd3e_74e1_c7e0_3a56];
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

/// The hash of what `$run` makes of `[x, dy]` in one storage type.
macro_rules! hash_of {
    ($t:ty, $narrow:expr, $run:expr) => {{
        let mut h = START;
        for values in [inputs(), patterns()] {
            let [x, dy] = values.map(|v| v.into_iter().map($narrow).collect::<Vec<$t>>());
            let mut outputs = [x.clone(), x.clone()];
            let total: AlphaSums = $run(&x[..], &dy[..], &mut outputs);
            let [a, b] = &outputs;
            h = hash(h, a.iter().chain(b).map(|v| u64::from(v.to_bits())));
            if !total.p.is_nan() {
                h = hash(h, [total.p.to_bits(), total.n.to_bits()].into_iter());
            }
        }
        h
    }};
}

macro_rules! learned {
    ($kernels:expr, $f:expr, $method:ident) => {
        |x: &[_], dy: &[_], [dx, _]: &mut [Vec<_>; 2]| {
            let mut sums = vec![AlphaSums::default(); x.len().div_ceil(AlphaSums::TILE)];
            $kernels.$method($f, x, dy, dx, &mut sums).unwrap();
            let mut total = TileSums::default();
            sums.into_iter().for_each(|tile| total.push(tile));
            total.total()
        }
    };
}

#[test]
fn learned_activations_have_the_same_bits_everywhere() {
    for (f, expected) in EXPECTED {
        for kernels in every_kernel() {
            let found = [
                hash_of!(f32, |v| v, learned!(kernels, &f, backward_f32)),
                hash_of!(bf16, bf16::from_f32, learned!(kernels, &f, backward_bf16)),
                hash_of!(f16, f16::from_f32, learned!(kernels, &f, backward_f16)),
            ];
            assert_eq!(found, expected, "{f:?} with {kernels:?}: {found:#018x?}");
        }
    }
}

#[test]
fn relu2_has_the_same_bits_everywhere() {
    macro_rules! run {
        ($kernels:expr, $method:ident) => {
            |x: &[_], dy: &[_], [dx, _]: &mut [Vec<_>; 2]| {
                $kernels.$method(x, dy, dx).unwrap();
                AlphaSums::default()
            }
        };
    }
    for kernels in every_kernel() {
        let found = [
            hash_of!(f32, |v| v, run!(kernels, relu2_backward_f32)),
            hash_of!(bf16, bf16::from_f32, run!(kernels, relu2_backward_bf16)),
            hash_of!(f16, f16::from_f32, run!(kernels, relu2_backward_f16)),
        ];
        assert_eq!(found, RELU2, "{kernels:?}: {found:#018x?}");
    }
}

#[test]
fn swiglu_has_the_same_bits_everywhere() {
    macro_rules! run {
        ($kernels:expr, $method:ident) => {
            |x: &[_], dy: &[_], [d_gate, d_up]: &mut [Vec<_>; 2]| {
                $kernels.$method([x, dy, x], [d_gate, d_up]).unwrap();
                AlphaSums::default()
            }
        };
    }
    for kernels in every_kernel() {
        let found = [
            hash_of!(f32, |v| v, run!(kernels, swiglu_backward_f32)),
            hash_of!(bf16, bf16::from_f32, run!(kernels, swiglu_backward_bf16)),
            hash_of!(f16, f16::from_f32, run!(kernels, swiglu_backward_f16)),
        ];
        assert_eq!(found, SWIGLU, "{kernels:?}: {found:#018x?}");
    }
}
