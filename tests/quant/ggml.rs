//! The encoders that search, without and with an importance matrix: ggml's bytes.
//! `tests/data/encoders.py` says how the expected hashes were made.

use xielu::kernels::DType;
use xielu::quant::{EncodeError, WEIGHTED, encode_row, encode_row_weighted};

/// As in `encoders.py`.
const PLAIN: [DType; 5] = [DType::Q2_K, DType::Q3_K, DType::IQ4_NL, DType::IQ4_XS, DType::MXFP4];
const PATTERNS: usize = 7;
/// Instead of a hash: a scale is not finite.
const TOO_LARGE: u64 = 0;

fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks().0.iter().map(|&b| f32::from_le_bytes(b)).collect()
}

fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// A file of hashes, taken from its start.
struct Hashes<'a>(&'a [u8]);

impl Hashes<'_> {
    fn floats(&mut self, len: usize) -> Vec<f32> {
        let (bytes, rest) = self.0.split_at(4 * len);
        self.0 = rest;
        floats(bytes)
    }

    /// Compares the blocks of `row` with the next hash.
    fn check(&mut self, dtype: DType, row: &[f32], weights: Option<&[f32]>, what: usize) {
        let (hash, rest) = self.0.split_first_chunk().unwrap();
        self.0 = rest;
        let mut out = vec![0xaa; dtype.row_bytes(row.len()).unwrap()];
        let result = match weights {
            Some(weights) => encode_row_weighted(dtype, row, weights, &mut out),
            None => encode_row(dtype, row, &mut out),
        };
        if u64::from_le_bytes(*hash) == TOO_LARGE {
            let refused = matches!(result, Err(EncodeError::Overflow { .. }));
            return assert!(refused, "{dtype}, row {what}: {result:?}");
        }
        result.unwrap_or_else(|e| panic!("{dtype}, row {what}: {e}"));
        let defined = |values: &[f32]| {
            let largest = values.iter().fold(0.0f32, |m, v| m.max(v.abs()));
            dtype != DType::MXFP4 || largest == 0.0 || largest >= 2f32.powi(-125)
        };
        let blocks = out.chunks(dtype.block_bytes()).zip(row.chunks(dtype.block_len()));
        let blocks = blocks.filter(|(_, values)| defined(values));
        let kept: Vec<u8> = blocks.flat_map(|(block, _)| block.to_vec()).collect();
        assert_eq!(fnv(&kept), u64::from_le_bytes(*hash), "{dtype}, row {what}");
    }
}

/// `rows` are in the file if they are not given.
fn check_all(data: &[u8], rows: Option<Vec<Vec<f32>>>) {
    let mut hashes = Hashes(data);
    let patterns: Vec<_> = (0..PATTERNS).map(|_| hashes.floats(256)).collect();
    let weights = |i: usize| patterns[i % PATTERNS].as_slice();
    let in_file = rows.is_none();
    let mut rows = rows.unwrap_or_default();
    let per_two = 8 * (2 * PLAIN.len() + 3 * WEIGHTED.len());
    let count = if in_file { hashes.0.len() / (2 * 1024 + per_two) * 2 } else { rows.len() };
    for i in 0..count {
        if in_file {
            rows.push(hashes.floats(256));
        }
        PLAIN.iter().for_each(|&dtype| hashes.check(dtype, &rows[i], None, i));
        WEIGHTED.iter().for_each(|&dtype| hashes.check(dtype, &rows[i], Some(weights(i)), i));
    }
    for (i, rows) in rows.chunks_exact(2).enumerate() {
        let weights = [weights(2 * i), weights(2 * i + 1)].concat();
        let check = |&dtype| hashes.check(dtype, &rows.concat(), Some(&weights), 2 * i);
        WEIGHTED.iter().for_each(check);
    }
    assert!(hashes.0.is_empty());
}

#[test]
fn blocks_are_ggmls_to_the_byte() {
    let rows = include_bytes!("../data/k_quants.bin").chunks(1024 + 144 + 176 + 210);
    let rows: Vec<_> = rows.map(|record| floats(&record[..1024])).collect();
    assert_eq!(rows.len(), 126);
    check_all(include_bytes!("../data/encoders.bin"), Some(rows));
}

/// More of the same.
#[test]
#[ignore = "needs ggml's bytes of random rows: tests/data/encoders.py GGML --many N FILE, then \
            XIELU_ENCODERS=FILE cargo test --test quant ggml -- --ignored"]
fn many_blocks_are_ggmls_to_the_byte() {
    check_all(&std::fs::read(std::env::var("XIELU_ENCODERS").unwrap()).unwrap(), None);
}

#[test]
fn weights_that_make_no_sense_are_refused() {
    for dtype in [DType::Q4_0, DType::Q4_K, DType::F16, DType::Q8_0] {
        let (row, mut out) = ([1.0; 256], vec![0; dtype.row_bytes(256).unwrap()]);
        let short = EncodeError::WeightsLength { expected: 256, found: 255 };
        assert_eq!(encode_row_weighted(dtype, &row, &[1.0; 255], &mut out), Err(short));
        for weight in [f32::NAN, f32::INFINITY, -1.0] {
            let mut weights = [1.0; 256];
            weights[77] = weight;
            let error = encode_row_weighted(dtype, &row, &weights, &mut out);
            assert_eq!(error, Err(EncodeError::Weight { index: 77 }), "{weight}");
        }
    }
}

/// The other types have nothing to search for.
#[test]
fn types_without_weights_ignore_them() {
    let row: Vec<f32> = (0..256).map(|i| (i * 37 % 101) as f32 - 50.0).collect();
    let weights: Vec<f32> = (0..256).map(|i| (i % 7) as f32).collect();
    for dtype in xielu::quant::ENCODED {
        let mut out = [(); 2].map(|()| vec![0; dtype.row_bytes(256).unwrap()]);
        encode_row(dtype, &row, &mut out[0]).unwrap();
        encode_row_weighted(dtype, &row, &weights, &mut out[1]).unwrap();
        assert_eq!(out[0] != out[1], WEIGHTED.contains(&dtype), "{dtype}");
    }
}
