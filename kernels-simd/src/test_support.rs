//! What the tests of this crate share.

use std::vec::Vec;

use xielu_testing_base::isas;
use xielu_testing_base::noise::Noise;

use crate::{DType, Isa, Kernels};

/// The kernels of every instruction set that this machine runs: the scalar ones, and all that it
/// reports.
pub(crate) fn every_kernel() -> Vec<Kernels> {
    let all: Vec<Kernels> = Isa::ALL.into_iter().filter_map(Kernels::for_isa).collect();
    let names: Vec<&str> = all.iter().map(|kernels| kernels.isa().name()).collect();
    isas::assert_complete(&names);
    all
}

/// Values in -1 .. 1.
pub(crate) fn noise(n: usize, seed: u64) -> Vec<f32> {
    Noise::new(seed).vec(n, 1.0)
}

/// Bytes of `n` valid values of a type, any quants but moderate scales.
pub(crate) fn weights(dtype: DType, n: usize, seed: u64) -> Vec<u8> {
    let values = noise(n, seed);
    match dtype {
        DType::F32 => values.iter().flat_map(|v| v.to_le_bytes()).collect(),
        DType::F16 => values.iter().flat_map(|&v| crate::F16::from(v).0).collect(),
        DType::BF16 => values.iter().flat_map(|&v| crate::BF16::from(v).0).collect(),
        _ => values
            .chunks(dtype.block_len())
            .flat_map(|block| {
                let byte = |v: &f32| (v * 128.0) as i8 as u8;
                let quants = block.iter().cycle().take(dtype.block_bytes());
                let mut bytes: Vec<u8> = quants.map(byte).collect();
                let halves: &[usize] = match dtype {
                    DType::Q4_K | DType::Q5_K | DType::Q4_1 | DType::Q5_1 | DType::Q8_1 => &[0, 2],
                    DType::Q2_K => &[80, 82],
                    DType::Q3_K => &[108],
                    DType::Q6_K => &[208],
                    DType::TQ1_0 => &[52],
                    DType::TQ2_0 => &[64],
                    // Below: these have scales of other kinds; any bytes of NVFP4's are finite.
                    DType::Q8_K | DType::MXFP4 | DType::NVFP4 | DType::IQ1_M => &[],
                    _ => &[0],
                };
                for (&at, &v) in halves.iter().zip(block) {
                    bytes[at..at + 2].copy_from_slice(&crate::F16::from(v / 16.0).0);
                }
                match dtype {
                    DType::Q8_K => bytes[..4].copy_from_slice(&(block[0] / 16.0).to_le_bytes()),
                    DType::MXFP4 => bytes[0] = 120 + bytes[0] % 8,
                    DType::IQ1_M => {
                        let scale = u16::from_le_bytes(crate::F16::from(block[0] / 16.0).0);
                        for (i, word) in bytes[48..].chunks_mut(2).enumerate() {
                            word[1] = word[1] & 15 | ((scale >> (4 * i)) as u8) << 4;
                        }
                    }
                    _ => {}
                }
                bytes
            })
            .collect(),
    }
}
