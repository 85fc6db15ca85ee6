//! f32 rows to stored rows.

use core::fmt;

use half::{bf16, f16};

use super::codes::{iq4_nl, iq4_xs};
use super::importance::mean_square;
use super::k_quants::{q2_k, q3_k, q4_k, q5_k, q6_k};
use super::rounded::{mxfp4, q4_0, q4_1, q5_0, q5_1, q8_0};
use super::weighted;
use crate::kernels::DType;

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
    /// There is not one weight for each value.
    WeightsLength {
        /// Values of the row.
        expected: usize,
        /// Weights given.
        found: usize,
    },
    /// The weight at `index` is negative, NaN or infinite.
    Weight {
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
            EncodeError::WeightsLength { expected, found } => {
                write!(f, "a row of {expected} values has {found} weights")
            }
            EncodeError::Weight { index } => {
                write!(f, "weight {index} of the row is negative, NaN or infinite")
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
pub const ENCODED: [DType; 16] = [
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
    DType::Q2_K,
    DType::Q3_K,
    DType::IQ4_NL,
    DType::IQ4_XS,
    DType::MXFP4,
];

/// The types whose encoders search for scales by the weights of [`encode_row_weighted`].
pub const WEIGHTED: [DType; 11] = [
    DType::Q4_0,
    DType::Q4_1,
    DType::Q5_0,
    DType::Q5_1,
    DType::Q2_K,
    DType::Q3_K,
    DType::Q4_K,
    DType::Q5_K,
    DType::Q6_K,
    DType::IQ4_NL,
    DType::IQ4_XS,
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
/// - `Q2_K`: as `Q4_K` with 4-bit `s` and `m` for each 16 values; absolute errors, weighted by `|x|`.
/// - `Q3_K`, `Q6_K`: `x = d s q` with 6-bit or 8-bit `s` for each 16 values, searched for with
///   weights `x^2`.
/// - `IQ4_NL`: `x = d v(q)` of the values of [`BlockIQ4_NL`](crate::kernels::BlockIQ4_NL), `d`
///   searched for with weights `x^2`; `IQ4_XS`: `x = d s v(q)` with 6-bit `s` for each 32 values.
/// - `MXFP4`: `d = 2^(floor(log2 max|x|) - 2)`, `q` the code of the nearest value. Below `2^-125`,
///   where ggml's exponent is undefined, it is 0.
///
/// A block whose `d` is 0 stores the quants of zero; one whose `d` is below f16's range stores a
/// zero scale. Both decode to zeros. Source of the formats: ggml's reference encoders.
///
/// # Errors
/// [`EncodeError`]; `out` then holds an unspecified mixture.
pub fn encode_row(dtype: DType, row: &[f32], out: &mut [u8]) -> Result<(), EncodeError> {
    encode(dtype, row, None, out)
}

/// As [`encode_row`], with a weight for each value: how much the square of its error counts. An
/// importance matrix has the mean squares of what each column of a matrix is multiplied with.
///
/// The types of [`WEIGHTED`] search for the scales (and mins) with the least sum of weighted squares;
/// Q4_0 to Q5_1 do not search without weights. Weights are multiplied with `sqrt(m + x^2)`, `m` being
/// the mean of `x^2` over the row (Q4_0, Q4_1, Q5_0, Q5_1), over the block (Q2_K), or twice that (Q3_K,
/// Q4_K, Q5_K, IQ4_NL, IQ4_XS); those of Q6_K are taken as they are. Other types have no use for
/// weights. Source: ggml's `quantize_*` functions, whose bytes these are.
///
/// # Errors
/// [`EncodeError`]; `out` then holds an unspecified mixture.
pub fn encode_row_weighted(
    dtype: DType,
    row: &[f32],
    weights: &[f32],
    out: &mut [u8],
) -> Result<(), EncodeError> {
    if weights.len() != row.len() {
        return Err(EncodeError::WeightsLength { expected: row.len(), found: weights.len() });
    }
    if let Some(index) = weights.iter().position(|&w| !(w.is_finite() && w >= 0.0)) {
        return Err(EncodeError::Weight { index });
    }
    encode(dtype, row, Some(weights), out)
}

fn encode(
    dtype: DType,
    row: &[f32],
    weights: Option<&[f32]>,
    out: &mut [u8],
) -> Result<(), EncodeError> {
    let expected =
        dtype.row_bytes(row.len()).ok_or(EncodeError::PartialBlock { dtype, len: row.len() })?;
    if out.len() != expected {
        return Err(EncodeError::OutputLength { expected, found: out.len() });
    }
    // Of blocks that have one scale, which is searched for with weights only.
    let mean = weights.map_or(0.0, |_| mean_square(row));
    let w = weights;
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
        DType::Q8_0 => encode_blocks(dtype, row, w, out, |x, _, out| q8_0(x, out)),
        DType::MXFP4 => encode_blocks(dtype, row, w, out, |x, _, out| mxfp4(x, out)),
        DType::Q4_0 => encode_blocks(dtype, row, w, out, |x, w, out| match w {
            Some(w) => weighted::q4_0(x, w, mean, out),
            None => q4_0(x, out),
        }),
        DType::Q4_1 => encode_blocks(dtype, row, w, out, |x, w, out| match w {
            Some(w) => weighted::q4_1(x, w, mean, out),
            None => q4_1(x, out),
        }),
        DType::Q5_0 => encode_blocks(dtype, row, w, out, |x, w, out| match w {
            Some(w) => weighted::q5_0(x, w, mean, out),
            None => q5_0(x, out),
        }),
        DType::Q5_1 => encode_blocks(dtype, row, w, out, |x, w, out| match w {
            Some(w) => weighted::q5_1(x, w, mean, out),
            None => q5_1(x, out),
        }),
        DType::Q2_K => encode_blocks(dtype, row, w, out, q2_k),
        DType::Q3_K => encode_blocks(dtype, row, w, out, q3_k),
        DType::Q4_K => encode_blocks(dtype, row, w, out, q4_k),
        DType::Q5_K => encode_blocks(dtype, row, w, out, q5_k),
        DType::Q6_K => encode_blocks(dtype, row, w, out, q6_k),
        DType::IQ4_NL => encode_blocks(dtype, row, w, out, iq4_nl),
        DType::IQ4_XS => encode_blocks(dtype, row, w, out, iq4_xs),
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
    weights: Option<&[f32]>,
    out: &mut [u8],
    encode: impl Fn(&[f32; LEN], Option<&[f32; LEN]>, &mut [u8; N]) -> bool,
) -> Result<(), EncodeError> {
    let (blocks, _) = row.as_chunks::<LEN>();
    let (slots, _) = out.as_chunks_mut::<N>();
    let (weights, _) = weights.unwrap_or_default().as_chunks::<LEN>();
    for (i, (block, slot)) in blocks.iter().zip(slots).enumerate() {
        if let Some(j) = block.iter().position(|x| !x.is_finite()) {
            return Err(EncodeError::NotFinite { index: i * LEN + j });
        }
        if !encode(block, weights.get(i), slot) {
            return Err(EncodeError::Overflow { dtype, index: i * LEN });
        }
    }
    Ok(())
}
