//! AMX instructions, emulated or not, against plain products.

use core::arch::asm;
use std::vec::Vec;

use xielu_testing_base::noise::Noise;
use xielu_testing_base::require;

use super::emulator::{Instruction, Tiles, decode};
use crate::Isa;

/// 16 rows of 64 bytes.
type Bytes = [[u8; 64]; 16];

fn noise(seed: u32) -> Bytes {
    let mut noise = Noise::new(seed.into());
    core::array::from_fn(|_| core::array::from_fn(|_| (noise.bits() >> 56) as u8))
}

/// Whether there is AMX; the test is skipped if not.
#[track_caller]
fn has_amx() -> bool {
    let has = Isa::Amx.is_available();
    if !has {
        require::skip("amx", "this machine has no AMX");
    }
    has
}

/// LDTILECFG's operand: tiles 0, 1 and 2 are `m` by `n`, `m` by `k` and `k` by `n` words.
fn config([m, n, k]: [usize; 3]) -> [u8; 64] {
    let mut config = [0; 64];
    config[0] = 1;
    for (i, (rows, words)) in [(m, n), (m, k), (k, n)].into_iter().enumerate() {
        config[16 + 2 * i] = 4 * words as u8;
        config[48 + i] = rows as u8;
    }
    config
}

/// `sums` after the instruction; bytes that no tile has stay.
macro_rules! product {
    ($instruction:literal, $shape:expr, $sums:expr, $a:expr, $b:expr) => {{
        let (config, mut sums) = (config($shape), $sums);
        // SAFETY: only where `Isa::Amx` is available; tiles have at most the bytes of a `Bytes`.
        unsafe {
            asm!(
                "ldtilecfg [{config}]",
                "tileloadd tmm0, [{sums} + {stride}]",
                "tileloadd tmm1, [{a} + 2*{half}]",
                "tileloadd tmm2, [{b} + {stride}]",
                $instruction,
                "tilestored [{sums} + {stride}], tmm0",
                "tilezero tmm0",
                "tilerelease",
                config = in(reg) &config,
                sums = in(reg) &mut sums,
                a = in(reg) &$a,
                b = in(reg) &$b,
                stride = in(reg) 64_usize,
                half = in(reg) 32_usize,
                out("tmm0") _, out("tmm1") _, out("tmm2") _,
                options(nostack),
            );
        }
        sums
    }};
}

/// `sums[i][j] += sum over l of a[i][l] * b[l / 4][4 * j + l % 4]`.
fn plain([m, n, k]: [usize; 3], mut sums: Bytes, a: Bytes, b: Bytes, signed: [bool; 2]) -> Bytes {
    let value = |byte: u8, signed| if signed { i64::from(byte as i8) } else { i64::from(byte) };
    for i in 0..m {
        for j in 0..n {
            let slot = &mut sums[i].as_chunks_mut::<4>().0[j];
            let mut sum = i64::from(i32::from_le_bytes(*slot));
            for l in 0..4 * k {
                sum += value(a[i][l], signed[0]) * value(b[l / 4][4 * j + l % 4], signed[1]);
            }
            *slot = (sum as i32).to_le_bytes();
        }
    }
    sums
}

#[test]
fn byte_products_are_those_of_matrices() {
    if !has_amx() {
        return;
    }
    for (i, shape) in [[16, 16, 16], [16, 16, 8], [16, 16, 4], [1, 16, 8], [5, 3, 7], [1, 1, 1]]
        .into_iter()
        .enumerate()
    {
        let [s, a, b] = [3 * i as u32, 3 * i as u32 + 1, 3 * i as u32 + 2].map(noise);
        let found = product!("tdpbssd tmm0, tmm1, tmm2", shape, s, a, b);
        assert_eq!(found, plain(shape, s, a, b, [true, true]));
        let found = product!("tdpbsud tmm0, tmm1, tmm2", shape, s, a, b);
        assert_eq!(found, plain(shape, s, a, b, [true, false]));
        let found = product!("tdpbusd tmm0, tmm1, tmm2", shape, s, a, b);
        assert_eq!(found, plain(shape, s, a, b, [false, true]));
        let found = product!("tdpbuud tmm0, tmm1, tmm2", shape, s, a, b);
        assert_eq!(found, plain(shape, s, a, b, [false, false]));
    }
}

/// bf16 in -1 .. 1.
fn bf16s(seed: u32) -> Bytes {
    noise(seed).map(|row| {
        let words = row.chunks(2).flat_map(|w| {
            let value = f32::from(i16::from_le_bytes([w[0], w[1]])) / 32768.0;
            crate::BF16::from(value).0
        });
        let words: Vec<u8> = words.collect();
        words.try_into().unwrap()
    })
}

fn values(bytes: &[u8]) -> impl Iterator<Item = f64> + '_ {
    bytes.chunks(2).map(|w| crate::BF16([w[0], w[1]]).get().into())
}

#[test]
fn bf16_products_are_those_of_matrices() {
    if !has_amx() {
        return;
    }
    for (i, shape) in [[16, 16, 16], [5, 3, 7], [1, 1, 1]].into_iter().enumerate() {
        let [m, n, k] = shape;
        let [a, b] = [2 * i as u32, 2 * i as u32 + 1].map(bf16s);
        let mut sums = [[0; 64]; 16];
        sums.as_flattened_mut().as_chunks_mut::<4>().0.fill(0.5f32.to_le_bytes());
        let found = product!("tdpbf16ps tmm0, tmm1, tmm2", shape, sums, a, b);
        for i in 0..16 {
            for j in 0..16 {
                let sum = f32::from_le_bytes(found[i].as_chunks().0[j]);
                let mut expected = 0.5;
                if i < m && j < n {
                    let row = values(&a[i]).take(2 * k);
                    let column = b.iter().flat_map(|row| values(&row[4 * j..4 * j + 4]));
                    expected += row.zip(column).map(|(a, b)| a * b).sum::<f64>();
                }
                assert!((f64::from(sum) - expected).abs() < 1e-5, "{sum} {expected}");
            }
        }
    }
}

#[test]
fn what_the_manual_forbids_is_refused() {
    let load = |config: [u8; 64]| {
        let mut tiles: Tiles = None;
        Instruction::LoadConfig(config.as_ptr()).execute(&mut tiles).map(|()| tiles)
    };
    let bytes = |[sums, a, b]: [usize; 3]| Instruction::Bytes { sums, a, b, signed: [true; 2] };
    assert!(
        bytes([0, 1, 2]).execute(&mut None).is_none()
            && Instruction::Zero(0).execute(&mut None).is_none()
    );
    let mut tiles = load(config([3, 4, 5])).unwrap();
    assert!(bytes([0, 1, 2]).execute(&mut tiles).is_some());
    for operands in [[0, 2, 1], [0, 1, 1], [1, 1, 2], [0, 1, 8], [0, 1, 3]] {
        assert!(bytes(operands).execute(&mut tiles).is_none(), "{operands:?}");
    }
    let valid = config([16, 16, 16]);
    for (at, value) in [(0, 2), (1, 1), (2, 1), (16, 65), (17, 1), (48, 17), (48, 0), (60, 1)] {
        let mut config = valid;
        config[at] = value;
        assert!(load(config).is_none(), "{at} {value}");
    }
    // UD2, VPADDD, and TILEZERO with another L, W or map.
    for code in [
        [0x0f, 0x0b, 0, 0, 0],
        [0xc5, 0xfd, 0xfe, 0xc0, 0],
        [0xc4, 0xe2, 0x7f, 0x49, 0xc0],
        [0xc4, 0xe2, 0xfb, 0x49, 0xc0],
        [0xc4, 0xe1, 0x7b, 0x49, 0xc0],
    ] {
        let mut long = [0; 10];
        long[..5].copy_from_slice(&code);
        assert!(decode(&long, &[0; 23]).is_none(), "{code:x?}");
    }
}
