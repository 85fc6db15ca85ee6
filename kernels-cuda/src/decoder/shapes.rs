//! Shapes that the host and the kernels must agree on.

use xielu_kernels_simd::DType;

/// The widest head that the kernels have: a thread for each element.
const WIDEST_HEAD: usize = 256;
/// `POSITIONS` in `cuda/attend.cu`.
const POSITIONS: u64 = 64;
/// `SUMS` and `ROWS` in `cuda/attend.cu`.
const SUMS: u64 = 8;
const ROWS: u64 = 32;
/// Tokens from which on their number alone keeps a device busy: each then sees all positions in
/// one go.
const MANY_TOKENS: u64 = 16;
/// Positions of the smallest chunk, and the most chunks there are.
const MIN_CHUNK: u64 = 128;
const MOST_CHUNKS: u64 = 128;

/// How keys and values are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(usize)]
pub enum CacheType {
    /// `f32`.
    F32 = 0,
    /// bf16.
    BF16 = 1,
    /// f16.
    F16 = 2,
    /// Q8_0: blocks of 32 with an f16 scale.
    Q8_0 = 3,
}

impl CacheType {
    xielu_kernels_simd::every_variant! {
        /// All of them.
        pub const ALL: CacheType = [F32, BF16, F16, Q8_0];
    }

    /// As the CPU's caches call it; `None` if there are no kernels of that type.
    pub const fn of(dtype: DType) -> Option<CacheType> {
        match dtype {
            DType::F32 => Some(CacheType::F32),
            DType::BF16 => Some(CacheType::BF16),
            DType::F16 => Some(CacheType::F16),
            DType::Q8_0 => Some(CacheType::Q8_0),
            _ => None,
        }
    }

    /// Bytes of one position of a head.
    pub const fn row_bytes(self, head_dim: usize) -> usize {
        match self {
            CacheType::F32 => 4 * head_dim,
            CacheType::BF16 | CacheType::F16 => 2 * head_dim,
            CacheType::Q8_0 => head_dim / 32 * 34,
        }
    }
}

/// The heads of a layer and its cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeadShape {
    /// Heads of queries.
    pub heads: usize,
    /// Heads of keys and values; divides `heads`.
    pub kv_heads: usize,
    /// Width of a head; even.
    pub head_dim: usize,
    /// Positions of the cache.
    pub context: usize,
    /// How keys and values are stored.
    pub cache: CacheType,
}

impl HeadShape {
    /// What of the shape the kernels do not have.
    pub const fn problem(&self) -> Option<&'static str> {
        if self.kv_heads == 0 || !self.heads.is_multiple_of(self.kv_heads) || self.heads == 0 {
            return Some("the heads are not a multiple of those of keys and values");
        }
        if self.head_dim == 0 || !self.head_dim.is_multiple_of(2) {
            return Some("head_dim is not even");
        }
        if self.head_dim > WIDEST_HEAD {
            return Some("heads are wider than 256");
        }
        let blocks = matches!(self.cache, CacheType::Q8_0);
        if blocks && !self.head_dim.is_multiple_of(32) {
            return Some("head_dim is not a multiple of 32, as a Q8_0 KV cache asks");
        }
        None
    }

    /// Bytes of the keys of a layer, and of its values.
    pub const fn bytes(&self) -> usize {
        let row = self.cache.row_bytes(self.head_dim);
        row.saturating_mul(self.kv_heads).saturating_mul(self.context)
    }

    /// Heads that share a head of keys and values.
    pub(crate) const fn group(&self) -> usize {
        self.heads / self.kv_heads
    }

    /// What kernels note of one token: the norms, then each head of keys and of values.
    pub(crate) const fn marks(&self) -> usize {
        1 + 2 * self.kv_heads
    }

    /// How `tokens` tokens of which the last sees `positions` are divided.
    pub fn chunks(&self, tokens: usize, positions: usize) -> Chunks {
        let positions = positions as u64;
        if tokens as u64 >= MANY_TOKENS {
            return Chunks { len: positions.next_multiple_of(POSITIONS), count: 1 };
        }
        let len = positions.div_ceil(MOST_CHUNKS).next_multiple_of(POSITIONS).max(MIN_CHUNK);
        Chunks { len, count: positions.div_ceil(len).max(1) }
    }

    /// f32 elements that the sums of chunks take, for batches of up to `batch` tokens.
    pub const fn workspace_len(&self, batch: usize) -> usize {
        let few = if batch < MANY_TOKENS as usize { batch } else { MANY_TOKENS as usize - 1 };
        let chunks = self.context.div_ceil(MIN_CHUNK as usize);
        let most = MOST_CHUNKS as usize;
        let chunks = if chunks < most { chunks } else { most };
        chunks.saturating_mul(few).saturating_mul(self.heads * (self.head_dim + 2))
    }
}

/// Tokens of a block of `attend`, and the blocks that the heads of a group take: `rows_of` in
/// `cuda/attend.cu`.
pub(super) fn tile(head_dim: u64, group: u64) -> (u64, u64) {
    let most = (256 / head_dim * SUMS).min(ROWS);
    let heads = group.min(most);
    (most / heads, group.div_ceil(heads))
}

/// Positions divided among blocks: by the shape alone, so that the order of every sum is too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chunks {
    /// Positions of each, a multiple of 64.
    pub len: u64,
    /// How many there are.
    pub count: u64,
}
