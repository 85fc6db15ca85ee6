//! One tensor, from its stored form to another, a few rows at a time.

use std::vec;

use super::ConvertError;
use super::source::SourceTensor;
use crate::kernels::{Blocks, DType};
use crate::quant::{EncodeError, ErrorStats, encode_row};

/// Values held in memory at once, in whole rows (one at least).
const CHUNK: usize = 1 << 16;

/// Rows of a tensor, encoded.
pub(super) struct Chunk<'a> {
    pub(super) bytes: &'a [u8],
    /// Bytes of the source that these were.
    pub(super) read: usize,
}

/// Encodes `tensor` as `dtype` and hands it over chunk by chunk; returns what that lost. A
/// tensor that keeps its type is copied byte by byte.
pub(super) fn recode(
    tensor: &SourceTensor<'_>,
    dtype: DType,
    mut emit: impl FnMut(Chunk<'_>) -> Result<(), ConvertError>,
) -> Result<ErrorStats, ConvertError> {
    let mut stats = ErrorStats::default();
    let (Some(row_in), Some(row_out)) =
        (tensor.dtype.row_bytes(tensor.cols), dtype.row_bytes(tensor.cols))
    else {
        let partial = EncodeError::PartialBlock { dtype, len: tensor.cols };
        return Err(ConvertError::Encode { tensor: tensor.name(), source: partial });
    };
    let rows_per_chunk = (CHUNK / tensor.cols.max(1)).clamp(1, tensor.rows.max(1));
    let mut values = vec![0.0; rows_per_chunk * tensor.cols];
    let mut stored = vec![0.0; values.len()];
    let mut bytes = vec![0; rows_per_chunk * row_out];
    for start in (0..tensor.rows).step_by(rows_per_chunk) {
        let rows = start..(start + rows_per_chunk).min(tensor.rows);
        let count = rows.len() * tensor.cols;
        let (values, stored) = (&mut values[..count], &mut stored[..count]);
        let bytes = &mut bytes[..rows.len() * row_out];
        let read = rows.len() * row_in;
        if dtype == tensor.dtype {
            copy_rows(tensor, rows, row_in, bytes)?;
        } else {
            decode_rows(tensor, rows, row_in, values)?;
            encode(tensor, dtype, start, values, bytes)?;
            decode(tensor, dtype, bytes, stored)?;
            stats.add(values, stored);
        }
        emit(Chunk { bytes, read })?;
    }
    Ok(stats)
}

/// The stored bytes of one row of the output.
fn row_bytes<'t>(
    tensor: &'t SourceTensor<'_>,
    row: usize,
    row_in: usize,
) -> Result<&'t [u8], ConvertError> {
    let start = tensor.stored_row(row) * row_in;
    let missing = crate::Error::MissingTensor(tensor.role);
    tensor.data.get(start..start + row_in).ok_or(missing.into())
}

fn copy_rows(
    tensor: &SourceTensor<'_>,
    rows: std::ops::Range<usize>,
    row_in: usize,
    out: &mut [u8],
) -> Result<(), ConvertError> {
    for (row, out) in rows.zip(out.chunks_exact_mut(row_in)) {
        out.copy_from_slice(row_bytes(tensor, row, row_in)?);
    }
    Ok(())
}

fn decode_rows(
    tensor: &SourceTensor<'_>,
    rows: std::ops::Range<usize>,
    row_in: usize,
    out: &mut [f32],
) -> Result<(), ConvertError> {
    for (row, out) in rows.zip(out.chunks_exact_mut(tensor.cols)) {
        decode(tensor, tensor.dtype, row_bytes(tensor, row, row_in)?, out)?;
    }
    Ok(())
}

fn decode(
    tensor: &SourceTensor<'_>,
    dtype: DType,
    bytes: &[u8],
    out: &mut [f32],
) -> Result<(), ConvertError> {
    match Blocks::new(dtype, bytes) {
        Some(blocks) if blocks.dequantize(out) => Ok(()),
        _ => Err(crate::Error::MissingTensor(tensor.role).into()),
    }
}

/// Encodes whole rows, of which `start` is the first.
fn encode(
    tensor: &SourceTensor<'_>,
    dtype: DType,
    start: usize,
    values: &[f32],
    out: &mut [u8],
) -> Result<(), ConvertError> {
    if let Some(at) = values.iter().position(|x| !x.is_finite()) {
        let (row, col) = (start + at / tensor.cols, at % tensor.cols);
        return Err(ConvertError::NotFinite { tensor: tensor.name(), row, col });
    }
    encode_row(dtype, values, out)
        .map_err(|source| ConvertError::Encode { tensor: tensor.name(), source })
}
