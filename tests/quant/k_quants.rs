//! Q4_K, Q5_K and Q6_K: ggml's bytes, hostile values. `tests/data/k_quants.py` says how the
//! golden blocks were made.

use xielu::kernels::{Blocks, DType};
use xielu::quant::{EncodeError, ErrorStats, encode_row};
use xielu_testing::noise::Noise;

const TYPES: [DType; 3] = [DType::Q4_K, DType::Q5_K, DType::Q6_K];

fn encode(dtype: DType, row: &[f32]) -> Result<Vec<u8>, EncodeError> {
    let mut out = vec![0xaa; dtype.row_bytes(row.len()).unwrap()];
    encode_row(dtype, row, &mut out).map(|()| out)
}

fn decode(dtype: DType, bytes: &[u8]) -> Vec<f32> {
    let mut out = vec![f32::NAN; bytes.len() / dtype.block_bytes() * dtype.block_len()];
    assert!(Blocks::new(dtype, bytes).unwrap().dequantize(&mut out));
    out
}

/// Rows and their blocks of each type.
fn records(bytes: &[u8]) -> Vec<(Vec<f32>, [Vec<u8>; 3])> {
    const RECORD: usize = 1024 + 144 + 176 + 210;
    assert_eq!(bytes.len() % RECORD, 0);
    let record = |record: &[u8]| {
        let (row, blocks) = record.split_at(1024);
        let row = row.as_chunks().0.iter().map(|&b| f32::from_le_bytes(b)).collect();
        let (q4, blocks) = blocks.split_at(144);
        let (q5, q6) = blocks.split_at(176);
        (row, [q4.to_vec(), q5.to_vec(), q6.to_vec()])
    };
    bytes.chunks(RECORD).map(record).collect()
}

#[test]
fn blocks_are_ggmls_to_the_byte() {
    let golden = records(include_bytes!("../data/k_quants.bin"));
    assert_eq!(golden.len(), 126);
    for (i, (row, blocks)) in golden.iter().enumerate() {
        for (dtype, block) in TYPES.into_iter().zip(blocks) {
            assert_eq!(encode(dtype, row).as_ref(), Ok(block), "{dtype}, record {i}");
        }
    }
    // And as one row.
    let rows: Vec<f32> = golden.iter().flat_map(|(row, _)| row.clone()).collect();
    for (i, dtype) in TYPES.into_iter().enumerate() {
        let blocks: Vec<u8> = golden.iter().flat_map(|(_, blocks)| blocks[i].clone()).collect();
        assert!(encode(dtype, &rows).unwrap() == blocks, "{dtype}");
    }
}

/// More of the same: `k_quants.py GGML --many N FILE`.
#[test]
#[ignore = "needs ggml's bytes of random rows: tests/data/k_quants.py GGML --many N FILE, then \
            XIELU_K_QUANTS=FILE cargo test --test quant k_quants -- --ignored"]
fn many_blocks_are_ggmls_to_the_byte() {
    let bytes = std::fs::read(std::env::var("XIELU_K_QUANTS").unwrap()).unwrap();
    for (i, (row, blocks)) in records(&bytes).iter().enumerate() {
        for (dtype, block) in TYPES.into_iter().zip(blocks) {
            assert_eq!(encode(dtype, row).as_ref(), Ok(block), "{dtype}, record {i}");
        }
    }
}

/// A row of 256 ones with one value replaced.
fn ones_but(at: usize, value: f32) -> Vec<f32> {
    let mut row = vec![1.0; 256];
    row[at] = value;
    row
}

#[test]
fn what_is_not_finite_is_refused() {
    for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        for dtype in TYPES {
            let mut row = vec![1.0; 512];
            row[300] = value;
            assert_eq!(encode(dtype, &row), Err(EncodeError::NotFinite { index: 300 }));
        }
    }
}

#[test]
fn what_is_too_large_is_refused() {
    for dtype in TYPES {
        for value in [1e9, -1e9, 1e19, -1e20, 1e38, f32::MAX, f32::MIN] {
            for row in [ones_but(77, value), vec![value; 256]] {
                let two = [vec![0.5; 256], row].concat();
                let error = Err(EncodeError::Overflow { dtype, index: 256 });
                assert_eq!(encode(dtype, &two), error, "{value:e}");
            }
        }
        // What the format does hold is kept: within f16's rounding of the scale, and of Q4_K and
        // Q5_K's integer scale.
        let back = decode(dtype, &encode(dtype, &ones_but(77, 4e7)).unwrap());
        assert!((back[77] / 4e7 - 1.0).abs() < 1e-3, "{dtype}: {:e}", back[77]);
    }
}

#[test]
fn tiny_values_decode_to_what_they_nearly_are() {
    for value in [f32::from_bits(1), 1e-40, f32::MIN_POSITIVE, 1e-16, 1e-9] {
        for dtype in TYPES {
            for row in
                [vec![value; 256], vec![-value; 256], [vec![value; 3], vec![0.0; 253]].concat()]
            {
                let back = decode(dtype, &encode(dtype, &row).unwrap());
                // Half of the smallest step there is: scale 2^-24.
                let worst = back.iter().zip(&row).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
                assert!(worst <= 2f32.powi(-24), "{dtype} {value:e}: {worst:e}");
            }
        }
    }
}

/// Any finite bits: an answer, and one that does not depend on the other blocks.
#[test]
fn any_bits_have_an_answer() {
    let mut noise = Noise::from_state(0x9e37_79b9_7f4a_7c15);
    let mut next = || noise.bits();
    let mut kept = 0;
    for round in 0..4000 {
        // Wide exponents in some rows, narrow ones in others.
        let exponents = 1 + next() % 254;
        let base = next() % (255 - exponents);
        let row: Vec<f32> = (0..256)
            .map(|_| {
                let exponent = base + next() % exponents;
                f32::from_bits((next() as u32 & 0x807f_ffff) | (exponent as u32) << 23)
            })
            .collect();
        for dtype in TYPES {
            match encode(dtype, &row) {
                Ok(bytes) => {
                    kept += 1;
                    let back = decode(dtype, &bytes);
                    assert!(back.iter().all(|x| x.is_finite()), "{dtype}, round {round}");
                }
                Err(e) => assert_eq!(e, EncodeError::Overflow { dtype, index: 0 }),
            }
        }
    }
    assert!((2000..12000).contains(&kept), "{kept}");
}

#[test]
fn wrong_lengths_are_refused() {
    for dtype in TYPES {
        let partial = EncodeError::PartialBlock { dtype, len: 128 };
        assert_eq!(encode_row(dtype, &[0.0; 128], &mut [0; 210]), Err(partial));
        assert!(partial.to_string().contains("block of 256"), "{partial}");
        let expected = dtype.block_bytes();
        for found in [0, expected - 1, expected + 1] {
            let short = Err(EncodeError::OutputLength { expected, found });
            assert_eq!(encode_row(dtype, &[0.0; 256], &mut vec![0; found]), short);
        }
    }
}

#[test]
fn more_bits_lose_less() {
    let golden = records(include_bytes!("../data/k_quants.bin"));
    // The last records are noise, those before them rows of the trained model.
    let rows: Vec<f32> = golden[54..].iter().flat_map(|(row, _)| row.clone()).collect();
    let snr = TYPES.map(|dtype| {
        let mut stats = ErrorStats::default();
        let bytes = encode(dtype, &rows).unwrap();
        stats.add(&rows, &decode(dtype, &bytes));
        stats.snr_db()
    });
    // 6 dB a bit, about.
    assert!((20.0..28.0).contains(&snr[0]), "{snr:?}");
    assert!((25.0..34.0).contains(&snr[1]), "{snr:?}");
    assert!((30.0..40.0).contains(&snr[2]), "{snr:?}");
    assert!(snr.is_sorted(), "{snr:?}");
}
