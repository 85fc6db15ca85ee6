//! The activation kernels give these bits on every target and every instruction set.

use half::{bf16, f16};
use std::vec;
use std::vec::Vec;

use crate::test_support::every_kernel;
use crate::{Activation, BlockQ8_0, Coefficients, LengthError, QK};

const XIELU: Coefficients = Coefficients { alpha_p: 17.75, alpha_n: 6.284_33, beta: 0.5, eps: 0.0 };

const XIPRELU: Coefficients = Coefficients { alpha_p: 0.8, alpha_n: 0.3, beta: 0.5, eps: 0.0 };

/// A function, and the hashes of its outputs in f32, bf16 and f16.
const EXPECTED: [(Activation, [u64; 3]); 7] = [
    (
        Activation::Xielu(XIELU),
        [0xc0ef_62d8_522e_006b, 0xa261_5b2e_adec_eab1, 0x15c1_cc9b_8e16_f352],
    ),
    (
        Activation::Xielu(Coefficients { eps: -1e-6, ..XIELU }),
        [0xf28f_5a3d_fd12_450f, 0x97d2_a06b_adef_b467, 0x3352_f312_f5cf_3d1d],
    ),
    (
        Activation::Xiprelu(XIPRELU),
        [0x741a_642e_8ef7_372f, 0xf49f_77e7_b75a_13d9, 0xbf9a_ee49_0986_219b],
    ),
    (Activation::Relu2, [0x69fe_0719_a97b_8ec1, 0xe322_503f_f18c_8e2d, 0xcc71_93f0_4b38_3f27]),
    (Activation::Silu, [0x0ccd_08d5_7bed_27b9, 0xb62f_444c_fe42_c423, 0xb253_4ad6_efc2_383e]),
    (
        Activation::Elu { alpha: 1.5 },
        [0xd8d8_6e28_ef08_4b7b, 0x4650_e193_1eb7_2206, 0xa7b7_f564_7b66_ac71],
    ),
    (
        Activation::Xsilu { alpha: 0.3 },
        [0x1ba0_ffe2_abaa_10fa, 0x1ded_59b5_afea_00d4, 0xf137_63e2_adee_4e1a],
    ),
];

/// The same of SwiGLU.
const SWIGLU: [u64; 3] = [0x2661_b27a_670c_c1fd, 0x6f2c_2c47_7f72_6aae, 0x25f8_2c7f_459e_6c71];

/// Bit patterns of every exponent, NaNs and infinities included, and the range where the
/// functions bend, finely.
fn inputs() -> Vec<f32> {
    let spread = (0..1u32 << 14).map(|i| f32::from_bits(i.wrapping_mul(0x9e37_79b9)));
    let bend = (-4000..4000i16).map(|i| f32::from(i) / 167.0);
    spread.chain(bend).collect()
}

/// FNV-1a over whole values.
fn hash(values: impl Iterator<Item = u32>) -> u64 {
    values.fold(0xcbf2_9ce4_8422_2325, |h, v| (h ^ u64::from(v)).wrapping_mul(0x100_0000_01b3))
}

/// The hashes of what `f32`, `bf16` and `f16` kernels make of the inputs.
fn hashes(
    wide: impl FnOnce(&mut [f32]),
    brain: impl FnOnce(&mut [bf16]),
    half: impl FnOnce(&mut [f16]),
) -> [u64; 3] {
    let mut x32 = inputs();
    let mut xb: Vec<bf16> = x32.iter().map(|&v| bf16::from_f32(v)).collect();
    let mut xh: Vec<f16> = x32.iter().map(|&v| f16::from_f32(v)).collect();
    wide(&mut x32);
    brain(&mut xb);
    half(&mut xh);
    [
        hash(x32.iter().map(|v| v.to_bits())),
        hash(xb.iter().map(|v| v.to_bits().into())),
        hash(xh.iter().map(|v| v.to_bits().into())),
    ]
}

#[test]
fn the_same_bits_everywhere() {
    for (f, expected) in EXPECTED {
        for kernels in every_kernel() {
            let found = hashes(
                |x| kernels.activate_in_place(&f, x),
                |x| kernels.activate_in_place(&f, x),
                |x| kernels.activate_in_place(&f, x),
            );
            assert_eq!(found, expected, "{f:?} with {kernels:?}: {found:#x?}");
        }
    }
}

/// Every input as the gate of the one 77 before it.
fn gates<T: Copy>(x: &[T]) -> Vec<T> {
    let mut gates = x.to_vec();
    gates.rotate_left(77);
    gates
}

#[test]
fn swiglu_has_the_same_bits_everywhere() {
    for kernels in every_kernel() {
        let found = hashes(
            |x| kernels.swiglu_in_place(&gates(x), x).unwrap(),
            |x| kernels.swiglu_in_place(&gates(x), x).unwrap(),
            |x| kernels.swiglu_in_place(&gates(x), x).unwrap(),
        );
        assert_eq!(found, SWIGLU, "{kernels:?}: {found:#x?}");
    }
}

/// Whole blocks beyond every limit of the fast forms, against single values of the scalar kernel.
#[test]
fn blocks_of_far_values_have_the_same_bits() {
    let extreme = Coefficients { alpha_p: 1e14, alpha_n: 9e14, beta: 2e-6, eps: 0.0 };
    let functions = [Activation::Xielu(XIELU), Activation::Xielu(extreme), Activation::Silu];
    for exponent in -40..40 {
        for step in [0.01f32, -0.01] {
            let x: Vec<f32> = (0..128i16)
                .map(|i| (1.0 + step.abs() * f32::from(i)) * step.signum() * 2f32.powi(exponent))
                .collect();
            for f in functions {
                let expected: Vec<u32> = x.iter().map(|&x| f.apply(x).to_bits()).collect();
                for kernels in every_kernel() {
                    let mut y = x.clone();
                    kernels.activate_in_place(&f, &mut y);
                    let found: Vec<u32> = y.iter().map(|y| y.to_bits()).collect();
                    assert_eq!(found, expected, "{f:?} from {} with {kernels:?}", x[0]);
                }
            }
        }
    }
}

/// Lengths around the fused kernel's step; NaN and infinities among the values.
#[test]
fn fused_blocks_are_those_of_two_passes() {
    let tame: Vec<f32> = (0..2048i16).map(|i| f32::from(i % 613) / 40.0 - 12.0).collect();
    for x in [inputs(), tame] {
        for (f, _) in EXPECTED {
            for kernels in every_kernel() {
                for n in [0, 32, 480, 512, 544, 1024, 2016] {
                    let mut y = x[..n].to_vec();
                    kernels.activate_in_place(&f, &mut y);
                    let mut expected = vec![BlockQ8_0::ZERO; n / QK];
                    kernels.quantize_q8_0(&y, &mut expected).unwrap();
                    let mut found = vec![BlockQ8_0 { qs: [7; QK], ..BlockQ8_0::ZERO }; n / QK];
                    kernels.activate_q8_0(&f, &x[..n], &mut found).unwrap();
                    for (found, expected) in found.iter().zip(&expected) {
                        assert_eq!(bytes(found), bytes(expected), "{f:?} with {kernels:?}");
                    }
                }
            }
        }
    }
    let nan: Vec<f32> = [1.0, f32::NAN, f32::INFINITY, f32::NEG_INFINITY].repeat(8);
    for kernels in every_kernel() {
        let mut found = [BlockQ8_0::ZERO; 1];
        kernels.activate_q8_0(&Activation::Silu, &nan, &mut found).unwrap();
        assert!(found[0].d.get().is_nan());
        let wrong = LengthError { expected: 32, found: 31 };
        assert_eq!(kernels.activate_q8_0(&Activation::Relu2, &nan[..31], &mut found), Err(wrong));
    }
}

fn bytes(block: &BlockQ8_0) -> &[u8] {
    bytemuck::bytes_of(block)
}

/// Outputs so large that they go past the caches, at every kind of address.
#[test]
fn large_outputs_have_the_same_bits() {
    const N: usize = (8 << 20) / 4 + 1000;
    let x: Vec<f32> = (0..N as u32).map(|i| (i % 60_013) as f32 / 3000.0 - 16.0).collect();
    let f = Activation::Xielu(XIELU);
    for kernels in every_kernel() {
        let mut expected = x.clone();
        kernels.activate_in_place(&f, &mut expected);
        let mut products = x.clone();
        kernels.swiglu_in_place(&x, &mut products).unwrap();
        let mut found = vec![0.0; N];
        for skip in [0, 1, 3, 15] {
            let range = skip..N - skip;
            found.fill(77.0);
            kernels.activate(&f, &x[range.clone()], &mut found[range.clone()]).unwrap();
            assert!(found[range.clone()] == expected[range.clone()], "{kernels:?}");
            assert!(found[..skip].iter().chain(&found[range.end..]).all(|&v| v == 77.0));
            let gates = &x[range.clone()];
            kernels.swiglu([gates, gates], &mut found[range.clone()]).unwrap();
            assert!(found[range.clone()] == products[range], "SwiGLU with {kernels:?}");
        }
    }
}

#[test]
fn large_half_outputs_have_the_same_bits() {
    const N: usize = (8 << 20) / 2 + 1000;
    let x: Vec<bf16> =
        (0..N as u32).map(|i| bf16::from_bits((i.wrapping_mul(40_503) >> 8) as u16)).collect();
    let f = Activation::Xielu(XIELU);
    for kernels in every_kernel() {
        let mut expected = x.clone();
        kernels.activate_in_place(&f, &mut expected);
        let mut found = vec![bf16::ZERO; N];
        kernels.activate(&f, &x[7..], &mut found[7..]).unwrap();
        let bits = |v: &[bf16]| v.iter().map(|v| v.to_bits()).collect::<Vec<u16>>();
        assert!(bits(&found[7..]) == bits(&expected[7..]), "{kernels:?}");
    }
}
