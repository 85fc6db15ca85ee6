//! The values of every format's blocks are those of gguf's decoders, exactly. `tests/data/blocks.py`
//! says how the blocks were made.

use xielu::checkpoint::gguf::GgmlType;
use xielu::kernels::{Blocks, DType};
use xielu::quant::{ENCODED, EncodeError, encode_row};

/// As in `blocks.py`.
const FORMATS: [(DType, usize); 23] = [
    (DType::Q4_0, 16),
    (DType::Q8_0, 16),
    (DType::Q4_K, 8),
    (DType::Q5_K, 8),
    (DType::Q6_K, 8),
    (DType::Q4_1, 32),
    (DType::Q5_0, 32),
    (DType::Q5_1, 32),
    (DType::Q2_K, 16),
    (DType::Q3_K, 16),
    (DType::IQ4_NL, 32),
    (DType::IQ4_XS, 16),
    (DType::MXFP4, 32),
    (DType::NVFP4, 64),
    (DType::TQ1_0, 16),
    (DType::TQ2_0, 16),
    (DType::IQ1_S, 64),
    (DType::IQ1_M, 64),
    (DType::IQ2_XXS, 16),
    (DType::IQ2_XS, 24),
    (DType::IQ2_S, 48),
    (DType::IQ3_XXS, 16),
    (DType::IQ3_S, 24),
];

/// FNV-1a of the values' bytes, -0 as 0.
fn hash(values: &[f32]) -> u64 {
    values.iter().flat_map(|v| (v + 0.0).to_le_bytes()).fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[test]
fn values_are_ggufs() {
    let mut data = &include_bytes!("../data/blocks.bin")[..];
    for (dtype, count) in FORMATS {
        let (blocks, rest) = data.split_at(count * dtype.block_bytes());
        let (hashes, rest) = rest.split_at(8 * count);
        data = rest;
        let blocks = blocks.chunks(dtype.block_bytes());
        for (i, (block, &expected)) in blocks.zip(hashes.as_chunks().0).enumerate() {
            let mut values = vec![f32::NAN; dtype.block_len()];
            assert!(Blocks::new(dtype, block).unwrap().dequantize(&mut values));
            assert_eq!(hash(&values), u64::from_le_bytes(expected), "{dtype} {i} {values:?}");
        }
    }
    assert!(data.is_empty());
}

/// The types that round to the nearest, from 16 rows of 32 values.
#[test]
fn encoded_bytes_are_ggufs() {
    let (rows, mut blocks) = include_bytes!("../data/encoded.bin").split_at(16 * 128);
    let values: Vec<f32> = rows.as_chunks().0.iter().map(|&v| f32::from_le_bytes(v)).collect();
    for dtype in [DType::Q4_1, DType::Q5_0, DType::Q5_1] {
        let (expected, rest) = blocks.split_at(16 * dtype.block_bytes());
        blocks = rest;
        for (i, expected) in expected.chunks(dtype.block_bytes()).enumerate() {
            let mut found = vec![0xaa; dtype.block_bytes()];
            encode_row(dtype, &values[32 * i..32 * (i + 1)], &mut found).unwrap();
            assert_eq!(found, expected, "{dtype} {i}");
        }
    }
    assert!(blocks.is_empty());
}

#[test]
fn what_has_no_encoder_is_named() {
    for dtype in DType::ALL.into_iter().filter(|dtype| !ENCODED.contains(dtype)) {
        let mut out = vec![0; dtype.block_bytes()];
        let error = encode_row(dtype, &vec![0.0; dtype.block_len()], &mut out).unwrap_err();
        assert_eq!(error, EncodeError::NoEncoder { dtype });
        assert!(error.to_string().starts_with(dtype.name()));
    }
}

/// ggml's inputs of products, which gguf does not decode.
#[test]
fn bytes_with_sums() {
    let quants: Vec<u8> = (0..=255).collect();
    let expected =
        |len: usize| (0..len).map(|i| 0.25 * f32::from(i as u8 as i8)).collect::<Vec<_>>();
    let q8_1 = [&[0, 0x34, 0x99, 0x99], &quants[..32]].concat();
    let q8_k = [&0.25f32.to_le_bytes()[..], &quants, &[0x99; 32]].concat();
    for (dtype, block) in [(DType::Q8_1, q8_1), (DType::Q8_K, q8_k)] {
        let mut values = vec![f32::NAN; dtype.block_len()];
        assert!(Blocks::new(dtype, &block).unwrap().dequantize(&mut values));
        assert_eq!(values, expected(dtype.block_len()));
    }
}

/// Every type is in this file, floats apart, and every number of a block type of ggml's is a type: but
/// Q1_0, which gguf does not decode.
#[test]
fn none_is_missing() {
    let tested = |dtype| FORMATS.iter().any(|(tested, _)| *tested == dtype);
    let untested: Vec<DType> = DType::ALL.into_iter().filter(|&dtype| !tested(dtype)).collect();
    let others = [DType::F32, DType::F16, DType::BF16, DType::Q8_1, DType::Q8_K];
    assert_eq!(untested, others);
    let blocks = (0..64).map(GgmlType).filter(|kind| kind.block_len().is_some_and(|len| len > 1));
    for kind in blocks.filter(|kind| kind.name() != Some("Q1_0")) {
        let dtype = kind.dtype().unwrap_or_else(|| panic!("{kind}"));
        assert_eq!(GgmlType::from_dtype(dtype), Some(kind));
        assert!(dtype.is_quantized() && DType::ALL.contains(&dtype));
    }
}
