//! Products with packed weights, against those with the same weights unpacked: exact integer sums of
//! groups, scaled and added in f32, in the same order or in another one.

use xielu::kernels::{Blocks, DType, Input, InputBlock, Isa, Kernels, Matrix, Output, QK, Shape};
use xielu::quant::encode_row;
use xielu_testing::kernels::every_kernel;
use xielu_testing::noise::Noise;

const ROWS: usize = 64;
const COLS: usize = 512;
/// Enough for products of many tokens, which go through panels without packing too.
const TOKENS: usize = 40;
/// Enough for that, and not enough for the tiles of AMX, which round to bf16.
const FEWER: usize = 24;

fn weights(dtype: DType) -> Vec<u8> {
    let mut noise = Noise::new(1);
    let mut bytes = vec![0; dtype.row_bytes(ROWS * COLS).unwrap()];
    encode_row(dtype, &noise.vec(ROWS * COLS, 1.0), &mut bytes).unwrap();
    bytes
}

fn input(kernels: &Kernels) -> Vec<InputBlock> {
    let mut blocks = vec![InputBlock::ZERO; TOKENS * InputBlock::per_row(COLS)];
    let x = Noise::new(2).vec(TOKENS * COLS, 1.0);
    kernels.quantize_input(&x, COLS, &mut blocks).unwrap();
    blocks
}

fn values(dtype: DType, bytes: &[u8]) -> Vec<f32> {
    let mut values = vec![0.0; ROWS * COLS];
    assert!(Blocks::new(dtype, bytes).unwrap().dequantize(&mut values));
    values
}

/// The magnitude of what is added for each weight and 1: that of its value, or where blocks have a
/// minimum, that of the quant's part and of the minimum's.
fn magnitudes(dtype: DType, bytes: &[u8]) -> Vec<f64> {
    let whole = values(dtype, bytes);
    if !matches!(dtype, DType::Q4_K | DType::Q5_K) {
        return whole.into_iter().map(|w| f64::from(w).abs()).collect();
    }
    let mut without = bytes.to_vec();
    // The scale of the minima is the second number of a block.
    without.chunks_mut(dtype.block_bytes()).for_each(|block| block[2..4].fill(0));
    let parts = whole.into_iter().zip(values(dtype, &without));
    parts.map(|(w, q)| f64::from(q).abs() + (f64::from(q) - f64::from(w)).abs()).collect()
}

/// The products of the first `tokens` of `x`, token after token.
fn products(kernels: &Kernels, w: &Matrix<'_>, x: &[InputBlock], tokens: usize) -> Vec<f32> {
    let mut out = vec![f32::NAN; tokens * ROWS];
    let x = Input::Quantized(&x[..tokens * InputBlock::per_row(COLS)]);
    kernels.matmul(w, x, Output::new(&mut out, ROWS).unwrap()).unwrap();
    out
}

fn packable() -> impl Iterator<Item = DType> {
    DType::ALL.into_iter().filter(|dtype| dtype.has_tiles())
}

/// The kernels that can pack, with a matrix and its packed form.
fn with_packed(f: impl Fn(&Kernels, DType, &[u8], [&Matrix<'_>; 2])) {
    for dtype in packable() {
        let bytes = weights(dtype);
        let w = Matrix::new(dtype, Shape { rows: ROWS, cols: COLS }, &bytes).unwrap();
        for kernels in every_kernel() {
            assert_eq!(kernels.can_pack(&w), kernels.isa() != Isa::Scalar);
            if kernels.can_pack(&w) {
                let mut memory = vec![0; w.bytes()];
                let packed = kernels.pack(&w, &mut memory).unwrap();
                f(&kernels, dtype, &bytes, [&w, &packed]);
            }
        }
    }
}

/// Packed, any number of tokens has the bits that many tokens have unpacked; with AMX, any number
/// that does not go through its tiles.
#[test]
fn the_same_bits_as_a_prompt() {
    with_packed(|kernels, dtype, _, [w, packed]| {
        let x = input(kernels);
        let prompts = [FEWER, TOKENS].map(|tokens| products(kernels, w, &x, tokens));
        if kernels.isa() != Isa::Amx {
            assert_eq!(prompts[0], prompts[1][..FEWER * ROWS]);
        }
        for tokens in [1, 2, 3, 7, 16, FEWER, TOKENS] {
            let found = products(kernels, packed, &x, tokens);
            let prompt = &prompts[usize::from(tokens > FEWER)];
            assert!(found == prompt[..tokens * ROWS], "{dtype} {} {tokens}", kernels.isa());
        }
    });
}

/// Few tokens are added in another order unpacked. Both orders round once for each group that they
/// add, by half an ulp of no more than the sum of the magnitudes; the roundings differ in sign, so
/// their difference stays within what one order can be off by.
#[test]
fn another_order_differs_by_its_roundings() {
    with_packed(|kernels, dtype, bytes, [w, packed]| {
        let x = input(kernels);
        let magnitudes = magnitudes(dtype, bytes);
        let groups = COLS / QK;
        let bound = groups as f64 * 2f64.powi(-24);
        let inputs: Vec<f32> = x.iter().flat_map(InputBlock::dequantize).collect();
        let mut worst = 0.0f64;
        for tokens in [1, 3, 7] {
            let [expected, found] = [w, packed].map(|w| products(kernels, w, &x, tokens));
            for (i, (a, b)) in expected.iter().zip(&found).enumerate() {
                let (token, row) = (i / ROWS, i % ROWS);
                let terms = magnitudes[row * COLS..][..COLS].iter().zip(&inputs[token * COLS..]);
                let magnitude: f64 = terms.map(|(w, &x)| w * f64::from(x).abs()).sum();
                worst = worst.max((f64::from(*a) - f64::from(*b)).abs() / magnitude);
            }
        }
        println!("{dtype} {}: {worst:.1e} of {bound:.1e}", kernels.isa());
        assert!(worst <= bound, "{dtype} {}: {worst:e}", kernels.isa());
    });
}
