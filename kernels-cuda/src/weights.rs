//! Weight matrices on the device: how they lie there, and how they get there.

use cudarc::driver::{CudaSlice, CudaView, DevicePtr, DevicePtrMut};
use xielu_kernels_simd::{Blocks, DType, Matrix};

use crate::raw::{apart, buffer};
use crate::{Error, Kernel, Launch, OnStream, Raw, args};

/// Rows of a tile, `TILE_ROWS` in `cuda/tiles.cuh`.
pub(crate) const TILE_ROWS: u64 = 16;
/// Columns of a block of a tile.
pub(crate) const BLOCK: u64 = 32;
/// Rows of float weights are padded to a multiple of this.
const FLOAT_ROW: u64 = 8;
/// Bytes that are copied to the device at once, at least: whole tiles.
const CHUNK: u64 = 16 << 20;
/// Bytes of a block of 256 columns of a type that is unpacked: quants, scales, mins.
const UNPACKED: u64 = 256 + 2 * 16 * 4;

/// How weights lie on the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// Rows of floats.
    Float(Kernel),
    /// Tiles of quants, with scales apart.
    Tiles(Tiled),
}

/// A form of tiles: bytes of a block of 16 rows and 32 columns in each of its sections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tiled {
    /// One token, and a few where there are no tensor cores for it.
    pub gemv: Kernel,
    /// Several tokens, where the device can run it.
    pub mma: Kernel,
    /// The entry point of `gemv` that repacks.
    pub repack: usize,
    /// Blocks that a warp takes at a time, `STEP` in `cuda/tiles.cuh`.
    pub step: u64,
    /// A row has a multiple of this many blocks.
    fill: u64,
    quants: u64,
    high: u64,
    scales: u64,
    super_scales: u64,
}

/// The first entry point that repacks, after those that multiply.
const REPACK: usize = 2;

impl Form {
    pub(crate) const fn of(dtype: DType) -> Form {
        let (gemv, mma, repack, step, fill, [quants, high, scales, super_scales]) = match dtype {
            DType::F32 => return Form::Float(Kernel::GemvF32),
            DType::F16 => return Form::Float(Kernel::GemvF16),
            DType::BF16 => return Form::Float(Kernel::GemvBF16),
            DType::Q8_0 => (Kernel::GemvQ8_0, Kernel::MmaQ8_0, REPACK, 4, 1, [512, 0, 32, 0]),
            DType::Q8_1 => (Kernel::GemvQ8_0, Kernel::MmaQ8_0, REPACK + 1, 4, 1, [512, 0, 32, 0]),
            DType::Q4_0 => (Kernel::GemvQ4_0, Kernel::MmaQ4_0, REPACK, 8, 2, [256, 0, 32, 0]),
            DType::Q4_1 => (Kernel::GemvQ4_1, Kernel::MmaQ4_1, REPACK, 8, 2, [256, 0, 64, 0]),
            DType::Q5_0 => (Kernel::GemvQ5_0, Kernel::MmaQ5_0, REPACK, 8, 2, [256, 64, 32, 0]),
            DType::Q5_1 => (Kernel::GemvQ5_1, Kernel::MmaQ5_1, REPACK, 8, 2, [256, 64, 64, 0]),
            DType::Q4_K => (Kernel::GemvQ4_K, Kernel::MmaQ4_K, REPACK, 8, 8, [256, 0, 32, 0]),
            DType::Q5_K => (Kernel::GemvQ5_K, Kernel::MmaQ5_K, REPACK, 8, 8, [256, 64, 32, 0]),
            DType::Q6_K => (Kernel::GemvQ6_K, Kernel::MmaQ6_K, REPACK, 8, 8, [256, 128, 32, 4]),
            _ => (Kernel::GemvI8, Kernel::MmaI8, REPACK, 2, 1, [512, 0, 256, 0]),
        };
        Form::Tiles(Tiled { gemv, mma, repack, step, fill, quants, high, scales, super_scales })
    }
}

impl Tiled {
    /// Blocks of a row as it is kept.
    pub(crate) const fn blocks(&self, cols: u64) -> u64 {
        (cols / BLOCK).next_multiple_of(self.fill)
    }

    fn bytes(&self, rows: u64, cols: u64) -> Option<u64> {
        let blocks = rows.div_ceil(TILE_ROWS).checked_mul(self.blocks(cols))?;
        blocks.checked_mul(self.quants + self.high + self.scales + self.super_scales)
    }
}

/// Bytes of one stored row as the repacking kernels read it.
const fn staged_row(dtype: DType, cols: u64) -> Option<u64> {
    if dtype.is_quantized() && is_unpacked(dtype) {
        return cols.div_ceil(256).checked_mul(UNPACKED);
    }
    (cols / dtype.block_len() as u64).checked_mul(dtype.block_bytes() as u64)
}

/// Whether the device has no form for its blocks but that of bytes.
const fn is_unpacked(dtype: DType) -> bool {
    matches!(Form::of(dtype), Form::Tiles(Tiled { gemv: Kernel::GemvI8, .. }))
}

/// A weight matrix at an address of the device (a multiple of 16), in the form that products
/// read: [`WeightsAt::bytes`] bytes, as [`Raw::repack`] writes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WeightsAt {
    /// Where it is.
    pub address: u64,
    /// What it was made of.
    pub dtype: DType,
    /// Outputs of a product.
    pub rows: u64,
    /// Values of an input.
    pub cols: u64,
}

impl WeightsAt {
    /// Bytes it takes; `None` if addresses do not count them.
    pub fn bytes(&self) -> Option<u64> {
        match Form::of(self.dtype) {
            Form::Float(_) => {
                let row = self.cols.checked_next_multiple_of(FLOAT_ROW)?;
                row.checked_mul(self.rows)?.checked_mul(self.dtype.block_bytes() as u64)
            }
            Form::Tiles(tiled) => tiled.bytes(self.rows, self.cols),
        }
    }

    pub(crate) fn check(&self) -> Result<crate::raw::Buffer, Error> {
        let bytes = self.bytes().ok_or(Error::TooLarge(self.cols))?;
        buffer("the weights", self.address, bytes, 1, 16)
    }

    /// Values of a row of floats as it is kept.
    pub(crate) const fn float_stride(&self) -> u64 {
        self.cols.next_multiple_of(FLOAT_ROW)
    }

    pub(crate) fn tiles(&self, tiled: &Tiled) -> args::Tiles {
        let blocks = tiled.blocks(self.cols);
        let all = self.rows.div_ceil(TILE_ROWS) * blocks;
        let quants = self.address;
        let high = quants + all * tiled.quants;
        let scales = high + all * tiled.high;
        let super_scales = scales + all * tiled.scales;
        args::Tiles { quants, high, scales, super_scales, rows: self.rows, blocks }
    }
}

impl<L: Launch> Raw<L> {
    /// Rows `first .. first + count` of `to`, from stored blocks at `from`. `first` is a multiple of
    /// 16, and so is `count` unless these are the last rows. Types that the device has no form of
    /// their own for come as blocks of 256: the quants as signed bytes, then 16 scales, then 16 mins
    /// in f32.
    ///
    /// # Errors
    /// For float types, which are copied as they are; if an address is null, misaligned or overlaps,
    /// the rows are not whole tiles inside, or the launch fails.
    ///
    /// # Safety
    /// See [`Raw`].
    pub unsafe fn repack(
        &self,
        to: &WeightsAt,
        from: u64,
        first: u64,
        count: u64,
    ) -> Result<(), Error> {
        let Form::Tiles(tiled) = Form::of(to.dtype) else {
            return Err(Error::FloatWeights(to.dtype));
        };
        let end = first.checked_add(count).filter(|&end| end <= to.rows);
        let end = end.ok_or(Error::TooLarge(first))?;
        if !first.is_multiple_of(TILE_ROWS) || !(end == to.rows || end.is_multiple_of(TILE_ROWS)) {
            let expected = first.next_multiple_of(TILE_ROWS);
            return Err(Error::Length { what: "the first row", expected, found: first });
        }
        if count == 0 || to.cols == 0 {
            return Ok(());
        }
        let row_bytes = staged_row(to.dtype, to.cols).ok_or(Error::TooLarge(to.cols))?;
        let source = buffer("the stored blocks", from, count, row_bytes, 1)?;
        apart(to.check()?, source, false)?;
        let args =
            args::Repack { from, row_bytes, first, count, cols: to.cols, to: to.tiles(&tiled) };
        let units = count.div_ceil(TILE_ROWS) * tiled.blocks(to.cols);
        // SAFETY: the struct is this kernel's; the caller vouches for the addresses.
        unsafe { self.run(tiled.gemv, tiled.repack, units.div_ceil(8), &args) }
    }
}

/// A weight matrix on the device. Quantized types are repacked there: the same bytes, up to what
/// fills tiles of 16 rows and pairs of blocks. Q8_0, Q8_1, Q4_0, Q4_1, Q5_0, Q5_1, Q4_K, Q5_K and
/// Q6_K are kept as they are; the other quantized types as signed bytes with a scale and a min in
/// f32 for each 16 (1.5 bytes a weight), which are exactly their values. F32, F16 and BF16 are kept
/// row by row.
#[derive(Debug)]
pub struct DeviceMatrix {
    dtype: DType,
    rows: usize,
    cols: usize,
    data: CudaSlice<u8>,
}

impl DeviceMatrix {
    /// Copies a matrix to the device, some 16 MB at a time. Nothing of it is kept on the host.
    ///
    /// # Errors
    /// If it is packed or some columns of another one, the device has too little memory, or the
    /// driver fails.
    pub fn upload(on: &OnStream<'_>, weights: &Matrix<'_>) -> Result<Self, Error> {
        let (dtype, rows, cols) = (weights.dtype(), weights.rows(), weights.cols());
        let stored = weights.stored().ok_or(Error::NotWhole)?;
        let bytes = Self::bytes_for(dtype, rows, cols).ok_or(Error::TooLarge(cols as u64))?;
        let doing = Error::driver("allocating weights on the device");
        // What is not there was not asked for: an allocation has at least a byte.
        let data = on.stream().alloc_zeros::<u8>(bytes.max(1)).map_err(doing)?;
        let mut matrix = DeviceMatrix { dtype, rows, cols, data };
        if rows == 0 || cols == 0 {
            return Ok(matrix);
        }
        match Form::of(dtype) {
            Form::Float(_) => matrix.copy_floats(on, stored)?,
            Form::Tiles(_) => matrix.copy_tiles(on, stored)?,
        }
        Ok(matrix)
    }

    /// Bytes that a matrix takes on the device; `None` if addresses do not count them. While it is
    /// copied, [`DeviceMatrix::upload_bytes`] come to it.
    pub fn bytes_for(dtype: DType, rows: usize, cols: usize) -> Option<usize> {
        let at = WeightsAt { address: 0, dtype, rows: rows as u64, cols: cols as u64 };
        usize::try_from(at.bytes()?).ok()
    }

    /// Bytes that are needed on the device for the time of a copy.
    pub fn upload_bytes(dtype: DType, rows: usize, cols: usize) -> Option<usize> {
        if !dtype.is_quantized() {
            return Some(0);
        }
        let row = staged_row(dtype, cols as u64)?;
        usize::try_from(rows_at_once(row, rows as u64).checked_mul(row)?).ok()
    }

    /// The type it was made of.
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// Outputs of a product.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Values of an input.
    pub fn cols(&self) -> usize {
        self.cols
    }

    /// Its memory.
    pub(crate) fn data(&self) -> &CudaSlice<u8> {
        &self.data
    }

    /// With the address of its memory.
    pub(crate) fn at(&self, address: u64) -> WeightsAt {
        WeightsAt { address, dtype: self.dtype, rows: self.rows as u64, cols: self.cols as u64 }
    }

    fn copy_floats(&mut self, on: &OnStream<'_>, stored: &[u8]) -> Result<(), Error> {
        let doing = Error::driver("copying weights to the device");
        let size = self.dtype.block_bytes();
        let (row, stride) = (self.cols * size, self.at(0).float_stride() as usize * size);
        if row == stride {
            return on.stream().memcpy_htod(stored, &mut self.data).map_err(doing);
        }
        let at_once = (CHUNK as usize / stride).max(1);
        for (i, rows) in stored.chunks(at_once * row).enumerate() {
            let mut padded = vec![0u8; rows.len() / row * stride];
            for (to, from) in padded.chunks_mut(stride).zip(rows.chunks(row)) {
                to[..row].copy_from_slice(from);
            }
            let start = i * at_once * stride;
            let mut to = self.data.slice_mut(start..start + padded.len());
            on.stream().memcpy_htod(&padded, &mut to).map_err(&doing)?;
        }
        Ok(())
    }

    fn copy_tiles(&mut self, on: &OnStream<'_>, stored: &[u8]) -> Result<(), Error> {
        let doing = Error::driver("copying weights to the device");
        let staged = staged_row(self.dtype, self.cols as u64).ok_or(Error::NotWhole)?;
        let at_once = rows_at_once(staged, self.rows as u64) as usize;
        let mut staging = on
            .stream()
            .alloc_zeros::<u8>(at_once * staged as usize)
            .map_err(Error::driver("allocating memory to copy weights through"))?;
        let row = stored.len() / self.rows;
        for (i, rows) in stored.chunks(at_once * row).enumerate() {
            let count = rows.len() / row;
            if is_unpacked(self.dtype) {
                let bytes = unpacked(self.dtype, rows, row)?;
                let mut to = staging.slice_mut(..bytes.len());
                on.stream().memcpy_htod(&bytes, &mut to).map_err(&doing)?;
            } else {
                let mut to = staging.slice_mut(..rows.len());
                on.stream().memcpy_htod(rows, &mut to).map_err(&doing)?;
            }
            let source: CudaView<'_, u8> = staging.slice(..count * staged as usize);
            self.repack(on, &source, (i * at_once) as u64, count as u64)?;
        }
        Ok(())
    }

    fn repack(
        &mut self,
        on: &OnStream<'_>,
        from: &CudaView<'_, u8>,
        first: u64,
        count: u64,
    ) -> Result<(), Error> {
        let at = self.at(0);
        on.operand("the stored blocks", from.len(), from)?;
        let (from, _from) = from.device_ptr(on.stream());
        let (to, _to) = self.data.device_ptr_mut(on.stream());
        let to = WeightsAt { address: to, ..at };
        // SAFETY: both are of this context; `data` is as large as `WeightsAt::bytes` says, the
        // source holds `count` rows, and the guards order this work.
        unsafe { on.raw().repack(&to, from, first, count) }
    }
}

/// Rows that are copied together: whole tiles of about [`CHUNK`] bytes.
fn rows_at_once(row_bytes: u64, rows: u64) -> u64 {
    let whole = (CHUNK / row_bytes.max(1)).max(TILE_ROWS) / TILE_ROWS * TILE_ROWS;
    whole.min(rows)
}

/// Rows of stored blocks as blocks of bytes, scales and mins.
fn unpacked(dtype: DType, rows: &[u8], row: usize) -> Result<Vec<u8>, Error> {
    let mut out = Vec::new();
    for stored in rows.chunks(row) {
        let blocks = Blocks::new(dtype, stored).ok_or(Error::NotWhole)?;
        let cols = stored.len() / dtype.block_bytes() * dtype.block_len();
        for i in 0..cols.div_ceil(256) {
            let block = blocks.bytes_of(i).ok_or(Error::NotWhole)?;
            out.extend(block.quants.map(i8::cast_unsigned));
            for value in block.scales.iter().chain(&block.mins) {
                out.extend(value.to_le_bytes());
            }
        }
    }
    Ok(out)
}
