//! Products of quantized weights that every board must compute as this library's plain kernels do
//! on a host: the same bits, whatever instructions a board has for them.

use xielu::kernels::{
    DType, Input, InputBlock, Kernels, LengthError, Matrix, Output, Shape, ShapeError,
};

/// Widest and tallest matrix.
pub const COLS: usize = 1056;
pub const ROWS: usize = 30;
/// Most tokens.
const TOKENS: usize = 2;
/// Most bytes by which weights begin behind a word.
const OFFSET: usize = 3;
/// Rows, columns and tokens, and the part of a word at which weights begin: single blocks, rows that
/// no kernel takes together, rows that end within a block of inputs.
const SHAPES: [((usize, usize, usize), usize); 12] = [
    ((1, 32, 1), 0),
    ((2, 64, 1), 2),
    ((3, 256, 2), 0),
    ((4, 288, 1), 0),
    ((5, 96, 2), 2),
    ((7, 544, 1), 0),
    ((3, 256, 1), 2),
    ((6, 64, 1), 1),
    ((3, 1056, 1), OFFSET),
    ((1, 32, 1), 1),
    ((ROWS, COLS, TOKENS), 0),
    ((ROWS, 1024, 1), 0),
];

/// The operands of a product.
#[repr(C, align(4))]
pub struct Memory {
    weights: [u8; ROWS * COLS / 32 * 34 + OFFSET],
    x: [f32; TOKENS * COLS],
    input: [InputBlock; TOKENS * InputBlock::per_row(COLS)],
    out: [f32; TOKENS * ROWS],
}

/// Watches the products.
pub trait Observer {
    /// A product is about to be computed.
    fn begins(&mut self);
    /// It was.
    fn computed(&mut self);
    /// `hash` stands for the bits of all results.
    fn result(&mut self, dtype: DType, shape: (usize, usize, usize), hash: u32);
}

#[derive(Debug)]
pub struct Failed;

impl From<ShapeError> for Failed {
    fn from(_: ShapeError) -> Self {
        Failed
    }
}

impl From<LengthError> for Failed {
    fn from(_: LengthError) -> Self {
        Failed
    }
}

impl Memory {
    pub const fn new() -> Self {
        Memory { weights: [0; _], x: [0.0; _], input: [InputBlock::ZERO; _], out: [0.0; _] }
    }
}

/// Computes products of every shape.
pub fn products(
    kernels: &Kernels,
    memory: &mut Memory,
    observer: &mut impl Observer,
) -> Result<(), Failed> {
    let mut noise = Noise(1);
    for dtype in [DType::Q8_0, DType::Q4_0] {
        for ((rows, cols, tokens), offset) in SHAPES {
            let Memory { weights, x, input, out } = memory;
            let blocks = rows * cols / dtype.block_len();
            let weights = weights.get_mut(offset..).ok_or(Failed)?;
            let weights = weights.get_mut(..blocks * dtype.block_bytes()).ok_or(Failed)?;
            for block in weights.chunks_exact_mut(dtype.block_bytes()) {
                noise.fill(block);
                // The scale: any finite half, of any sign.
                if let [_, high, ..] = block {
                    *high &= 0xfb;
                }
            }
            let x = x.get_mut(..tokens * cols).ok_or(Failed)?;
            x.iter_mut().for_each(|x| *x = noise.bits() as i32 as f32 / 2_147_483_648.0);
            let input = input.get_mut(..tokens * InputBlock::per_row(cols)).ok_or(Failed)?;
            let out = out.get_mut(..tokens * rows).ok_or(Failed)?;
            kernels.quantize_input(x, cols, input)?;
            let matrix = Matrix::new(dtype, Shape { rows, cols }, weights)?;
            let output = Output::new(out, rows).ok_or(Failed)?;
            observer.begins();
            kernels.matmul(&matrix, Input::Quantized(input), output)?;
            observer.computed();
            let hash = out.iter().fold(0, |hash: u32, y| {
                (hash ^ y.to_bits()).wrapping_mul(0x0100_0193).rotate_left(5)
            });
            observer.result(dtype, (rows, cols, tokens), hash);
        }
    }
    Ok(())
}

/// Numbers without a pattern: a linear congruential generator (Knuth's constants).
struct Noise(u32);

impl Noise {
    fn bits(&mut self) -> u32 {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        self.0.rotate_left(12)
    }

    fn fill(&mut self, bytes: &mut [u8]) {
        bytes.iter_mut().for_each(|byte| *byte = self.bits() as u8);
    }
}
