//! The kernels of a decoder on addresses.

use super::shapes::{CacheType, tile};
use crate::raw::buffer;
use crate::{Error, Kernel, Launch, Raw};

/// Operands of [`Raw::rms_norm`]: `RmsNormArgs` in `cuda/rms_norm.cu`.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct RmsNorm {
    /// `[rows, width]`, f32.
    pub x: u64,
    /// `[width]`, f32.
    pub weight: u64,
    /// Like `x`; not `x`.
    pub y: u64,
    /// Of each row a u32, `stride` of them apart: where `code` is noted, if nothing was, when the
    /// squares of the row have no finite sum.
    pub noted: u64,
    /// Vectors.
    pub rows: u64,
    /// Values of each.
    pub width: u32,
    /// See `noted`.
    pub stride: u32,
    /// Added to the mean square.
    pub eps: f32,
    /// See `noted`.
    pub code: u32,
}

/// Operands of [`Raw::rope_store`]: `RopeStoreArgs` in `cuda/rope_store.cu`.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct RopeStore {
    /// `[tokens, heads * head_dim]`, f32, rotated in place.
    pub q: u64,
    /// `[tokens, kv_heads * head_dim]`, f32.
    pub k: u64,
    /// Like `k`.
    pub v: u64,
    /// Weights of the norm of each head of queries, `[head_dim]`, f32; 0 without.
    pub q_norm: u64,
    /// The same of keys.
    pub k_norm: u64,
    /// Cosines, then sines, of every position, `[context, head_dim]`, f32.
    pub table: u64,
    /// `[kv_heads, context, head_dim]` in the cache's type.
    pub keys: u64,
    /// Like `keys`.
    pub values: u64,
    /// Of each token `stride` u32: one for every head that is stored, keys before values, from the
    /// second on.
    pub noted: u64,
    /// Tokens.
    pub tokens: u64,
    /// Position of the first one; with `tokens` at most `context`.
    pub position: u64,
    /// Positions of the cache and of the table.
    pub context: u64,
    /// Heads of queries.
    pub heads: u32,
    /// Heads of keys and values.
    pub kv_heads: u32,
    /// Width of a head.
    pub head_dim: u32,
    /// Whether elements `2i` and `2i + 1` are a pair (1), or `i` and `i + head_dim/2` (0).
    pub interleaved: u32,
    /// See `noted`; at least `1 + 2 * kv_heads`.
    pub stride: u32,
    /// Added to the mean square of a head.
    pub eps: f32,
    /// Noted for a key or value that is not finite.
    pub code: u32,
    /// Noted for one that is not finite as it is stored.
    pub code_stored: u32,
}

/// Operands of [`Raw::attend`]: `AttendArgs` in `cuda/attend.cu`.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct Attend {
    /// `[tokens, heads * head_dim]`, f32.
    pub q: u64,
    /// `[kv_heads, context, head_dim]` in the cache's type.
    pub keys: u64,
    /// Like `keys`.
    pub values: u64,
    /// Like `q`; with several chunks `[chunks, tokens, heads, head_dim + 2]`, f32.
    pub out: u64,
    /// Tokens.
    pub tokens: u64,
    /// Position of the first one, which sees itself and all before it.
    pub position: u64,
    /// Positions of the cache.
    pub context: u64,
    /// Positions of a chunk.
    pub chunk: u64,
    /// Chunks.
    pub chunks: u64,
    /// Heads of keys and values.
    pub kv_heads: u32,
    /// Heads of queries that share one.
    pub group: u32,
    /// Width of a head.
    pub head_dim: u32,
    /// What scores are multiplied by.
    pub scale: f32,
}

/// `CombineArgs` in `cuda/attend.cu`.
#[repr(C)]
struct Combine {
    sums: u64,
    out: u64,
    rows: u64,
    chunks: u64,
    head_dim: u32,
}

/// Operands of [`Raw::embed`]: `EmbedArgs` in `cuda/embed.cu`.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct Embed {
    /// Blocks, row by row.
    pub table: u64,
    /// `[tokens]`, u32.
    pub ids: u64,
    /// `[tokens, width]`, f32.
    pub y: u64,
    /// Tokens.
    pub tokens: u64,
    /// Bytes of a row of the table.
    pub row_bytes: u64,
    /// Values of a row.
    pub width: u32,
    /// Rows of the table; an id beyond them gives the first one.
    pub rows: u32,
}

#[repr(C)]
struct Argmax {
    x: u64,
    out: u64,
    n: u32,
}

/// Checks f32 or u32 buffers: neither null nor misaligned.
fn check<const N: usize>(all: [(&'static str, u64, u64); N]) -> Result<(), Error> {
    all.into_iter().try_for_each(|(name, address, n)| buffer(name, address, n, 4, 4).map(drop))
}

/// Checks keys and values: as `check`, on the boundaries of their elements.
fn check_cache(cache: CacheType, all: [(&'static str, u64); 2], n: u64) -> Result<(), Error> {
    let (size, align) = match cache {
        CacheType::F32 => (4, 4),
        CacheType::BF16 | CacheType::F16 => (2, 2),
        CacheType::Q8_0 => (2, 2),
    };
    all.into_iter().try_for_each(|(name, at)| buffer(name, at, n, size, align).map(drop))
}

impl<L: Launch> Raw<L> {
    /// `y[i] = x[i] * weight[i] / sqrt(mean(x^2) + eps)` of each row.
    ///
    /// # Errors
    /// If an address is null or misaligned, or the launch fails.
    ///
    /// # Safety
    /// See [`Raw`].
    pub unsafe fn rms_norm(&self, a: &RmsNorm) -> Result<(), Error> {
        let n = a.rows.saturating_mul(a.width.into());
        if n == 0 {
            return Ok(());
        }
        check([("x", a.x, n), ("y", a.y, n), ("weight", a.weight, a.width.into())])?;
        check([("noted", a.noted, a.rows.saturating_mul(a.stride.into()))])?;
        // SAFETY: the struct is this kernel's; the caller vouches for the addresses.
        unsafe { self.run(Kernel::RmsNorm, 0, a.rows, a) }
    }

    /// Normalises (if there are weights) and rotates each head of queries and keys, and stores keys
    /// and values at their positions.
    ///
    /// # Errors
    /// As [`Raw::rms_norm`].
    ///
    /// # Safety
    /// See [`Raw`]; the shape is one that `HeadShape::problem` finds nothing in.
    pub unsafe fn rope_store(&self, cache: CacheType, a: &RopeStore) -> Result<(), Error> {
        if a.tokens == 0 {
            return Ok(());
        }
        let [q, kv, context] = [a.heads, a.kv_heads, 1].map(|heads| u64::from(heads * a.head_dim));
        check([("q", a.q, a.tokens * q), ("k", a.k, a.tokens * kv), ("v", a.v, a.tokens * kv)])?;
        check([("table", a.table, a.context * context), ("noted", a.noted, a.tokens)])?;
        check_cache(cache, [("keys", a.keys), ("values", a.values)], a.context * kv)?;
        let units = a.tokens * u64::from(a.heads + 2 * a.kv_heads);
        // SAFETY: the struct is this kernel's; the caller vouches for the addresses.
        unsafe { self.run(Kernel::RopeStore, cache as usize, units, a) }
    }

    /// Attention of each token over the positions up to its own.
    ///
    /// # Errors
    /// As [`Raw::rms_norm`].
    ///
    /// # Safety
    /// As [`Raw::rope_store`].
    pub unsafe fn attend(&self, cache: CacheType, a: &Attend) -> Result<(), Error> {
        if a.tokens == 0 {
            return Ok(());
        }
        let q = a.tokens * u64::from(a.kv_heads * a.group * a.head_dim);
        check([("q", a.q, q), ("out", a.out, q)])?;
        let kv = a.context * u64::from(a.kv_heads * a.head_dim);
        check_cache(cache, [("keys", a.keys), ("values", a.values)], kv)?;
        let (tokens, parts) = tile(a.head_dim.into(), a.group.into());
        let units = a.tokens.div_ceil(tokens) * u64::from(a.kv_heads) * parts * a.chunks;
        // SAFETY: the struct is this kernel's; the caller vouches for the addresses.
        unsafe { self.run(Kernel::Attend, cache as usize, units, a) }
    }

    /// The chunks that [`Raw::attend`] left at `sums` to `[rows, head_dim]` at `out`.
    ///
    /// # Errors
    /// As [`Raw::rms_norm`].
    ///
    /// # Safety
    /// See [`Raw`].
    pub unsafe fn attend_combine(
        &self,
        [sums, out]: [u64; 2],
        rows: u64,
        chunks: u64,
        head_dim: u32,
    ) -> Result<(), Error> {
        if rows == 0 {
            return Ok(());
        }
        let n = rows * u64::from(head_dim);
        check([("out", out, n), ("sums", sums, chunks * (n + 2 * rows))])?;
        let args = Combine { sums, out, rows, chunks, head_dim };
        // SAFETY: the struct is this kernel's; the caller vouches for the addresses.
        unsafe { self.run(Kernel::Attend, CacheType::ALL.len(), rows, &args) }
    }

    /// Rows of a table as f32. `entry` is the type's place in [`EMBEDDED`](super::EMBEDDED).
    ///
    /// # Errors
    /// As [`Raw::rms_norm`].
    ///
    /// # Safety
    /// See [`Raw`].
    pub unsafe fn embed(&self, entry: usize, a: &Embed) -> Result<(), Error> {
        let n = a.tokens.saturating_mul(a.width.into());
        if n == 0 {
            return Ok(());
        }
        check([("ids", a.ids, a.tokens), ("y", a.y, n)])?;
        buffer("table", a.table, a.row_bytes.saturating_mul(a.rows.into()), 1, 4)?;
        let units = a.tokens * u64::from(a.width.div_ceil(256));
        // SAFETY: the struct is this kernel's; the caller vouches for the addresses.
        unsafe { self.run(Kernel::Embed, entry, units, a) }
    }

    /// The index of the largest of `n` f32 at `x` (the first of equals; `n` if none is above minus
    /// infinity) to the u32 at `out`; to the one after it 1 + the index of the first value that is
    /// not finite, or 0.
    ///
    /// # Errors
    /// As [`Raw::rms_norm`].
    ///
    /// # Safety
    /// See [`Raw`].
    pub unsafe fn argmax(&self, [x, out]: [u64; 2], n: u32) -> Result<(), Error> {
        check([("x", x, n.into()), ("out", out, 2)])?;
        let args = Argmax { x, out, n };
        // SAFETY: the struct is this kernel's; the caller vouches for the addresses.
        unsafe { self.run(Kernel::Argmax, 0, 1, &args) }
    }
}
