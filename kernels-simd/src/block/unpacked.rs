//! 256 weights as bytes, scales and mins: what every format without kernels of its own becomes on
//! its way to products and to values.

use bytemuck::Pod;

use super::dtype::{QK, QK_K};
use super::input::INPUT_BLOCK;

/// Sub-groups of 16 values in 256.
pub(crate) const HALVES: usize = INPUT_BLOCK / 16;

/// 256 weights: `x[i] = scale * (quant[i] - bias) - min`, with the scale and the min of its 16 values.
#[repr(C, align(64))]
pub(crate) struct Unpacked {
    /// Quants, or codes of [`Unpack::CODES`].
    pub quants: [u8; QK_K],
    /// Pairs of the same in formats that have a scale for 32 values.
    pub scales: [f32; HALVES],
    /// Zeros in formats that have none.
    pub mins: [f32; HALVES],
}

impl Unpacked {
    pub const ZERO: Self =
        Unpacked { quants: [0; QK_K], scales: [0.0; HALVES], mins: [0.0; HALVES] };

    /// What a missing block leaves.
    #[inline(always)]
    pub fn clear(&mut self) {
        (self.scales, self.mins) = ([0.0; HALVES], [0.0; HALVES]);
    }
}

/// How a weight format becomes [`Unpacked`].
pub(crate) trait Unpack: Pod {
    /// Bytes of 256 values.
    const CHUNK: usize = size_of::<Self>();
    /// Subtracted from every quant.
    const BIAS: u8;
    /// Largest quant.
    const LARGEST: u8;
    /// The quants of 4-bit codes, if it is codes that blocks hold. Instruction sets that look sixteen
    /// bytes up at once do so after [`Unpack::unpack`].
    const CODES: Option<&'static [u8; 16]> = None;
    /// Whether scales and mins are for 16 values instead of 32.
    const HALVES: bool = false;
    /// Whether there are mins.
    const MINS: bool = false;

    /// Unpacks up to 256 values; what is missing is zero.
    fn unpack(blocks: &[Self], out: &mut Unpacked);
}

/// The bias that products have in formats of few bits.
const FEW_BITS: u8 = 16;
/// That of bytes.
const BYTES: u8 = 128;

/// A format for products: the bias of its quants is one of two. 16 goes with quants below 48.
#[derive(Clone, Copy)]
pub(crate) struct Format {
    unpack: UnpackFn,
    /// Bytes of 256 values.
    pub chunk: usize,
    /// Whether the bias is 128 instead of 16.
    pub bytes: bool,
    /// As [`Unpack::HALVES`].
    pub halves: bool,
    /// As [`Unpack::MINS`].
    pub mins: bool,
}

/// Unpacks up to 256 values for products, from whole blocks.
///
/// # Safety
/// This machine runs the instruction set of the function.
pub(crate) type UnpackFn = unsafe fn(blocks: &[u8], out: &mut Unpacked);

impl Format {
    /// # Safety
    /// This machine runs the instruction set of `unpack`, which is [`for_products`] of `B`.
    pub const unsafe fn new<B: Unpack>(unpack: UnpackFn) -> Self {
        let (bytes, halves, mins) = (is_bytes::<B>(), B::HALVES, B::MINS);
        Format { unpack, chunk: B::CHUNK, bytes, halves, mins }
    }

    /// Chunk number `i` of a row.
    #[inline(always)]
    pub fn unpack(&self, row: &[u8], i: usize, out: &mut Unpacked) {
        let end = row.len().min((i + 1) * self.chunk);
        let blocks = row.get(i * self.chunk..end).unwrap_or_default();
        // SAFETY: `Format::new` was promised that this machine runs the instruction set.
        unsafe { (self.unpack)(blocks, out) }
    }

    /// The bias of the quants.
    #[inline(always)]
    pub const fn bias(&self) -> u8 {
        if self.bytes { BYTES } else { FEW_BITS }
    }
}

/// Whether quants have a bias of 128.
const fn is_bytes<B: Unpack>() -> bool {
    B::LARGEST - B::BIAS > 31 || B::BIAS > FEW_BITS
}

/// How an instruction set looks bytes up.
pub(crate) trait LookUp {
    /// Replaces codes below 16 by what `table` has for them.
    fn look_up(self, table: &[u8; 16], codes: &mut [u8; QK_K]);
}

/// One byte at a time.
pub(crate) struct OneByOne;

impl LookUp for OneByOne {
    #[inline(always)]
    fn look_up(self, table: &[u8; 16], codes: &mut [u8; QK_K]) {
        for code in codes {
            *code = table.get(usize::from(*code & 15)).copied().unwrap_or(0);
        }
    }
}

/// [`UnpackFn`] of a format, for an instruction set to compile.
#[inline(always)]
pub(crate) fn for_products<B: Unpack>(blocks: &[u8], out: &mut Unpacked, isa: impl LookUp) {
    B::unpack(bytemuck::try_cast_slice(blocks).unwrap_or_default(), out);
    if let Some(codes) = B::CODES {
        isa.look_up(codes, &mut out.quants);
    }
    let more = if is_bytes::<B>() { BYTES - B::BIAS } else { FEW_BITS.wrapping_sub(B::BIAS) };
    if more != 0 {
        for q in &mut out.quants {
            *q = q.wrapping_add(more);
        }
    }
}

/// The values of some blocks that are no more than 256 values.
#[inline(always)]
pub(super) fn write<B: Unpack>(blocks: &[B], out: &mut [f32]) {
    let mut unpacked = Unpacked::ZERO;
    B::unpack(blocks, &mut unpacked);
    if let Some(codes) = B::CODES {
        OneByOne.look_up(codes, &mut unpacked.quants);
    }
    let groups = out.chunks_mut(16).zip(unpacked.quants.chunks(16));
    for ((out, quants), (scale, min)) in groups.zip(unpacked.scales.iter().zip(&unpacked.mins)) {
        for (out, &q) in out.iter_mut().zip(quants) {
            let value = scale * f32::from(i16::from(q) - i16::from(B::BIAS));
            *out = if B::MINS { value - min } else { value };
        }
    }
}

/// A bit of `byte` in each of eight bytes, the lowest first.
#[inline(always)]
pub(super) const fn spread_bits(byte: u8) -> u64 {
    let bits = u64::from_le_bytes([byte; 8]) & 0x8040_2010_0804_0201;
    // A byte that is not zero carries into its highest bit.
    (bits + 0x7f7f_7f7f_7f7f_7f7f) >> 7 & 0x0101_0101_0101_0101
}

/// Low nibbles, then high ones: 32 bytes as four words, which become one vector where there is one of
/// 32 bytes. (Halves stored apart and then loaded together would wait for each other.)
#[inline(always)]
pub(super) fn nibble_words(qs: &[u8; QK / 2]) -> [u64; 4] {
    let mut words = [0; 4];
    for (i, word) in words.iter_mut().enumerate() {
        let bytes = qs.as_chunks().0.get(i % 2).copied().unwrap_or([0; 8]);
        *word = u64::from_le_bytes(bytes) >> (i / 2 * 4) & u64::from_le_bytes([15; 8]);
    }
    words
}

/// [`nibble_words`] as bytes.
#[inline(always)]
pub(super) fn nibbles(qs: &[u8; QK / 2], out: &mut [u8; QK]) {
    *out = bytemuck::cast(nibble_words(qs).map(u64::to_le));
}

/// The 2-bit numbers of 64 bytes: of each 32 bytes the lowest bits of all, then the next ones.
#[inline(always)]
pub(super) fn quarters(qs: &[u8; QK_K / 4], out: &mut [u8; QK_K]) {
    for (out, qs) in out.as_chunks_mut::<128>().0.iter_mut().zip(qs.as_chunks::<32>().0) {
        for (j, out) in out.as_chunks_mut::<32>().0.iter_mut().enumerate() {
            for (out, q) in out.iter_mut().zip(qs) {
                *out = q >> (2 * j) & 3;
            }
        }
    }
}

/// A format of 32 values, for [`small`].
pub(super) trait Small {
    /// The quants (or codes), the scale and the min.
    fn unpack_32(&self, quants: &mut [u8; QK]) -> [f32; 2];
}

/// [`Unpack::unpack`] of a format of 32 values.
#[inline(always)]
pub(super) fn small<B: Small>(blocks: &[B], out: &mut Unpacked) {
    if blocks.len() < INPUT_BLOCK / QK {
        out.clear();
    }
    let numbers = out.scales.as_chunks_mut().0.iter_mut().zip(out.mins.as_chunks_mut().0);
    let places = out.quants.as_chunks_mut().0.iter_mut().zip(numbers);
    for (block, (quants, (scales, mins))) in blocks.iter().zip(places) {
        let [scale, min] = block.unpack_32(quants);
        (*scales, *mins) = ([scale; 2], [min; 2]);
    }
}

/// Implements [`Unpack`] for a format of 32 values.
macro_rules! unpack_small {
    ($block:ident, { $($constant:tt)* }) => {
        impl $crate::block::unpacked::Unpack for $block {
            const CHUNK: usize = $crate::block::GROUPS * size_of::<$block>();
            $($constant)*

            #[inline(always)]
            fn unpack(blocks: &[Self], out: &mut $crate::block::unpacked::Unpacked) {
                $crate::block::unpacked::small(blocks, out);
            }
        }
    };
}
pub(super) use unpack_small;

/// Implements [`Unpack`] for a format of 256 values. `$unpack` is given one block.
macro_rules! unpack_large {
    ($block:ident, $unpack:expr, { $($constant:tt)* }) => {
        impl $crate::block::unpacked::Unpack for $block {
            $($constant)*

            #[inline(always)]
            fn unpack(blocks: &[Self], out: &mut $crate::block::unpacked::Unpacked) {
                match blocks.first() {
                    Some(block) => $unpack(block, out),
                    None => out.clear(),
                }
            }
        }
    };
}
pub(super) use unpack_large;

/// Adds the method that gives a block's values.
macro_rules! dequantize {
    ($($block:ident: $len:expr),+ $(,)?) => { $(
        impl $block {
            /// The values.
            pub fn dequantize(&self) -> [f32; $len] {
                let mut out = [0.0; $len];
                $crate::block::unpacked::write(core::slice::from_ref(self), &mut out);
                out
            }
        }
    )+ };
}
pub(super) use dequantize;
