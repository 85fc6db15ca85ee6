//! Products of every type on every instruction set, against f64.

use std::vec::Vec;

#[cfg(target_arch = "x86_64")]
use xielu_testing_base::require;

use crate::test_support::{every_kernel, noise, weights};
use crate::{
    BlockQ8_0, Blocks, DType, INPUT_BLOCK, Input, InputBlock, Isa, Kernels, Matrix, Output, Shape,
    ShapeError,
};

fn quantize(k: &Kernels, x: &[f32]) -> Vec<BlockQ8_0> {
    let mut blocks = std::vec![BlockQ8_0::ZERO; x.len() / 32];
    k.quantize_q8_0(x, &mut blocks).unwrap();
    blocks
}

fn input_blocks(k: &Kernels, x: &[f32], cols: usize) -> Vec<InputBlock> {
    let mut blocks = std::vec![InputBlock::ZERO; x.len() / cols * InputBlock::per_row(cols)];
    k.quantize_input(x, cols, &mut blocks).unwrap();
    blocks
}

/// The values that blocks of rows of `cols` stand for.
fn input_values(blocks: &[InputBlock], cols: usize) -> Vec<f32> {
    let values: Vec<f32> = blocks.iter().flat_map(InputBlock::dequantize).collect();
    let rows = values.chunks(InputBlock::per_row(cols) * INPUT_BLOCK);
    rows.flat_map(|row| row[..cols].to_vec()).collect()
}

/// `[tokens, rows]` in f64, and the sum of magnitudes that bounds rounding.
fn truth(w: &[f32], x: &[f32], rows: usize, cols: usize) -> Vec<(f64, f64)> {
    let mut out = Vec::new();
    for x in x.chunks(cols) {
        for w in w.chunks(cols).take(rows) {
            let terms = w.iter().zip(x).map(|(&w, &x)| f64::from(w) * f64::from(x));
            out.push(terms.fold((0.0, 0.0), |(s, m), t| (s + t, m + t.abs())));
        }
    }
    out
}

#[test]
fn products_match_f64_on_every_isa() {
    for k in every_kernel() {
        for dtype in DType::ALL {
            for (rows, cols, tokens) in
                [(1, 32, 1), (7, 96, 3), (33, 672, 8), (5, 1024, 1), (40, 288, 17), (3, 512, 261)]
            {
                let cols = usize::next_multiple_of(cols, dtype.block_len());
                check_product(&k, dtype, rows, cols, tokens);
            }
            if matches!(dtype, DType::Q8_0 | DType::Q6_K) {
                check_product(&k, dtype, 300, 256, 33); // more rows than any kernel takes at once
            }
            if !dtype.is_quantized() {
                for cols in [1, 7, 8, 9, 31, 33, 45, 129] {
                    check_product(&k, dtype, 3, cols, 2);
                    check_product(&k, dtype, 35, cols, 37);
                }
            }
        }
    }
}

/// By how much bf16 changes a product of a weight and an input.
fn rounding_to_bf16(isa: Isa, dtype: DType, tokens: usize) -> f64 {
    let half_a_unit = 1.0 / 512.0;
    match (isa, dtype) {
        // A weight and an input.
        (Isa::Amx, _) if dtype.is_quantized() && tokens >= 32 => 2.0 * half_a_unit + 4e-6,
        // Two bf16 have 16 bits of an input.
        (Isa::Amx, DType::BF16) if tokens >= 16 => 1.0 / f64::from(1 << 17),
        _ => 0.0,
    }
}

fn check_product(k: &Kernels, dtype: DType, rows: usize, cols: usize, tokens: usize) {
    let bytes = weights(dtype, rows * cols, 7);
    // One byte off: blocks must not need alignment.
    let mut shifted = std::vec![0u8; 1];
    shifted.extend_from_slice(&bytes);
    let w = Matrix::new(dtype, Shape { rows, cols }, &shifted[1..]).unwrap();
    let mut w_values = std::vec![0.0; rows * cols];
    assert!(Blocks::new(dtype, &bytes).unwrap().dequantize(&mut w_values));
    let x = noise(tokens * cols, 11);
    let mut blocks = Vec::new();
    let mut x_values = x.clone();
    let input = if dtype.is_quantized() {
        blocks = input_blocks(k, &x, cols);
        x_values = input_values(&blocks, cols);
        Input::Quantized(&blocks)
    } else {
        Input::F32(&x)
    };
    let mut out = std::vec![1.0f32; tokens * rows];
    k.matmul(&w, input, Output::new(&mut out, rows).unwrap()).unwrap();
    let expected = truth(&w_values, &x_values, rows, cols);
    let tolerance = 1e-6 + rounding_to_bf16(k.isa(), dtype, tokens);
    for (o, (sum, magnitude)) in out.iter().zip(&expected) {
        let error = (f64::from(*o) - sum).abs();
        assert!(error <= tolerance * magnitude, "{dtype} {} {o} {sum}", k.isa());
    }
    k.matmul_add(&w, input, Output::new(&mut out, rows).unwrap()).unwrap();
    for (o, (sum, magnitude)) in out.iter().zip(&expected) {
        assert!((f64::from(*o) - 2.0 * sum).abs() <= 3.0 * tolerance * magnitude);
    }
    drop(blocks);
}

/// AMX's kernels and those of another instruction set, or the test is skipped.
#[cfg(target_arch = "x86_64")]
#[track_caller]
fn amx_and(other: Isa) -> Option<[Kernels; 2]> {
    let [Some(amx), Some(other)] = [Isa::Amx, other].map(Kernels::for_isa) else {
        require::skip("amx", "this machine has no AMX");
        return None;
    };
    Some([amx, other])
}

/// Against the inputs before they were quantized, bf16 of quantized inputs and weights is about as
/// far from f64 as the exact products of both: 8 bits of an input have cost more.
#[cfg(target_arch = "x86_64")]
#[test]
fn amx_products_are_as_far_from_unquantized_inputs_as_vnni_ones() {
    let Some(kernels) = amx_and(Isa::Avx512Vnni) else { return };
    for dtype in DType::ALL.into_iter().filter(|dtype| dtype.is_quantized()) {
        let (rows, cols, tokens) = (64, 1024, 40);
        let bytes = weights(dtype, rows * cols, 21);
        let w = Matrix::new(dtype, Shape { rows, cols }, &bytes).unwrap();
        let mut w_values = std::vec![0.0; rows * cols];
        assert!(w.blocks.dequantize(&mut w_values));
        let x = noise(tokens * cols, 22);
        let expected = truth(&w_values, &x, rows, cols);
        let [amx, vnni] = kernels.map(|k| {
            let blocks = input_blocks(&k, &x, cols);
            let mut out = std::vec![0.0f32; tokens * rows];
            k.matmul(&w, Input::Quantized(&blocks), Output::new(&mut out, rows).unwrap()).unwrap();
            let errors = out.iter().zip(&expected).map(|(o, (sum, _))| f64::from(*o) - sum);
            errors.map(|error| error * error).sum::<f64>().sqrt()
        });
        assert!(amx <= 1.25 * vnni, "{dtype} {amx} {vnni}");
    }
}

/// A NaN or an infinity among the inputs stays with its token, with tiles too.
#[cfg(target_arch = "x86_64")]
#[test]
fn amx_keeps_what_is_not_finite_with_its_token() {
    let Some([amx, _]) = amx_and(Isa::Avx512) else { return };
    let (rows, cols, tokens) = (40, 512, 37);
    for dtype in [DType::Q8_0, DType::Q4_K, DType::IQ4_NL] {
        let bytes = weights(dtype, rows * cols, 25);
        let w = Matrix::new(dtype, Shape { rows, cols }, &bytes).unwrap();
        let mut x = noise(tokens * cols, 26);
        (x[3 * cols + 5], x[36 * cols + 300]) = (f32::NAN, f32::INFINITY);
        let mut out = std::vec![0.0f32; tokens * rows];
        let input = input_blocks(&amx, &x, cols);
        amx.matmul(&w, Input::Quantized(&input), Output::new(&mut out, rows).unwrap()).unwrap();
        for (t, out) in out.chunks(rows).enumerate() {
            assert!(out.iter().all(|v| v.is_nan() == matches!(t, 3 | 36)), "{dtype} {t}");
        }
    }
}

/// What is not finite stays with its token, as with other instruction sets.
#[cfg(target_arch = "x86_64")]
#[test]
fn amx_splits_inputs_that_are_not_finite() {
    let Some([amx, avx512]) = amx_and(Isa::Avx512) else { return };
    let (rows, cols, tokens) = (3, 45, 20);
    let bytes = weights(DType::BF16, rows * cols, 23);
    let w = Matrix::new(DType::BF16, Shape { rows, cols }, &bytes).unwrap();
    let mut x = noise(tokens * cols, 24);
    (x[5], x[cols + 44], x[7 * cols]) = (f32::INFINITY, f32::NAN, f32::NEG_INFINITY);
    let [found, expected] = [amx, avx512].map(|k| {
        let mut out = std::vec![0.0f32; tokens * rows];
        k.matmul(&w, Input::F32(&x), Output::new(&mut out, rows).unwrap()).unwrap();
        out
    });
    for (found, expected) in found.iter().zip(&expected) {
        let same = found.is_nan() && expected.is_nan() || found == expected;
        assert!(same || (found - expected).abs() < 1e-4, "{found} {expected}");
    }
    assert!(expected[..rows].iter().all(|v| v.is_infinite()));
}

/// `out += w * x` for one token.
fn add_product(k: &Kernels, w: &Matrix<'_>, x: &[f32], out: &mut [f32]) {
    let out = Output::new(out, w.rows()).unwrap();
    if w.dtype().is_quantized() {
        k.matmul_add(w, Input::Quantized(&input_blocks(k, x, w.cols())), out).unwrap();
    } else {
        k.matmul_add(w, Input::F32(x), out).unwrap();
    }
}

#[test]
fn column_ranges_add_up_to_the_whole() {
    let k = Kernels::detect();
    for dtype in DType::ALL {
        let unit = dtype.block_len().max(32);
        let (rows, cols) = (5, 5 * unit);
        let bytes = weights(dtype, rows * cols, 3);
        let w = Matrix::new(dtype, Shape { rows, cols }, &bytes).unwrap();
        let x = noise(cols, 4);
        let mut whole = std::vec![0.0; rows];
        let mut parts = std::vec![0.0; rows];
        add_product(&k, &w, &x, &mut whole);
        for range in [0..2 * unit, 2 * unit..3 * unit, 3 * unit..cols] {
            let tile = w.columns(range.clone()).unwrap();
            add_product(&k, &tile, &x[range], &mut parts);
        }
        for (a, b) in whole.iter().zip(&parts) {
            assert!((a - b).abs() <= 1e-5 * (1.0 + a.abs()), "{dtype} {a} {b}");
        }
        let lower = w.rows_range(2..4).unwrap();
        let mut some = std::vec![0.0; 2];
        add_product(&k, &lower, &x, &mut some);
        assert_eq!(some, whole[2..4]);
    }
}

#[test]
fn requantised_bytes_are_the_same_on_every_isa() {
    let mut x = noise(32 * 64, 5);
    for (i, v) in x.iter_mut().enumerate() {
        *v *= libm::exp2f((i / 32) as f32 * 4.0 - 150.0);
    }
    // Exact halves, zeros, negative zero, one huge value.
    x.extend((0..32).map(|i| i as f32 - 15.5));
    x.extend((0..32).map(|i| if i == 0 { 127.0 } else { i as f32 / 2.0 }));
    x.extend([0.0; 32]);
    x.extend([-0.0; 32]);
    x.extend((0..32).map(|i| if i == 9 { -f32::MAX } else { 1.0 }));
    let expected = quantize(&Kernels::scalar(), &x);
    let inputs = input_blocks(&Kernels::scalar(), &x, x.len() / 3);
    for block in &inputs {
        let sums = block.qs.chunks(16).map(|half| half.iter().map(|&q| i16::from(q)).sum::<i16>());
        assert!(sums.eq(block.sums));
    }
    for k in every_kernel() {
        assert_eq!(quantize(&k, &x), expected, "{}", k.isa());
        let cols = x.len() / 3;
        assert_eq!(input_blocks(&k, &x, cols), inputs, "{}", k.isa());
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let mut x = noise(64, 6);
            x[40] = bad;
            let blocks = quantize(&k, &x);
            assert!(blocks[0].d.get().is_finite());
            assert!(blocks[1].dequantize().iter().all(|v| v.is_nan()));
            let values = input_values(&input_blocks(&k, &x, 64), 64);
            assert!(values[..32].iter().all(|v| v.is_finite()));
            assert!(values[32..].iter().all(|v| v.is_nan()));
        }
    }
}

#[test]
fn shapes_that_do_not_fit_are_errors() {
    let k = Kernels::detect();
    let bytes = [0u8; 34 * 4];
    assert_eq!(
        Matrix::new(DType::Q8_0, Shape { rows: 2, cols: 33 }, &bytes).err(),
        Some(ShapeError::PartialBlock { cols: 33, block_len: 32 })
    );
    assert_eq!(
        Matrix::new(DType::Q8_0, Shape { rows: 3, cols: 64 }, &bytes).err(),
        Some(ShapeError::Bytes { expected: 204, found: 136 })
    );
    assert_eq!(
        Matrix::new(DType::F32, Shape { rows: usize::MAX, cols: 64 }, &bytes).err(),
        Some(ShapeError::Bytes { expected: usize::MAX, found: 136 })
    );
    let w = Matrix::new(DType::Q8_0, Shape { rows: 2, cols: 64 }, &bytes).unwrap();
    assert!(w.columns(0..16).is_none() && w.columns(32..96).is_none());
    assert!(w.rows_range(1..3).is_none() && w.row(2).is_none());
    let x = [InputBlock::ZERO; 1];
    let mut out = [0.0; 3];
    fn rows(out: &mut [f32], n: usize) -> Output<'_> {
        Output::new(out, n).unwrap()
    }
    assert_eq!(
        k.matmul(&w, Input::Quantized(&x), rows(&mut out, 3)),
        Err(ShapeError::Rows { expected: 2, found: 3 })
    );
    assert_eq!(
        k.matmul(&w, Input::Quantized(&x[..0]), rows(&mut out[..2], 2)),
        Err(ShapeError::Input { expected: 1, found: 0 })
    );
    assert_eq!(
        k.matmul(&w, Input::F32(&[0.0; 64]), rows(&mut out[..2], 2)),
        Err(ShapeError::InputType(DType::Q8_0))
    );
    assert!(k.quantize_q8_0(&[0.0; 33], &mut [BlockQ8_0::ZERO]).is_err());
}

/// Packed weights give a prompt's results for any number of tokens, in parts too.
#[test]
fn packed_weights_match_f64() {
    for k in every_kernel() {
        for dtype in DType::ALL {
            let (rows, cols) = (96, 768);
            let bytes = weights(dtype, rows * cols, 5);
            let w = Matrix::new(dtype, Shape { rows, cols }, &bytes).unwrap();
            let mut memory = std::vec![0; w.bytes()];
            let packed = match k.pack(&w, &mut memory) {
                Ok(packed) => packed,
                Err(error) => {
                    assert!(!k.isa().has_panels() || !dtype.has_tiles());
                    assert_eq!(error, ShapeError::Packing(dtype));
                    continue;
                }
            };
            assert!(packed.is_packed() && packed.bytes() == w.bytes() && packed.row(0).is_none());
            for tokens in [1, 2, 5, 13] {
                let x = noise(tokens * cols, 11);
                let blocks = input_blocks(&k, &x, cols);
                let mut w_values = std::vec![0.0; rows * cols];
                assert!(w.blocks.dequantize(&mut w_values));
                let expected = truth(&w_values, &input_values(&blocks, cols), rows, cols);
                let mut out = std::vec![0.0f32; tokens * rows];
                let input = Input::Quantized(&blocks);
                k.matmul(&packed, input, Output::new(&mut out, rows).unwrap()).unwrap();
                for (o, (sum, magnitude)) in out.iter().zip(&expected) {
                    assert!((f64::from(*o) - sum).abs() <= 1e-6 * magnitude, "{dtype} {}", k.isa());
                }
            }
            parts_add_up(&k, &packed, cols);
            assert!(packed.rows_range(8..40).is_none() && packed.columns(32..288).is_none());
            assert_eq!(k.pack(&packed, &mut []).unwrap_err(), ShapeError::Packing(dtype));
            let sums = k.add_weighted_rows(&packed, &[0.0; 96], &mut [0.0; 768]);
            assert_eq!(sums, Err(ShapeError::Packing(dtype)));
            assert!(matches!(k.pack(&w, &mut []), Err(ShapeError::Bytes { found: 0, .. })));
            let scalar = Kernels::scalar();
            let (blocks, mut out) = (input_blocks(&k, &noise(cols, 1), cols), [0.0; 96]);
            let out = Output::new(&mut out, rows).unwrap();
            let error = scalar.matmul(&packed, Input::Quantized(&blocks), out);
            assert_eq!(error, Err(ShapeError::Packing(dtype)));
        }
    }
}

/// Rows 32 .. 96, columns in two parts.
fn parts_add_up(k: &Kernels, packed: &Matrix<'_>, cols: usize) {
    let x = noise(cols, 4);
    let (mut whole, mut parts) = ([0.0; 96], [0.0; 64]);
    add_product(k, packed, &x, &mut whole);
    let rows = packed.rows_range(32..96).unwrap();
    for range in [0..256, 256..cols] {
        add_product(k, &rows.columns(range.clone()).unwrap(), &x[range], &mut parts);
    }
    for (a, b) in whole[32..].iter().zip(&parts) {
        assert!((a - b).abs() <= 1e-4 * a.abs().max(1.0));
    }
}
