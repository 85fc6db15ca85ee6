//! The row encoders: llama.cpp's bytes, edge cases, bad arguments.

use xielu::kernels::{Blocks, DType};
use xielu::quant::{ENCODED, EncodeError, ErrorStats, encode_row};

fn encode(dtype: DType, row: &[f32]) -> Result<Vec<u8>, EncodeError> {
    let mut out = vec![0xaa; dtype.row_bytes(row.len()).unwrap_or(0)];
    encode_row(dtype, row, &mut out).map(|()| out)
}

fn decode(dtype: DType, bytes: &[u8], len: usize) -> Vec<f32> {
    let mut out = vec![f32::NAN; len];
    assert!(Blocks::new(dtype, bytes).unwrap().dequantize(&mut out));
    out
}

/// A block that is zero except at the given places.
fn block(values: &[(usize, f32)]) -> [f32; 32] {
    let mut x = [0.0; 32];
    values.iter().for_each(|&(i, v)| x[i] = v);
    x
}

#[test]
fn zeros_of_either_sign() {
    for zero in [0.0f32, -0.0] {
        let mut q8 = vec![0; 34];
        assert_eq!(encode(DType::Q8_0, &[zero; 32]).unwrap(), q8);
        // ggml divides the zero by -8, so the scale is -0.
        let mut q4 = vec![0x88; 18];
        (q4[0], q4[1]) = (0x00, 0x80);
        assert_eq!(encode(DType::Q4_0, &[zero; 32]).unwrap(), q4);
        q8.fill(0);
        assert!(decode(DType::Q4_0, &q4, 32).iter().all(|&x| x == 0.0));
        assert_eq!(
            encode(DType::F16, &[zero]).unwrap()[1],
            if zero.is_sign_negative() { 0x80 } else { 0 }
        );
    }
}

#[test]
fn q8_0_rounds_halves_away_from_zero() {
    // d = 127/127 = 1, so the quants are the rounded values themselves.
    let x =
        block(&[(0, 127.0), (1, 0.5), (2, -0.5), (3, 1.5), (4, 2.5), (5, -2.5), (6, 0.49999997)]);
    let bytes = encode(DType::Q8_0, &x).unwrap();
    assert_eq!(bytes[..2], [0x00, 0x3c]);
    let quants: Vec<i8> = bytes[2..9].iter().map(|&b| b as i8).collect();
    assert_eq!(quants, [127, 1, -1, 2, 3, -3, 0]);
}

#[test]
fn q4_0_takes_the_first_of_equal_magnitudes() {
    // m = -8: d = 1, zero becomes 8, -8 becomes 0 and 8 saturates at 15.
    let bytes = encode(DType::Q4_0, &block(&[(1, -8.0), (2, 8.0), (16, -0.5), (17, 0.5)])).unwrap();
    assert_eq!(bytes[..5], [0x00, 0x3c, 0x88, 0x90, 0x8f]);
    // m = 8: d = -1, everything mirrored.
    let bytes = encode(DType::Q4_0, &block(&[(1, 8.0), (2, -8.0), (16, -0.5)])).unwrap();
    assert_eq!(bytes[..5], [0x00, 0xbc, 0x98, 0x80, 0x8f]);
}

#[test]
fn tiny_values_decode_to_zeros() {
    for value in [f32::from_bits(1), 1e-40, -1e-40, f32::MIN_POSITIVE, 1e-9] {
        for dtype in [DType::Q8_0, DType::Q4_0] {
            let bytes = encode(dtype, &block(&[(3, value), (9, -value)])).unwrap();
            let back = decode(dtype, &bytes, 32);
            assert!(back.iter().all(|&x| x == 0.0), "{dtype} {value:e}: {back:?}");
        }
    }
}

#[test]
fn one_huge_value_is_kept_and_too_huge_is_refused() {
    // The largest scale f16 holds is 65504.
    let x = block(&[(7, 65504.0 * 127.0), (8, 1.0)]);
    let back = decode(DType::Q8_0, &encode(DType::Q8_0, &x).unwrap(), 32);
    assert_eq!((back[7], back[8]), (65504.0 * 127.0, 0.0));
    let x = block(&[(7, -65504.0 * 8.0)]);
    assert_eq!(decode(DType::Q4_0, &encode(DType::Q4_0, &x).unwrap(), 32)[7], -65504.0 * 8.0);

    let mut two = [0.0; 64];
    two[40] = 1e30;
    for dtype in [DType::Q8_0, DType::Q4_0] {
        assert_eq!(encode(dtype, &two), Err(EncodeError::Overflow { dtype, index: 32 }));
    }
    let dtype = DType::F16;
    assert_eq!(encode(dtype, &two), Err(EncodeError::Overflow { dtype, index: 40 }));
    let overflow = Err(EncodeError::Overflow { dtype: DType::BF16, index: 0 });
    assert_eq!(encode(DType::BF16, &[f32::MAX]), overflow);
    assert_eq!(encode(DType::F32, &[f32::MAX]).unwrap(), f32::MAX.to_le_bytes());
}

#[test]
fn what_is_not_finite() {
    for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let mut x = [1.0; 64];
        x[33] = value;
        for dtype in [DType::Q8_0, DType::Q4_0] {
            assert_eq!(encode(dtype, &x), Err(EncodeError::NotFinite { index: 33 }));
        }
        for dtype in [DType::F32, DType::F16, DType::BF16] {
            let back = decode(dtype, &encode(dtype, &x).unwrap(), 64);
            assert!(back[33] == value || (back[33].is_nan() && value.is_nan()));
        }
    }
}

#[test]
fn output_at_any_address() {
    let row: Vec<f32> = (0..256).map(|i| (i as f32 - 20.0) * 0.37).collect();
    for dtype in ENCODED {
        let aligned = encode(dtype, &row).unwrap();
        let mut buffer = vec![0u8; aligned.len() + 32];
        for offset in 0..32 {
            let out = &mut buffer[offset..offset + aligned.len()];
            encode_row(dtype, &row, out).unwrap();
            assert_eq!(out, aligned, "{dtype} at {offset}");
        }
    }
}

#[test]
fn wrong_lengths_are_refused() {
    for dtype in [DType::Q8_0, DType::Q4_0] {
        let partial = Err(EncodeError::PartialBlock { dtype, len: 33 });
        assert_eq!(encode_row(dtype, &[0.0; 33], &mut [0; 68]), partial);
    }
    for (dtype, expected) in ENCODED.into_iter().zip([128, 64, 64, 34, 18]) {
        for found in [0, expected - 1, expected + 1] {
            let short = Err(EncodeError::OutputLength { expected, found });
            assert_eq!(encode_row(dtype, &[0.0; 32], &mut vec![0; found]), short);
        }
        assert_eq!(encode_row(dtype, &[], &mut []), Ok(()));
    }
}

#[test]
fn errors_stay_within_the_step() {
    let row: Vec<f32> = (0..4096).map(|i| (i * 7919 % 4096) as f32 / 2048.0 - 1.0).collect();
    // Half a step (a whole one where Q4_0 saturates), and the rounding of the scale to f16.
    for (dtype, worst, snr) in [
        (DType::F32, 0.0, f64::INFINITY),
        (DType::BF16, 2f32.powi(-9), 50.0),
        (DType::Q8_0, 0.5 / 127.0 + 2f32.powi(-11), 45.0),
        (DType::Q4_0, 1.0 / 8.0 + 2f32.powi(-11), 20.0),
    ] {
        let back = decode(dtype, &encode(dtype, &row).unwrap(), row.len());
        let mut stats = ErrorStats::default();
        stats.add(&row, &back);
        assert_eq!(stats.count(), 4096);
        assert!(stats.max_abs() <= worst, "{dtype}: {}", stats.max_abs());
        assert!(stats.snr_db() >= snr, "{dtype}: {} dB", stats.snr_db());
        assert!(stats.rms() <= f64::from(stats.max_abs()));
    }
}

#[test]
fn statistics_by_hand() {
    let mut a = ErrorStats::default();
    assert_eq!((a.rms(), a.relative_rms(), a.snr_db()), (0.0, 0.0, f64::INFINITY));
    a.add(&[3.0, 4.0], &[3.0, 4.0]);
    let mut b = ErrorStats::default();
    b.add(&[0.0, 0.0], &[0.25, -0.25]);
    a.merge(&b);
    assert_eq!((a.count(), a.max_abs()), (4, 0.25));
    // Error squares 0.125 over 4 values, value squares 25.
    assert!((a.rms() - (0.125f64 / 4.0).sqrt()).abs() < 1e-15);
    assert!((a.relative_rms() - (0.125f64 / 25.0).sqrt()).abs() < 1e-15);
    assert!((a.snr_db() - 23.010_299_956_639_813).abs() < 1e-12);
}
