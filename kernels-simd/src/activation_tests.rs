//! The activation kernels give these bits on every target and every instruction set.

use half::{bf16, f16};
use std::vec::Vec;

use crate::{Activation, Isa, Kernels, XieluCoefficients};

const XIELU: XieluCoefficients =
    XieluCoefficients { alpha_p: 17.75, alpha_n: 6.284_33, beta: 0.5, eps: 0.0 };

/// A function, and the hashes of its outputs in f32, bf16 and f16.
const EXPECTED: [(Activation, [u64; 3]); 7] = [
    (
        Activation::Xielu(XIELU),
        [0xc3e4_d7f5_b6ca_59e6, 0xa261_5b2e_adec_eab1, 0x15c1_cc9b_8e16_f352],
    ),
    (
        Activation::Xielu(XieluCoefficients { eps: -1e-6, ..XIELU }),
        [0x4d0f_32e2_508c_37f6, 0x97d2_a06b_adef_b467, 0x3352_f312_f5cf_3d1d],
    ),
    (
        Activation::Xiprelu { alpha_p: 0.8, alpha_n: 0.3, beta: 0.5 },
        [0x741a_642e_8ef7_372f, 0xf49f_77e7_b75a_13d9, 0xbf9a_ee49_0986_219b],
    ),
    (Activation::Relu2, [0x69fe_0719_a97b_8ec1, 0xe322_503f_f18c_8e2d, 0xcc71_93f0_4b38_3f27]),
    (Activation::Silu, [0xfaef_828c_4716_c3ca, 0xb62f_444c_fe42_c423, 0x04bb_f789_b68d_ed7f]),
    (
        Activation::Elu { alpha: 1.5 },
        [0xfc9d_ac45_a865_0e62, 0x4650_e193_1eb7_2206, 0xa7b7_f564_7b66_ac71],
    ),
    (
        Activation::Xsilu { alpha: 0.3 },
        [0xb272_b7bb_307d_43a9, 0x1ded_59b5_afea_00d4, 0x19d2_68a3_7656_7d47],
    ),
];

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

#[test]
fn the_same_bits_everywhere() {
    let x = inputs();
    for (f, expected) in EXPECTED {
        for kernels in Isa::ALL.into_iter().filter_map(Kernels::for_isa) {
            let mut wide = x.clone();
            kernels.activate_f32_in_place(&f, &mut wide);
            let mut brain: Vec<bf16> = x.iter().map(|&v| bf16::from_f32(v)).collect();
            kernels.activate_bf16_in_place(&f, &mut brain);
            let mut half: Vec<f16> = x.iter().map(|&v| f16::from_f32(v)).collect();
            kernels.activate_f16_in_place(&f, &mut half);
            let found = [
                hash(wide.iter().map(|v| v.to_bits())),
                hash(brain.iter().map(|v| v.to_bits().into())),
                hash(half.iter().map(|v| v.to_bits().into())),
            ];
            assert_eq!(found, expected, "{f:?} with {kernels:?}");
        }
    }
}
