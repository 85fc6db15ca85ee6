//! Calls of a decoder's kernels on one machine's memory.

use xielu::kernels::{DType, Matrix, Shape};
use xielu_kernels_cuda::decoder::{
    Attend, CacheType, Chunks, EMBEDDED, Embed, HeadShape, RmsNorm, RopeStore,
};

use crate::support::*;

/// The type as the CPU calls it.
pub fn stored(cache: CacheType) -> DType {
    match cache {
        CacheType::F32 => DType::F32,
        CacheType::BF16 => DType::BF16,
        CacheType::F16 => DType::F16,
        CacheType::Q8_0 => DType::Q8_0,
    }
}

/// Rows of `dim` values in a cache's type.
pub fn encoded(cache: CacheType, dim: usize, values: &[f32]) -> Vec<u8> {
    let bytes = cache.row_bytes(dim);
    let mut out = vec![0; values.len() / dim * bytes];
    for (row, out) in values.chunks_exact(dim).zip(out.chunks_exact_mut(bytes)) {
        xielu::quant::encode_row(stored(cache), row, out).unwrap();
    }
    out
}

/// The values of rows as they are stored.
pub fn decoded(dtype: DType, dim: usize, bytes: &[u8]) -> Vec<f32> {
    let rows = bytes.len() / dtype.row_bytes(dim).unwrap();
    let matrix = Matrix::new(dtype, Shape { rows, cols: dim }, bytes).unwrap();
    let mut out = vec![0.0; rows * dim];
    for (row, out) in out.chunks_exact_mut(dim).enumerate() {
        assert!(matrix.row(row).unwrap().dequantize(out));
    }
    out
}

/// Normalised rows, and what was noted; every third word is a row's.
pub fn rms_norm(machine: &Machine, x: &[f32], weight: &[f32], noted: &[u32]) -> Noted<f32> {
    let rows = x.len() / weight.len();
    let [x, weight] = [x, weight].map(|v| machine.copy(v, 0));
    let y = machine.copy(&vec![7.0f32; x.read::<f32>().len()], 0);
    let noted = machine.copy(noted, 0);
    let args = RmsNorm {
        x: x.address(),
        weight: weight.address(),
        y: y.address(),
        noted: noted.address(),
        rows: rows as u64,
        width: weight.read::<f32>().len() as u32,
        stride: 3,
        eps: 1e-5,
        code: 9,
    };
    // SAFETY: the buffers are as long as the struct says and outlive `read`, which waits.
    unsafe { machine.raw(2).rms_norm(&args) }.unwrap();
    (y.read(), noted.read())
}

pub type Noted<T> = (Vec<T>, Vec<u32>);

/// What `rope_store` takes besides the queries, keys and values.
#[derive(Clone, Debug)]
pub struct Rope {
    pub shape: HeadShape,
    pub position: usize,
    pub interleaved: bool,
    /// Weights of queries, then of keys.
    pub norms: Option<[Vec<f32>; 2]>,
    pub table: Vec<f32>,
}

/// The queries, the bytes of keys and of values, and what was noted.
pub fn rope_store(
    machine: &Machine,
    rope: &Rope,
    [q, k, v]: [&[f32]; 3],
) -> (Vec<f32>, [Vec<u8>; 2], Vec<u32>) {
    let shape = &rope.shape;
    let tokens = k.len() / (shape.kv_heads * shape.head_dim);
    let stride = 1 + 2 * shape.kv_heads;
    let [q, k, v] = [q, k, v].map(|v| machine.copy(v, 0));
    let table = machine.copy(&rope.table, 0);
    let norms = rope.norms.as_ref().map(|n| n.each_ref().map(|w| machine.copy(w, 0)));
    let [keys, values] = [(); 2].map(|()| machine.copy(&vec![0x11u8; shape.bytes()], 0));
    let noted = machine.copy(&vec![0u32; tokens * stride], 0);
    let norm = |which: usize| norms.as_ref().map_or(0, |n| n[which].address());
    let args = RopeStore {
        q: q.address(),
        k: k.address(),
        v: v.address(),
        q_norm: norm(0),
        k_norm: norm(1),
        table: table.address(),
        keys: keys.address(),
        values: values.address(),
        noted: noted.address(),
        tokens: tokens as u64,
        position: rope.position as u64,
        context: shape.context as u64,
        heads: shape.heads as u32,
        kv_heads: shape.kv_heads as u32,
        head_dim: shape.head_dim as u32,
        interleaved: rope.interleaved.into(),
        stride: stride as u32,
        eps: 1e-5,
        code: 5,
        code_stored: 6,
    };
    // SAFETY: as above.
    unsafe { machine.raw(3).rope_store(shape.cache, &args) }.unwrap();
    (q.read(), [keys.read(), values.read()], noted.read())
}

/// Attention over encoded keys and values, in chunks as `chunks` says.
pub fn attend(
    machine: &Machine,
    shape: &HeadShape,
    position: usize,
    q: &[f32],
    [keys, values]: [&[u8]; 2],
    chunks: Chunks,
) -> Vec<f32> {
    let width = shape.heads * shape.head_dim;
    let tokens = q.len() / width;
    let rows = tokens * shape.heads;
    let sums = chunks.count as usize * rows * (shape.head_dim + 2);
    let q = machine.copy(q, 0);
    let [keys, values] = [keys, values].map(|bytes| machine.copy(bytes, 0));
    let out = machine.copy(&vec![7.0f32; tokens * width], 0);
    let partial = machine.copy(&vec![7.0f32; sums], 0);
    let several = chunks.count > 1;
    let args = Attend {
        q: q.address(),
        keys: keys.address(),
        values: values.address(),
        out: if several { partial.address() } else { out.address() },
        tokens: tokens as u64,
        position: position as u64,
        context: shape.context as u64,
        chunk: chunks.len,
        chunks: chunks.count,
        kv_heads: shape.kv_heads as u32,
        group: (shape.heads / shape.kv_heads) as u32,
        head_dim: shape.head_dim as u32,
        scale: 1.0 / (shape.head_dim as f32).sqrt(),
    };
    let raw = machine.raw(5);
    // SAFETY: as above.
    unsafe { raw.attend(shape.cache, &args) }.unwrap();
    if several {
        let addresses = [partial.address(), out.address()];
        let dim = shape.head_dim as u32;
        // SAFETY: as above.
        unsafe { raw.attend_combine(addresses, rows as u64, chunks.count, dim) }.unwrap();
    }
    out.read()
}

pub fn embed(machine: &Machine, dtype: DType, width: usize, table: &[u8], ids: &[u32]) -> Vec<f32> {
    let row_bytes = dtype.row_bytes(width).unwrap();
    let rows = table.len() / row_bytes;
    let table = machine.copy(table, 0);
    let ids_there = machine.copy(ids, 0);
    let y = machine.copy(&vec![7.0f32; ids.len() * width], 0);
    let args = Embed {
        table: table.address(),
        ids: ids_there.address(),
        y: y.address(),
        tokens: ids.len() as u64,
        row_bytes: row_bytes as u64,
        width: width as u32,
        rows: rows as u32,
    };
    let entry = EMBEDDED.iter().position(|&known| known == dtype).unwrap();
    // SAFETY: as above.
    unsafe { machine.raw(2).embed(entry, &args) }.unwrap();
    y.read()
}

pub fn argmax(machine: &Machine, x: &[f32]) -> [u32; 2] {
    let n = x.len() as u32;
    let x = machine.copy(x, 0);
    let out = machine.copy(&[7u32, 7], 0);
    // SAFETY: as above.
    unsafe { machine.raw(2).argmax([x.address(), out.address()], n) }.unwrap();
    let out = out.read();
    [out[0], out[1]]
}
