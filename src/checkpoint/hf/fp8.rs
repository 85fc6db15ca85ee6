//! Weights of one byte (E4M3: a sign, 4 bits of exponent, 3 of mantissa, no infinity) and their
//! scales: `weight = number * scale`, in f32, rounded once to the type they are widened to.
//!
//! Scales of compressed-tensors (`weight_scale`: one in all, one a row, one a group of a row or
//! one a block), of transformers' `fp8` (`weight_scale_inv`, which multiplies all the same) and
//! of modelopt.

use std::ops::Range;
use std::sync::Mutex;
use std::thread;
use std::vec;
use std::vec::Vec;

use half::{bf16, f16};

use crate::kernels::{Blocks, DType};

/// Rows that one thread widens at a time.
const PART_ROWS: usize = 64;

/// A matrix in FP8 with its scales.
#[derive(Clone, Copy, Debug)]
pub struct Fp8Matrix<'w> {
    /// What it is widened to: F32, F16 or BF16.
    pub dtype: DType,
    /// Rows.
    pub rows: usize,
    /// Elements of a row.
    pub cols: usize,
    /// The numbers, row by row.
    pub data: &'w [u8],
    pub(super) scales: Scales<'w>,
}

/// The scales: a small matrix, each for a block of the large one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scales<'w> {
    pub(super) dtype: DType,
    pub(super) data: &'w [u8],
    /// Scales in a row of them.
    pub(super) cols: usize,
    /// Rows and columns that share one.
    pub(super) block: [usize; 2],
}

impl Fp8Matrix<'_> {
    /// Bytes of the widened matrix.
    pub fn widened_len(&self) -> Option<usize> {
        self.rows.checked_mul(self.dtype.row_bytes(self.cols)?)
    }

    /// Widens `rows` into `out`, which has room for exactly these; `false` if they are not there
    /// or it has not.
    pub fn widen(&self, rows: Range<usize>, out: &mut [u8]) -> bool {
        self.widened(rows, out).is_some()
    }

    /// Widens all of it, on all of the machine's threads; `None` without the memory for that.
    ///
    /// The threads are its own: whoever opens a model may not have made the pool yet that the
    /// kernels run on.
    pub(super) fn widen_all(&self) -> Option<Vec<u8>> {
        let row_out = self.dtype.row_bytes(self.cols)?.max(1);
        let mut out = Vec::new();
        out.try_reserve_exact(self.widened_len()?).ok()?;
        out.resize(self.widened_len()?, 0);
        let parts = out.chunks_mut(PART_ROWS * row_out).enumerate();
        let count = parts.len();
        let parts = Mutex::new(parts);
        let work = || {
            // The lock is gone before the part is worked on.
            let next = || parts.lock().ok()?.next();
            let mut done = 0;
            while let Some((i, part)) = next() {
                let first = i * PART_ROWS;
                done += usize::from(self.widen(first..first + part.len() / row_out, part));
            }
            done
        };
        let threads = thread::available_parallelism().map_or(1, usize::from).min(count);
        let done: usize = thread::scope(|scope| {
            let spawn = |_| thread::Builder::new().spawn_scoped(scope, work).ok();
            let others: Vec<_> = (1..threads).filter_map(spawn).collect();
            work() + others.into_iter().filter_map(|other| other.join().ok()).sum::<usize>()
        });
        (done == count).then_some(out)
    }

    fn widened(&self, rows: Range<usize>, out: &mut [u8]) -> Option<()> {
        let row_out = self.dtype.row_bytes(self.cols)?;
        if rows.len().checked_mul(row_out)? != out.len() {
            return None;
        }
        let [block_rows, block_cols] = self.scales.block;
        let mut scales = vec![0.0; self.scales.cols];
        let mut at = None;
        for (row, out) in rows.zip(out.chunks_exact_mut(row_out.max(1))) {
            let band = row / block_rows.max(1);
            if at != Some(band) {
                self.scales.row(band, &mut scales)?;
                at = Some(band);
            }
            let numbers = self.data.get(row.checked_mul(self.cols)?..)?.get(..self.cols)?;
            let blocks = numbers.chunks(block_cols.max(1)).zip(&scales);
            let values =
                blocks.flat_map(|(block, scale)| block.iter().map(move |&b| e4m3(b) * scale));
            store(self.dtype, values, out);
        }
        Some(())
    }
}

impl Scales<'_> {
    fn row(&self, row: usize, out: &mut [f32]) -> Option<()> {
        let bytes = self.dtype.row_bytes(self.cols)?;
        let data = self.data.get(row.checked_mul(bytes)?..)?.get(..bytes)?;
        Blocks::new(self.dtype, data)?.dequantize(out).then_some(())
    }

    /// Whether every scale is finite.
    pub(super) fn are_finite(&self) -> bool {
        let values = self.dtype.row_bytes(1).map_or(0, |bytes| self.data.len() / bytes.max(1));
        let mut out: Vec<f32> = vec![0.0; values];
        let read = Blocks::new(self.dtype, self.data).is_some_and(|b| b.dequantize(&mut out));
        read && out.iter().all(|scale| scale.is_finite())
    }
}

/// Writes `values` as `dtype`, rounded to nearest, ties to even.
fn store(dtype: DType, values: impl Iterator<Item = f32>, out: &mut [u8]) {
    match dtype {
        DType::F32 => {
            for (value, out) in values.zip(out.as_chunks_mut::<4>().0) {
                *out = value.to_le_bytes();
            }
        }
        _ => {
            let to_bits = if dtype == DType::BF16 { to_bf16 } else { to_f16 };
            for (value, out) in values.zip(out.as_chunks_mut::<2>().0) {
                *out = to_bits(value).to_le_bytes();
            }
        }
    }
}

fn to_bf16(value: f32) -> u16 {
    bf16::from_f32(value).to_bits()
}

fn to_f16(value: f32) -> u16 {
    f16::from_f32(value).to_bits()
}

/// The value of an E4M3 number (`float8_e4m3fn`).
fn e4m3(bits: u8) -> f32 {
    VALUES[usize::from(bits)]
}

static VALUES: [f32; 256] = {
    let mut values = [0.0; 256];
    let mut bits = 0;
    while bits < 256 {
        let (exponent, mantissa) = (bits >> 3 & 0xf, bits & 7);
        let size = match (exponent, mantissa) {
            (15, 7) => f32::NAN,
            // Steps of 2^-9 below the smallest normal number, 2^-6.
            (0, _) => mantissa as f32 / 512.0,
            _ => f32::from_bits((exponent as u32 + 127 - 7) << 23 | (mantissa as u32) << 20),
        };
        values[bits] = if bits < 128 { size } else { -size };
        bits += 1;
    }
    values
};

/// The scales of a matrix of `rows` and `cols`, of a tensor of `shape`; `None` if it does not
/// fit. `block` is what the configuration says of blocks.
pub(super) fn scale_grid(
    shape: &[usize],
    [rows, cols]: [usize; 2],
    block: Option<[usize; 2]>,
) -> Option<(usize, [usize; 2])> {
    let [high, wide] = match *shape {
        [] => [1, 1],
        [n] if n == 1 || n == rows => [n, 1],
        [high, wide] => [high, wide],
        _ => return None,
    };
    let fits = |[r, c]: &[usize; 2]| rows.div_ceil(*r) == high && cols.div_ceil(*c) == wide;
    let shared = match (high, wide) {
        (1, 1) => [rows, cols],
        (high, 1) if high == rows => [1, cols],
        _ => match block {
            Some(block) => Some(block).filter(fits)?,
            None => {
                let whole = rows.checked_rem(high)? == 0 && cols.checked_rem(wide)? == 0;
                whole.then_some([rows / high, cols / wide])?
            }
        },
    };
    Some((wide, shared))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_the_format() {
        // From the table of the OCP 8-bit floating point specification.
        let known = [
            (0, 0.0),
            (0x38, 1.0),
            (0xb8, -1.0),
            (0x7e, 448.0),
            (0xfe, -448.0),
            (0x01, 1.0 / 512.0),
        ];
        for (bits, value) in known.into_iter().chain([(0x07, 0.013_671_875), (0x08, 0.015_625)]) {
            assert_eq!(e4m3(bits), value, "{bits:#x}");
        }
        assert!(e4m3(0x7f).is_nan() && e4m3(0xff).is_nan() && e4m3(0x80).is_sign_negative());
        let finite = VALUES.iter().filter(|v| v.is_finite());
        assert_eq!(finite.count(), 254);
    }

    #[test]
    fn grids() {
        let size = [256, 96];
        assert_eq!(scale_grid(&[], size, None), Some((1, size)));
        assert_eq!(scale_grid(&[1], size, Some([128, 128])), Some((1, size)));
        assert_eq!(scale_grid(&[256], size, None), Some((1, [1, 96])));
        assert_eq!(scale_grid(&[256, 1], size, None), Some((1, [1, 96])));
        assert_eq!(scale_grid(&[256, 3], size, Some([1, 32])), Some((3, [1, 32])));
        // The last block may be cut.
        assert_eq!(scale_grid(&[2, 1], size, Some([128, 128])), Some((1, [128, 128])));
        assert_eq!(scale_grid(&[4, 2], size, Some([64, 64])), Some((2, [64, 64])));
        assert_eq!(scale_grid(&[4, 3], size, None), Some((3, [64, 32])));
        for shape in [&[0][..], &[0, 0], &[2], &[3, 1], &[256, 5], &[1, 1, 1]] {
            assert_eq!(scale_grid(shape, size, None), None, "{shape:?}");
        }
        assert_eq!(scale_grid(&[4, 3], size, Some([64, 64])), None);
    }
}
