//! One tensor, from its stored form to another, a few rows at a time.

use std::borrow::Cow;
use std::ops::Range;
use std::vec;
use std::vec::Vec;

use super::ConvertError;
use super::source::SourceTensor;
use crate::kernels::{Blocks, DType};
use crate::numeric::finite::first_bad;
use crate::quant::{EncodeError, ErrorStats, encode_row, encode_row_weighted};

/// Values a thread holds in memory at once, in whole rows (one at least).
const CHUNK: usize = 1 << 16;

/// Rows of a tensor, encoded.
pub(super) struct Chunk<'a> {
    pub(super) bytes: &'a [u8],
    /// Bytes of the source that these were.
    pub(super) read: usize,
}

/// Encodes `tensor` as `dtype`, by the weights of its columns if there are any, and hands it over
/// chunk by chunk, in order; returns what that lost. A tensor that keeps its type is copied byte by byte.
///
/// With feature `rayon`, as many chunks are encoded at once as there are threads; the result is
/// the same.
pub(super) fn recode(
    tensor: &SourceTensor<'_>,
    dtype: DType,
    weights: Option<&[f32]>,
    mut emit: impl FnMut(Chunk<'_>) -> Result<(), ConvertError>,
) -> Result<ErrorStats, ConvertError> {
    let (Some(row_in), Some(row_out)) =
        (tensor.dtype.row_bytes(tensor.cols), dtype.row_bytes(tensor.cols))
    else {
        let partial = EncodeError::PartialBlock { dtype, len: tensor.cols };
        return Err(ConvertError::Encode { tensor: tensor.name(), source: partial });
    };
    let job = Job { tensor, dtype, weights, row_in, row_out };
    let step = (CHUNK / tensor.cols.max(1)).clamp(1, tensor.rows.max(1));
    let chunks: Vec<Range<usize>> =
        (0..tensor.rows).step_by(step).map(|at| at..(at + step).min(tensor.rows)).collect();
    let mut lanes = vec![Lane::default(); lane_count().min(chunks.len())];
    let mut stats = ErrorStats::default();
    for batch in chunks.chunks(lanes.len().max(1)) {
        let results = run_lanes(&job, &mut lanes, batch);
        for ((result, lane), rows) in results.into_iter().zip(&lanes).zip(batch) {
            stats.merge(&result?);
            emit(Chunk { bytes: &lane.bytes, read: rows.len() * row_in })?;
        }
    }
    Ok(stats)
}

/// The memory of one thread.
#[derive(Clone, Default)]
struct Lane {
    values: Vec<f32>,
    stored: Vec<f32>,
    bytes: Vec<u8>,
}

#[cfg(feature = "rayon")]
fn lane_count() -> usize {
    rayon::current_num_threads()
}

#[cfg(not(feature = "rayon"))]
fn lane_count() -> usize {
    1
}

/// Encodes one range of rows in each lane.
fn run_lanes(
    job: &Job<'_, '_>,
    lanes: &mut [Lane],
    batch: &[Range<usize>],
) -> Vec<Result<ErrorStats, ConvertError>> {
    #[cfg(feature = "rayon")]
    {
        use rayon::prelude::*;
        let pairs = lanes.par_iter_mut().zip(batch);
        pairs.map(|(lane, rows)| job.run(lane, rows.clone())).collect()
    }
    #[cfg(not(feature = "rayon"))]
    lanes.iter_mut().zip(batch).map(|(lane, rows)| job.run(lane, rows.clone())).collect()
}

/// What is done to every row of a tensor.
struct Job<'t, 'w> {
    tensor: &'t SourceTensor<'w>,
    dtype: DType,
    weights: Option<&'t [f32]>,
    row_in: usize,
    row_out: usize,
}

impl Job<'_, '_> {
    fn run(&self, lane: &mut Lane, rows: Range<usize>) -> Result<ErrorStats, ConvertError> {
        let Job { tensor, dtype, row_in, .. } = *self;
        let mut stats = ErrorStats::default();
        let count = rows.len() * tensor.cols;
        lane.bytes.resize(rows.len() * self.row_out, 0);
        lane.values.resize(count, 0.0);
        decode_rows(tensor, rows.clone(), row_in, &mut lane.values)?;
        check_finite(tensor, rows.start, &lane.values)?;
        if dtype == tensor.dtype {
            copy_rows(tensor, rows, row_in, &mut lane.bytes)?;
            return Ok(stats);
        }
        lane.stored.resize(count, 0.0);
        self.encode(&lane.values, &mut lane.bytes)?;
        decode(tensor, dtype, &lane.bytes, &mut lane.stored)?;
        stats.add(&lane.values, &lane.stored);
        Ok(stats)
    }

    /// Encodes whole rows.
    fn encode(&self, values: &[f32], out: &mut [u8]) -> Result<(), ConvertError> {
        let failed = |source| ConvertError::Encode { tensor: self.tensor.name(), source };
        let Some(weights) = self.weights else {
            return encode_row(self.dtype, values, out).map_err(failed);
        };
        let rows = values.chunks_exact(self.tensor.cols).zip(out.chunks_exact_mut(self.row_out));
        for (row, out) in rows {
            encode_row_weighted(self.dtype, row, weights, out).map_err(failed)?;
        }
        Ok(())
    }
}

/// The bytes of one row of the output, before they are encoded.
fn row_bytes<'t>(
    tensor: &'t SourceTensor<'_>,
    row: usize,
    row_in: usize,
) -> Result<Cow<'t, [u8]>, ConvertError> {
    let missing = crate::Error::MissingTensor(tensor.role);
    tensor.row(row, row_in).ok_or(missing.into())
}

fn copy_rows(
    tensor: &SourceTensor<'_>,
    rows: Range<usize>,
    row_in: usize,
    out: &mut [u8],
) -> Result<(), ConvertError> {
    for (row, out) in rows.zip(out.chunks_exact_mut(row_in)) {
        out.copy_from_slice(&row_bytes(tensor, row, row_in)?);
    }
    Ok(())
}

fn decode_rows(
    tensor: &SourceTensor<'_>,
    rows: Range<usize>,
    row_in: usize,
    out: &mut [f32],
) -> Result<(), ConvertError> {
    for (row, out) in rows.zip(out.chunks_exact_mut(tensor.cols)) {
        decode(tensor, tensor.dtype, &row_bytes(tensor, row, row_in)?, out)?;
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

/// Fails for a value of the rows from `start` on that is NaN or infinite.
fn check_finite(
    tensor: &SourceTensor<'_>,
    start: usize,
    values: &[f32],
) -> Result<(), ConvertError> {
    let Some(at) = first_bad(values) else { return Ok(()) };
    let (row, col) = (start + at / tensor.cols, at % tensor.cols);
    Err(ConvertError::NotFinite { tensor: tensor.name(), row, col })
}
