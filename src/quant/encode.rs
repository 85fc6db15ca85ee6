//! f32 rows to stored rows.

use core::fmt;

use half::{bf16, f16};

use super::k_quants::{q4_k, q5_k, q6_k};
use crate::kernels::{BlockQ8_0, DType, F16, Kernels, QK};

/// Why a row cannot be encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EncodeError {
    /// The row is not a whole number of blocks of `dtype`.
    PartialBlock {
        /// The type to encode as.
        dtype: DType,
        /// Values in the row.
        len: usize,
    },
    /// The output has another length than the encoded row.
    OutputLength {
        /// Bytes the row takes.
        expected: usize,
        /// Bytes given.
        found: usize,
    },
    /// The value at `index` is NaN or infinite: blocks cannot hold it.
    NotFinite {
        /// Position in the row.
        index: usize,
    },
    /// Blocks of `dtype` are only read; see [`ENCODED`].
    NoEncoder {
        /// The type to encode as.
        dtype: DType,
    },
    /// The finite value at `index`, or the scale of the block that starts there, is too large
    /// for `dtype`.
    Overflow {
        /// The type to encode as.
        dtype: DType,
        /// Position in the row.
        index: usize,
    },
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            EncodeError::PartialBlock { dtype, len } => {
                let block = dtype.block_len();
                write!(f, "a row of {len} values is not a multiple of {dtype}'s block of {block}")
            }
            EncodeError::OutputLength { expected, found } => {
                write!(f, "the encoded row takes {expected} bytes, the output has {found}")
            }
            EncodeError::NotFinite { index } => {
                write!(f, "value {index} of the row is NaN or infinite")
            }
            EncodeError::NoEncoder { dtype } => {
                write!(f, "{dtype} can be read and computed with, not written")
            }
            EncodeError::Overflow { dtype, index } => {
                write!(f, "value {index} of the row is too large for {dtype}")
            }
        }
    }
}

impl core::error::Error for EncodeError {}

/// The types that [`encode_row`] writes.
pub const ENCODED: [DType; 11] = [
    DType::F32,
    DType::F16,
    DType::BF16,
    DType::Q8_0,
    DType::Q4_0,
    DType::Q4_K,
    DType::Q5_K,
    DType::Q6_K,
    DType::Q4_1,
    DType::Q5_0,
    DType::Q5_1,
];

/// Encodes one row of values as `dtype` into `out`, which may be at any address.
///
/// With `x` the values of a block of 32 and all arithmetic in f32 (the scale is rounded to f16
/// only when stored):
/// - `F32`, `F16`, `BF16`: rounded to nearest, ties to even; NaN and infinities pass through.
/// - `Q8_0`: `d = max|x| / 127`, `q = round(x * (1/d))`, halves away from zero.
/// - `Q4_0`: `m` = the first value of largest magnitude, `d = m / -8`,
///   `q = min(15, trunc(x * (1/d) + 8.5))`.
/// - `Q5_0`: as `Q4_0` with `d = m / -16`, `q = min(31, trunc(x * (1/d) + 16.5))`.
/// - `Q4_1`, `Q5_1`: `m = min x`, `d = (max x - m) / 15` (or `31`),
///   `q = trunc((x - m) * (1/d) + 0.5)`.
/// - `Q4_K`, `Q5_K`: `x = d s q - dmin m` with 6-bit `s` and `m` for each 32 values; the scale
///   and min of each group are searched for, the squares of the errors weighted by `rms(x) + |x|`
///   of the group.
/// - `Q6_K`: `x = d s q` with 8-bit `s` for each 16 values, searched for with weights `x^2`.
///
/// A block whose `d` is 0 stores the quants of zero; one whose `d` is below f16's range stores a
/// zero scale. Both decode to zeros. Source of the formats: ggml's reference encoders.
///
/// # Errors
/// [`EncodeError`]; `out` then holds an unspecified mixture.
pub fn encode_row(dtype: DType, row: &[f32], out: &mut [u8]) -> Result<(), EncodeError> {
    let expected =
        dtype.row_bytes(row.len()).ok_or(EncodeError::PartialBlock { dtype, len: row.len() })?;
    if out.len() != expected {
        return Err(EncodeError::OutputLength { expected, found: out.len() });
    }
    match dtype {
        DType::F32 => {
            let (slots, _) = out.as_chunks_mut();
            slots.iter_mut().zip(row).for_each(|(slot, x)| *slot = x.to_le_bytes());
            Ok(())
        }
        DType::F16 => encode_16(dtype, row, out, |x| {
            let y = f16::from_f32(x);
            (y.to_le_bytes(), y.is_finite())
        }),
        DType::BF16 => encode_16(dtype, row, out, |x| {
            let y = bf16::from_f32(x);
            (y.to_le_bytes(), y.is_finite())
        }),
        DType::Q8_0 => encode_blocks(dtype, row, out, q8_0),
        DType::Q4_0 => encode_blocks(dtype, row, out, q4_0),
        DType::Q4_K => encode_blocks(dtype, row, out, q4_k),
        DType::Q5_K => encode_blocks(dtype, row, out, q5_k),
        DType::Q6_K => encode_blocks(dtype, row, out, q6_k),
        DType::Q4_1 => encode_blocks(dtype, row, out, q4_1),
        DType::Q5_0 => encode_blocks(dtype, row, out, q5_0),
        DType::Q5_1 => encode_blocks(dtype, row, out, q5_1),
        _ => Err(EncodeError::NoEncoder { dtype }),
    }
}

/// Encodes a row of 16-bit floats; a finite value may not become infinite.
fn encode_16(
    dtype: DType,
    row: &[f32],
    out: &mut [u8],
    narrow: impl Fn(f32) -> ([u8; 2], bool),
) -> Result<(), EncodeError> {
    let (slots, _) = out.as_chunks_mut();
    for (index, (slot, &x)) in slots.iter_mut().zip(row).enumerate() {
        let (bytes, finite) = narrow(x);
        if x.is_finite() && !finite {
            return Err(EncodeError::Overflow { dtype, index });
        }
        *slot = bytes;
    }
    Ok(())
}

/// Encodes a row of blocks of `LEN` values in `N` bytes; `encode` tells whether the block's
/// scales, as stored, are finite.
fn encode_blocks<const LEN: usize, const N: usize>(
    dtype: DType,
    row: &[f32],
    out: &mut [u8],
    encode: impl Fn(&[f32; LEN], &mut [u8; N]) -> bool,
) -> Result<(), EncodeError> {
    let (blocks, _) = row.as_chunks::<LEN>();
    let (slots, _) = out.as_chunks_mut::<N>();
    for (i, (block, slot)) in blocks.iter().zip(slots).enumerate() {
        if let Some(j) = block.iter().position(|x| !x.is_finite()) {
            return Err(EncodeError::NotFinite { index: i * LEN + j });
        }
        if !encode(block, slot) {
            return Err(EncodeError::Overflow { dtype, index: i * LEN });
        }
    }
    Ok(())
}

fn q8_0(x: &[f32; QK], out: &mut [u8; 34]) -> bool {
    let mut block = [BlockQ8_0::ZERO];
    // The length is one block of 32 values, as it must be: no error is possible.
    let _ = Kernels::scalar().quantize_q8_0(x, &mut block);
    let [BlockQ8_0 { d: F16([d0, d1]), qs }] = block;
    let [out0, out1, quants @ ..] = out;
    (*out0, *out1, *quants) = (d0, d1, qs.map(|q| q as u8));
    f16::from_le_bytes([d0, d1]).is_finite()
}

fn q4_0(x: &[f32; QK], out: &mut [u8; 18]) -> bool {
    let [d0, d1, quants @ ..] = out;
    let (scale, q) = signed::<8>(x);
    [*d0, *d1] = scale.to_le_bytes();
    *quants = nibbles(&q);
    scale.is_finite()
}

fn q5_0(x: &[f32; QK], out: &mut [u8; 22]) -> bool {
    let [d0, d1, h0, h1, h2, h3, quants @ ..] = out;
    let (scale, q) = signed::<16>(x);
    [*d0, *d1] = scale.to_le_bytes();
    [*h0, *h1, *h2, *h3] = fifth_bits(&q);
    *quants = nibbles(&q);
    scale.is_finite()
}

fn q4_1(x: &[f32; QK], out: &mut [u8; 20]) -> bool {
    let [d0, d1, m0, m1, quants @ ..] = out;
    let ([scale, min], q) = from_minimum::<15>(x);
    ([*d0, *d1], [*m0, *m1]) = (scale.to_le_bytes(), min.to_le_bytes());
    *quants = nibbles(&q);
    scale.is_finite() && min.is_finite()
}

fn q5_1(x: &[f32; QK], out: &mut [u8; 24]) -> bool {
    let [d0, d1, m0, m1, h0, h1, h2, h3, quants @ ..] = out;
    let ([scale, min], q) = from_minimum::<31>(x);
    ([*d0, *d1], [*m0, *m1]) = (scale.to_le_bytes(), min.to_le_bytes());
    [*h0, *h1, *h2, *h3] = fifth_bits(&q);
    *quants = nibbles(&q);
    scale.is_finite() && min.is_finite()
}

/// The scale and quants from 0 to `2 * ZERO - 1`, of which `ZERO` means 0 and 0 the value of largest
/// magnitude.
fn signed<const ZERO: u8>(x: &[f32; QK]) -> (f16, [u8; QK]) {
    let m = x.iter().fold(0.0f32, |m, &v| if v.abs() > m.abs() { v } else { m });
    let d = m / -f32::from(ZERO);
    let id = if d == 0.0 { 0.0 } else { 1.0 / d };
    // The cast saturates, and maps the NaN of 0 * inf (`d` subnormal) to 0.
    let quant = |v: f32| ((v * id + (f32::from(ZERO) + 0.5)) as u8).min(2 * ZERO - 1);
    (f16::from_f32(d), x.map(quant))
}

/// The scale, the minimum and quants from 0 to `MOST`.
fn from_minimum<const MOST: u8>(x: &[f32; QK]) -> ([f16; 2], [u8; QK]) {
    let low = x.iter().fold(f32::INFINITY, |m, &v| if v < m { v } else { m });
    let high = x.iter().fold(f32::NEG_INFINITY, |m, &v| if v > m { v } else { m });
    let d = (high - low) / f32::from(MOST);
    let id = if d == 0.0 { 0.0 } else { 1.0 / d };
    let quant = |v: f32| (((v - low) * id + 0.5) as u8).min(MOST);
    ([d, low].map(f16::from_f32), x.map(quant))
}

/// The lower four bits: of the first half in the low nibbles, of the second in the high ones.
fn nibbles(q: &[u8; QK]) -> [u8; QK / 2] {
    let mut out = [0; QK / 2];
    let (low, high) = q.split_at(QK / 2);
    for (out, (low, high)) in out.iter_mut().zip(low.iter().zip(high)) {
        *out = low & 15 | high << 4;
    }
    out
}

/// The fifth bits, the first value's lowest.
fn fifth_bits(q: &[u8; QK]) -> [u8; 4] {
    let mut bits = 0;
    for (i, q) in q.iter().enumerate() {
        bits |= u32::from(q >> 4) << i;
    }
    bits.to_le_bytes()
}
