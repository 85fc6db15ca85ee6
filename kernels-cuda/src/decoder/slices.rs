//! The kernels of a decoder on memory of the device: lengths, owners and positions checked.

use cudarc::driver::{CudaSlice, DevicePtr, DevicePtrMut};
use xielu_kernels_simd::DType;

use super::raw::{Attend, Embed, RmsNorm, RopeStore};
use super::shapes::{Chunks, HeadShape};
use crate::{Error, OnStream};

/// Bytes copied to the device at a time.
const UPLOAD: usize = 16 << 20;

/// Where kernels note what is no number: of each token one u32 for the norms and one for each head
/// of keys and of values, 0 or the first code that was noted there. Two words before them are for
/// [`OnStream::argmax`], so that one copy has all of a step.
#[derive(Debug)]
pub struct Marks {
    words: CudaSlice<u32>,
    shape: HeadShape,
}

/// Words of [`Marks`] before those of the first token.
const CHOICE: usize = 2;

impl Marks {
    /// Nothing noted, of `batch` tokens.
    ///
    /// # Errors
    /// If the device has too little memory.
    pub fn new(on: &OnStream<'_>, shape: &HeadShape, batch: usize) -> Result<Marks, Error> {
        let words = on.stream().alloc_zeros(Marks::len(shape, batch));
        Ok(Marks { words: words.map_err(Error::driver(ALLOCATING))?, shape: *shape })
    }

    /// Words of `batch` tokens.
    pub const fn len(shape: &HeadShape, batch: usize) -> usize {
        CHOICE + batch * shape.marks()
    }

    /// The smallest code that is noted of the first `tokens` tokens. Waits for the stream. What was
    /// noted is forgotten.
    ///
    /// # Errors
    /// What the driver reports.
    pub fn take(&mut self, on: &OnStream<'_>, tokens: usize) -> Result<Option<u32>, Error> {
        let (_, code) = self.take_with_choice(on, tokens)?;
        Ok(code)
    }

    /// As [`Marks::take`], with what [`OnStream::argmax`] found: the index, and 1 + the index of a
    /// value that is no number, or 0.
    ///
    /// # Errors
    /// As [`Marks::take`].
    pub fn take_with_choice(
        &mut self,
        on: &OnStream<'_>,
        tokens: usize,
    ) -> Result<([u32; 2], Option<u32>), Error> {
        let doing = Error::driver("copying results from the device");
        let len = Marks::len(&self.shape, tokens);
        let view = self.words.try_slice(..len).ok_or(too_many("tokens"))?;
        let words = on.stream().clone_dtoh(&view).map_err(&doing)?;
        on.stream().synchronize().map_err(&doing)?;
        let (choice, noted) = words.split_at(CHOICE);
        let code = noted.iter().copied().filter(|&code| code != 0).min();
        if code.is_some() {
            on.stream().memset_zeros(&mut self.words).map_err(doing)?;
        }
        Ok(([choice[0], choice[1]], code))
    }
}

const ALLOCATING: &str = "allocating memory of a decoder";

fn too_many(what: &'static str) -> Error {
    Error::Unsupported(what)
}

/// Cosines and sines of every position, `[positions, head_dim]`.
#[derive(Debug)]
pub struct RopeTable {
    values: CudaSlice<f32>,
    interleaved: bool,
}

impl RopeTable {
    /// `fill(p, row)` writes the cosines, then the sines, of position `p` to `row` (`head_dim`
    /// values).
    ///
    /// # Errors
    /// If the device has too little memory.
    pub fn new(
        on: &OnStream<'_>,
        shape: &HeadShape,
        interleaved: bool,
        mut fill: impl FnMut(usize, &mut [f32]),
    ) -> Result<RopeTable, Error> {
        let doing = Error::driver(ALLOCATING);
        let dim = shape.head_dim;
        let mut values = on.stream().alloc_zeros(shape.context * dim).map_err(&doing)?;
        let rows = (UPLOAD / 4 / dim.max(1)).max(1);
        let mut host = vec![0.0; rows.min(shape.context) * dim];
        for first in (0..shape.context).step_by(rows) {
            let count = rows.min(shape.context - first);
            let host = &mut host[..count * dim];
            for (i, row) in host.chunks_exact_mut(dim).enumerate() {
                fill(first + i, row);
            }
            let mut to = values.slice_mut(first * dim..(first + count) * dim);
            on.stream().memcpy_htod(&*host, &mut to).map_err(&doing)?;
            // `host` is filled again.
            on.stream().synchronize().map_err(&doing)?;
        }
        Ok(RopeTable { values, interleaved })
    }
}

/// The weights of the norms of each head of queries and keys, `[head_dim]` each.
#[derive(Debug)]
pub struct QkNorm {
    /// Of queries.
    pub q: CudaSlice<f32>,
    /// Of keys.
    pub k: CudaSlice<f32>,
    /// Added to the mean square.
    pub eps: f32,
}

/// The keys and values of a layer, `[kv_head][position][head_dim]` each, as the CPU's cache has
/// them.
#[derive(Debug)]
pub struct KvLayer {
    keys: CudaSlice<u8>,
    values: CudaSlice<u8>,
    shape: HeadShape,
}

impl KvLayer {
    /// An empty cache.
    ///
    /// # Errors
    /// [`Error::Unsupported`] if the kernels do not have the shape; or if the device has too little
    /// memory.
    pub fn new(on: &OnStream<'_>, shape: &HeadShape) -> Result<KvLayer, Error> {
        if let Some(problem) = shape.problem() {
            return Err(Error::Unsupported(problem));
        }
        let zeros = || on.stream().alloc_zeros(shape.bytes()).map_err(Error::driver(ALLOCATING));
        Ok(KvLayer { keys: zeros()?, values: zeros()?, shape: *shape })
    }

    /// Its shape.
    pub const fn shape(&self) -> &HeadShape {
        &self.shape
    }

    /// Some bytes of the keys (`values` false) or values. Waits for the stream.
    ///
    /// # Errors
    /// [`Error::Length`] if there are not as many.
    pub fn read(
        &self,
        on: &OnStream<'_>,
        values: bool,
        range: std::ops::Range<usize>,
    ) -> Result<Vec<u8>, Error> {
        let from = if values { &self.values } else { &self.keys };
        let view = from.try_slice(range.clone()).ok_or(Error::Length {
            what: "the cache",
            expected: range.end as u64,
            found: from.len() as u64,
        })?;
        let doing = Error::driver("copying the KV cache from the device");
        let bytes = on.stream().clone_dtoh(&view).map_err(&doing)?;
        on.stream().synchronize().map_err(doing)?;
        Ok(bytes)
    }

    /// Replaces bytes of the keys (`values` false) or values, from `start` on.
    ///
    /// # Errors
    /// As [`KvLayer::read`].
    pub fn write(
        &mut self,
        on: &OnStream<'_>,
        values: bool,
        start: usize,
        bytes: &[u8],
    ) -> Result<(), Error> {
        let to = if values { &mut self.values } else { &mut self.keys };
        let (expected, found) = ((start + bytes.len()) as u64, to.len() as u64);
        let mut to = to.try_slice_mut(start..start + bytes.len()).ok_or(Error::Length {
            what: "the cache",
            expected,
            found,
        })?;
        let doing = Error::driver("copying the KV cache to the device");
        on.stream().memcpy_htod(bytes, &mut to).map_err(&doing)?;
        on.stream().synchronize().map_err(doing)
    }
}

/// The types that `embed` reads, in the order of its entry points.
pub const EMBEDDED: [DType; 7] =
    [DType::F32, DType::BF16, DType::F16, DType::Q8_0, DType::Q4_0, DType::Q4_K, DType::Q6_K];

/// An embedding on the device, in the blocks of the file.
#[derive(Debug)]
pub struct Embedding {
    bytes: CudaSlice<u8>,
    entry: usize,
    row_bytes: usize,
    rows: usize,
    width: usize,
}

impl Embedding {
    /// Whether there is a kernel that reads such rows.
    pub fn has(dtype: DType) -> bool {
        EMBEDDED.contains(&dtype)
    }

    /// Copies a table of `rows` rows to the device.
    ///
    /// # Errors
    /// [`Error::Unsupported`] if there is no kernel of that type; [`Error::Length`] if `bytes` are
    /// not whole blocks of as many rows; or if the device has too little memory.
    pub fn upload(
        on: &OnStream<'_>,
        dtype: DType,
        [rows, width]: [usize; 2],
        bytes: &[u8],
    ) -> Result<Embedding, Error> {
        let entry = EMBEDDED.iter().position(|&known| known == dtype);
        let entry = entry.ok_or(Error::Unsupported("embedding rows of this type"))?;
        let row_bytes = dtype.row_bytes(width).filter(|_| width.is_multiple_of(dtype.block_len()));
        let row_bytes = row_bytes.ok_or(Error::Unsupported("rows that are not whole blocks"))?;
        crate::slices::same_length("the embedding", rows.saturating_mul(row_bytes), bytes.len())?;
        if rows == 0 || u32::try_from(rows.max(width)).is_err() {
            return Err(Error::Unsupported("an embedding of that size"));
        }
        let doing = Error::driver("copying the embedding to the device");
        let mut there = on.stream().alloc_zeros(bytes.len()).map_err(&doing)?;
        for (i, piece) in bytes.chunks(UPLOAD).enumerate() {
            let mut to = there.slice_mut(i * UPLOAD..i * UPLOAD + piece.len());
            on.stream().memcpy_htod(piece, &mut to).map_err(&doing)?;
        }
        Ok(Embedding { bytes: there, entry, row_bytes, rows, width })
    }
}

impl OnStream<'_> {
    /// `y[i] = x[i] * weight[i] / sqrt(mean(x^2) + eps)` of each of `rows` vectors, in f32. A row
    /// whose squares have no finite sum is noted as `code` in `marks`.
    ///
    /// # Errors
    /// If lengths or contexts differ, or the launch fails.
    pub fn rms_norm(
        &self,
        x: &dyn DevicePtr<f32>,
        weight: &CudaSlice<f32>,
        eps: f32,
        y: &mut dyn DevicePtrMut<f32>,
        (marks, code): (&mut Marks, u32),
    ) -> Result<(), Error> {
        let width = weight.len();
        let rows = x.len().checked_div(width).unwrap_or(0);
        self.operand("x", rows * width, x)?;
        self.operand("y", rows * width, y)?;
        self.operand("the weights of the norm", width, weight)?;
        let noted = Marks::len(&marks.shape, rows);
        let stride = marks.shape.marks() as u32;
        let mut slots =
            marks.words.try_slice_mut(CHOICE..noted).ok_or(too_many("rows of a norm"))?;
        self.operand("marks", noted - CHOICE, &slots)?;
        let stream = self.stream();
        let (x, _x) = x.device_ptr(stream);
        let (weight, _weight) = weight.device_ptr(stream);
        let (y, _y) = y.device_ptr_mut(stream);
        let (noted, _noted) = slots.device_ptr_mut(stream);
        let (rows, width) = (rows as u64, width as u32);
        let args = RmsNorm { x, weight, y, noted, rows, width, stride, eps, code };
        // SAFETY: all are of this context and as long as the shape says (`operand` checked each);
        // their guards order this work after what was queued on them, and what follows after it.
        unsafe { self.raw().rms_norm(&args) }
    }

    /// Normalises (if the model does) and rotates each head of the queries `q`, in place, and of
    /// the keys `k`, for tokens from `position` on, and stores keys and values. A key or value that
    /// is not finite is noted as the first code, one that is not finite as it is stored as the
    /// second.
    ///
    /// # Errors
    /// If lengths or contexts differ, the tokens do not fit the cache, or the launch fails.
    pub fn rope_store(
        &self,
        [q, k, v]: [&mut dyn DevicePtrMut<f32>; 3],
        norm: Option<&QkNorm>,
        table: &RopeTable,
        position: usize,
        cache: &mut KvLayer,
        (marks, [code, code_stored]): (&mut Marks, [u32; 2]),
    ) -> Result<(), Error> {
        let shape = cache.shape;
        let dim = shape.head_dim;
        let tokens = k.len().checked_div(shape.kv_heads * dim).unwrap_or(0);
        self.operand("q", tokens * shape.heads * dim, &*q)?;
        self.operand("k", tokens * shape.kv_heads * dim, &*k)?;
        self.operand("v", tokens * shape.kv_heads * dim, &*v)?;
        self.operand("the table of RoPE", shape.context * dim, &table.values)?;
        if let Some(norm) = norm {
            self.operand("the norm of queries", dim, &norm.q)?;
            self.operand("the norm of keys", dim, &norm.k)?;
        }
        self.room(&shape, position, tokens)?;
        if marks.shape != shape {
            return Err(Error::Unsupported("marks of another shape"));
        }
        let noted = Marks::len(&shape, tokens);
        let mut slots = marks.words.try_slice_mut(CHOICE..noted).ok_or(too_many("tokens"))?;
        self.operand("marks", noted - CHOICE, &slots)?;
        self.operand("keys", shape.bytes(), &cache.keys)?;
        self.operand("values", shape.bytes(), &cache.values)?;
        let stream = self.stream();
        let (q, _q) = q.device_ptr_mut(stream);
        let (k, _k) = k.device_ptr_mut(stream);
        let (v, _v) = v.device_ptr_mut(stream);
        let norms = norm.map(|norm| (norm.q.device_ptr(stream), norm.k.device_ptr(stream)));
        let (q_norm, k_norm) = norms.as_ref().map_or((0, 0), |(q, k)| (q.0, k.0));
        let (values_of_table, _table) = table.values.device_ptr(stream);
        let (keys, _keys) = cache.keys.device_ptr_mut(stream);
        let (values, _values) = cache.values.device_ptr_mut(stream);
        let (noted, _noted) = slots.device_ptr_mut(stream);
        let args = RopeStore {
            q,
            k,
            v,
            q_norm,
            k_norm,
            table: values_of_table,
            keys,
            values,
            noted,
            tokens: tokens as u64,
            position: position as u64,
            context: shape.context as u64,
            heads: shape.heads as u32,
            kv_heads: shape.kv_heads as u32,
            head_dim: dim as u32,
            interleaved: table.interleaved.into(),
            stride: shape.marks() as u32,
            eps: norm.map_or(0.0, |norm| norm.eps),
            code,
            code_stored,
        };
        // SAFETY: as in `rms_norm`; the tokens' positions are in the cache and the table (`room`),
        // and `KvLayer::new` refused shapes that the kernels do not have.
        unsafe { self.raw().rope_store(shape.cache, &args) }
    }

    /// `out[t]` = attention of the queries `q[t]`, as [`OnStream::rope_store`] left them, over the
    /// positions up to and including `position + t`. `workspace` holds
    /// [`HeadShape::workspace_len`] elements.
    ///
    /// # Errors
    /// If lengths or contexts differ, the tokens do not fit the cache, or the launch fails.
    pub fn attend(
        &self,
        q: &dyn DevicePtr<f32>,
        position: usize,
        cache: &KvLayer,
        workspace: &mut CudaSlice<f32>,
        out: &mut dyn DevicePtrMut<f32>,
    ) -> Result<(), Error> {
        let shape = cache.shape;
        let width = shape.heads * shape.head_dim;
        let tokens = q.len().checked_div(width).unwrap_or(0);
        self.operand("q", tokens * width, q)?;
        self.operand("the output of attention", tokens * width, out)?;
        self.room(&shape, position, tokens)?;
        self.operand("keys", shape.bytes(), &cache.keys)?;
        self.operand("values", shape.bytes(), &cache.values)?;
        let Chunks { len: chunk, count: chunks } = shape.chunks(tokens, position + tokens);
        let sums = chunks as usize * tokens * shape.heads * (shape.head_dim + 2);
        if chunks > 1 && workspace.len() < sums {
            crate::slices::same_length("the workspace of attention", sums, workspace.len())?;
        }
        self.operand("the workspace of attention", workspace.len(), workspace)?;
        let stream = self.stream();
        let (q, _q) = q.device_ptr(stream);
        let (keys, _keys) = cache.keys.device_ptr(stream);
        let (values, _values) = cache.values.device_ptr(stream);
        let (to, _to) = out.device_ptr_mut(stream);
        let (sums, _sums) = workspace.device_ptr_mut(stream);
        let args = Attend {
            q,
            keys,
            values,
            out: if chunks > 1 { sums } else { to },
            tokens: tokens as u64,
            position: position as u64,
            context: shape.context as u64,
            chunk,
            chunks,
            kv_heads: shape.kv_heads as u32,
            group: shape.group() as u32,
            head_dim: shape.head_dim as u32,
            scale: 1.0 / (shape.head_dim as f32).sqrt(),
        };
        // SAFETY: as in `rope_store`; the sums of all chunks fit the workspace (checked above).
        unsafe { self.raw().attend(shape.cache, &args) }?;
        if chunks == 1 {
            return Ok(());
        }
        let rows = (tokens * shape.heads) as u64;
        // SAFETY: as above.
        unsafe { self.raw().attend_combine([sums, to], rows, chunks, args.head_dim) }
    }

    /// Whether so many tokens fit a cache from a position on, and this shape's numbers 32 bits.
    fn room(&self, shape: &HeadShape, position: usize, tokens: usize) -> Result<(), Error> {
        let needed = position.saturating_add(tokens);
        if needed > shape.context {
            let (expected, found) = (needed as u64, shape.context as u64);
            return Err(Error::Length { what: "the KV cache", expected, found });
        }
        Ok(())
    }

    /// Rows `ids` of a table as f32, `[ids, width]`. The ids are copied to the beginning of
    /// `there`.
    ///
    /// # Errors
    /// [`Error::Length`] if an id is beyond the table, or lengths or contexts differ; or if the
    /// launch fails.
    pub fn embed(
        &self,
        table: &Embedding,
        ids: &[u32],
        there: &mut CudaSlice<u32>,
        y: &mut dyn DevicePtrMut<f32>,
    ) -> Result<(), Error> {
        self.operand("y", ids.len() * table.width, y)?;
        self.operand("the ids", there.len(), there)?;
        self.operand("the embedding", table.bytes.len(), &table.bytes)?;
        if let Some(&id) = ids.iter().find(|&&id| id as usize >= table.rows) {
            let (expected, found) = (u64::from(id) + 1, table.rows as u64);
            return Err(Error::Length { what: "the embedding", expected, found });
        }
        let mut there = there.try_slice_mut(..ids.len()).ok_or(too_many("tokens"))?;
        let stream = self.stream();
        let copied = stream.memcpy_htod(ids, &mut there);
        copied.map_err(Error::driver("copying tokens to the device"))?;
        let (blocks, _blocks) = table.bytes.device_ptr(stream);
        let (ids_there, _ids) = there.device_ptr_mut(stream);
        let (y, _y) = y.device_ptr_mut(stream);
        let args = Embed {
            table: blocks,
            ids: ids_there,
            y,
            tokens: ids.len() as u64,
            row_bytes: table.row_bytes as u64,
            width: table.width as u32,
            rows: table.rows as u32,
        };
        // SAFETY: as in `rms_norm`; `upload` saw that the table is whole, and the kernel reads no row
        // beyond it.
        unsafe { self.raw().embed(table.entry, &args) }
    }

    /// The index of the largest value, the first of equals, for
    /// [`Marks::take_with_choice`].
    ///
    /// # Errors
    /// If there are no values or more than 32 bits count, contexts differ, or the launch fails.
    pub fn argmax(&self, x: &dyn DevicePtr<f32>, marks: &mut Marks) -> Result<(), Error> {
        self.operand("x", x.len(), x)?;
        let n = u32::try_from(x.len()).ok().filter(|&n| 0 < n && n < u32::MAX);
        let n = n.ok_or(Error::TooLarge(x.len() as u64))?;
        self.operand("marks", marks.words.len(), &marks.words)?;
        let stream = self.stream();
        let (x, _x) = x.device_ptr(stream);
        let (out, _out) = marks.words.device_ptr_mut(stream);
        // SAFETY: as in `rms_norm`; marks have two words before those of the first token.
        unsafe { self.raw().argmax([x, out], n) }
    }
}
