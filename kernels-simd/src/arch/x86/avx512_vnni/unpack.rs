//! Weight blocks to bytes and scales, in 512-bit vectors.

#![allow(non_camel_case_types)] // the formats' names

use core::arch::x86_64::*;

use super::dot::{each_twice, load_pair};
use crate::arch::x86::avx2::unpack::floats;
use crate::block::{
    BlockQ4_0, BlockQ4_K, BlockQ5_K, BlockQ6_K, BlockQ8_0, F16, GROUPS, InputBlock, QK,
    unpack_scales,
};
use crate::generic::gemv::{chunks_of_256, chunks_of_groups};

/// Calls an intrinsic of AVX-512 F, BW, DQ, VL or VNNI.
macro_rules! vnni {
    ($call:expr) => {
        // SAFETY: called only below methods of `Rows`, which holds an `Avx512Vnni`; that exists
        // only where the machine runs these features, and the methods are inlined into functions
        // enabling them.
        unsafe { $call }
    };
}
pub(super) use vnni;

/// What weights add to every product besides their quants': `scale * (by . sums)` for each group
/// of 32, `sums` being the input's.
pub(super) struct Offsets {
    /// For each 16 values.
    pub by: __m256i,
    /// For each group of 32.
    pub scale: __m256,
}

/// How 256 weights become unsigned bytes and scales.
pub(super) trait Unpack {
    /// As the format stores it.
    type Block: Copy;
    /// 256 weights.
    type Chunk;

    /// As [`crate::generic::gemv::ChunkDot::chunks`].
    fn chunks(w: &[Self::Block]) -> (&[Self::Chunk], &[Self::Block]);
    /// As [`crate::generic::gemv::ChunkDot::padded`].
    fn padded(rest: &[Self::Block]) -> Option<Self::Chunk>;
    /// What every byte of [`Unpack::block`] has too much.
    const BIAS: i16 = 0;
    /// Scale, in every lane, and bytes of one block, if it has 32 values.
    #[inline(always)]
    fn block(_: &Self::Block) -> Option<(__m256, __m256i)> {
        None
    }
    /// The scale of each 16 values.
    fn scales(w: &Self::Chunk) -> __m512;
    /// `scales` are those of [`Unpack::scales`].
    fn offsets(w: &Self::Chunk, scales: __m512) -> Offsets;
    /// 64 values as bytes, `i` below 4: those of [`Unpack::input`].
    fn quad(w: &Self::Chunk, i: usize) -> __m512i;
    /// Whether vectors 0 and 1, and 2 and 3, belong to the same scales.
    const JOINED: bool = false;
    /// Where the scales of vector `i` are, of each 16 values.
    #[inline(always)]
    fn lanes(i: usize) -> __m512i {
        vnni!({
            let first = _mm512_set1_epi32(4 * i as i32);
            let lanes = _mm512_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3);
            _mm512_add_epi32(first, lanes)
        })
    }
    /// What vector `i` meets.
    #[inline(always)]
    fn input(x: &InputBlock, i: usize) -> __m512i {
        load_pair(x, i)
    }
}

/// 32 bytes a block.
pub(super) struct Q8_0;

impl Unpack for Q8_0 {
    chunks_of_groups!(BlockQ8_0, BlockQ8_0::ZERO);

    const BIAS: i16 = 128;
    #[inline(always)]
    fn block(w: &BlockQ8_0) -> Option<(__m256, __m256i)> {
        let signed = load_bytes(&w.qs);
        Some((widen_one(w.d), vnni!(_mm256_xor_si256(signed, _mm256_set1_epi8(i8::MIN)))))
    }
    #[inline(always)]
    fn scales(w: &Self::Chunk) -> __m512 {
        let mut d = [0; GROUPS];
        for (d, w) in d.iter_mut().zip(w) {
            *d = i16::from_le_bytes(w.d.0);
        }
        widen(d)
    }
    #[inline(always)]
    fn offsets(_: &Self::Chunk, scales: __m512) -> Offsets {
        Offsets { by: vnni!(_mm256_set1_epi16(-128)), scale: every_second(scales) }
    }
    #[inline(always)]
    fn quad(w: &Self::Chunk, i: usize) -> __m512i {
        let low = load_bytes(&w[2 * i % GROUPS].qs);
        let high = load_bytes(&w[(2 * i + 1) % GROUPS].qs);
        vnni!({
            let signed = _mm512_inserti64x4::<1>(_mm512_castsi256_si512(low), high);
            _mm512_xor_si512(signed, _mm512_set1_epi8(i8::MIN))
        })
    }
}

/// 32 nibbles a block, each less 8.
pub(super) struct Q4_0;

impl Unpack for Q4_0 {
    chunks_of_groups!(BlockQ4_0, BlockQ4_0 { d: F16([0; 2]), qs: [0; QK / 2] });

    const BIAS: i16 = 8;
    #[inline(always)]
    fn block(w: &BlockQ4_0) -> Option<(__m256, __m256i)> {
        let low = load16(&w.qs);
        let both = vnni!(_mm256_set_m128i(_mm_srli_epi16::<4>(low), low));
        Some((widen_one(w.d), vnni!(_mm256_and_si256(both, _mm256_set1_epi8(15)))))
    }
    /// Every ninth word of a chunk's first 128 bytes.
    #[inline(always)]
    fn scales(w: &Self::Chunk) -> __m512 {
        let p = w.as_ptr().cast::<__m512i>();
        // SAFETY: the chunk has 144 bytes.
        let (a, b) = unsafe { (_mm512_loadu_si512(p), _mm512_loadu_si512(p.add(1))) };
        vnni!({
            let index = _mm512_castsi128_si512(_mm_setr_epi16(0, 9, 18, 27, 36, 45, 54, 63));
            let halves = _mm512_permutex2var_epi16(a, index, b);
            each_twice(_mm256_cvtph_ps(_mm512_castsi512_si128(halves)))
        })
    }
    #[inline(always)]
    fn offsets(_: &Self::Chunk, scales: __m512) -> Offsets {
        Offsets { by: vnni!(_mm256_set1_epi16(-8)), scale: every_second(scales) }
    }
    /// The low nibbles of four blocks, then their high ones.
    const JOINED: bool = true;
    #[inline(always)]
    fn quad(w: &Self::Chunk, i: usize) -> __m512i {
        let first = i / 2 % 2 * 4;
        let [a, b, c, d] = [&w[first], &w[first + 1], &w[first + 2], &w[first + 3]];
        let both = vnni!({
            let v = _mm512_castsi128_si512(load16(&a.qs));
            let v = _mm512_inserti32x4::<1>(v, load16(&b.qs));
            let v = _mm512_inserti32x4::<2>(v, load16(&c.qs));
            _mm512_inserti32x4::<3>(v, load16(&d.qs))
        });
        vnni!({
            let shifted = if i.is_multiple_of(2) { both } else { _mm512_srli_epi16::<4>(both) };
            _mm512_and_si512(shifted, _mm512_set1_epi8(15))
        })
    }
    #[inline(always)]
    fn lanes(i: usize) -> __m512i {
        vnni!({
            let first = _mm512_set1_epi32(4 * i as i32);
            let lanes = _mm512_setr_epi32(0, 0, 0, 0, 2, 2, 2, 2, 4, 4, 4, 4, 6, 6, 6, 6);
            _mm512_add_epi32(first, lanes)
        })
    }
    #[inline(always)]
    fn input(x: &InputBlock, i: usize) -> __m512i {
        let first = i / 2 * 2;
        let [a, b] = [load_pair(x, first), load_pair(x, first + 1)];
        vnni!(if i.is_multiple_of(2) {
            _mm512_shuffle_i64x2::<0b10_00_10_00>(a, b)
        } else {
            _mm512_shuffle_i64x2::<0b11_01_11_01>(a, b)
        })
    }
}

/// Shifts four 16-bit lanes by 4.
const L4: i64 = 0x0004_0004_0004_0004;
/// Shifts four 16-bit lanes by 2.
const L2: i64 = 0x0002_0002_0002_0002;

/// 256 nibbles, with mins.
pub(super) struct Q4_K;

impl Unpack for Q4_K {
    chunks_of_256!(BlockQ4_K);

    #[inline(always)]
    fn scales(w: &BlockQ4_K) -> __m512 {
        small_scales(floats(w.d, w.dmin)[0], &w.scales)
    }
    #[inline(always)]
    fn offsets(w: &BlockQ4_K, _: __m512) -> Offsets {
        mins(floats(w.d, w.dmin)[1], &w.scales)
    }
    #[inline(always)]
    fn quad(w: &BlockQ4_K, i: usize) -> __m512i {
        nibbles(&w.qs, i)
    }
}

/// 256 values of 5 bits, with mins.
pub(super) struct Q5_K;

impl Unpack for Q5_K {
    chunks_of_256!(BlockQ5_K);

    #[inline(always)]
    fn scales(w: &BlockQ5_K) -> __m512 {
        small_scales(floats(w.d, w.dmin)[0], &w.scales)
    }
    #[inline(always)]
    fn offsets(w: &BlockQ5_K, _: __m512) -> Offsets {
        mins(floats(w.d, w.dmin)[1], &w.scales)
    }
    #[inline(always)]
    fn quad(w: &BlockQ5_K, i: usize) -> __m512i {
        let low = nibbles(&w.qs, i);
        let high = load32(&w.qh);
        vnni!({
            // Group g has bit g.
            let bits = _mm512_inserti64x4::<1>(
                _mm512_set1_epi8((1u8 << (2 * i % 8)).cast_signed()),
                _mm256_set1_epi8((2u8 << (2 * i % 8)).cast_signed()),
            );
            let set = _mm512_test_epi8_mask(_mm512_broadcast_i64x4(high), bits);
            _mm512_mask_add_epi8(low, set, low, _mm512_set1_epi8(16))
        })
    }
}

/// 256 values of 6 bits, each less 32, a scale for each 16.
pub(super) struct Q6_K;

impl Unpack for Q6_K {
    chunks_of_256!(BlockQ6_K);

    #[inline(always)]
    fn scales(w: &BlockQ6_K) -> __m512 {
        let [d, _] = floats(w.d, w.d);
        vnni!({
            let scales = _mm512_cvtepi8_epi32(load_scales(&w.scales));
            _mm512_mul_ps(_mm512_cvtepi32_ps(scales), _mm512_set1_ps(d))
        })
    }
    #[inline(always)]
    fn offsets(w: &BlockQ6_K, _: __m512) -> Offsets {
        let [d, _] = floats(w.d, w.d);
        vnni!(Offsets {
            by: _mm256_cvtepi8_epi16(load_scales(&w.scales)),
            scale: _mm256_set1_ps(-32.0 * d),
        })
    }
    #[inline(always)]
    fn quad(w: &BlockQ6_K, i: usize) -> __m512i {
        let half = i / 2 % 2;
        let low = load64(&w.ql.as_chunks::<64>().0[half]);
        let high = load32(&w.qh.as_chunks::<32>().0[half]);
        vnni!({
            let high = _mm512_broadcast_i64x4(high);
            let (low, high) = if i.is_multiple_of(2) {
                (low, _mm512_sllv_epi16(high, _mm512_set_epi64(L2, L2, L2, L2, L4, L4, L4, L4)))
            } else {
                let shifts = _mm512_set_epi64(L2, L2, L2, L2, 0, 0, 0, 0);
                (_mm512_srli_epi16::<4>(low), _mm512_srlv_epi16(high, shifts))
            };
            let low = _mm512_and_si512(low, _mm512_set1_epi8(15));
            _mm512_or_si512(low, _mm512_and_si512(high, _mm512_set1_epi8(48)))
        })
    }
}

/// `d * scale`, each for 16 values.
#[inline(always)]
fn small_scales(d: f32, scales: &[u8; 12]) -> __m512 {
    let (scales, _) = unpack_scales(scales);
    vnni!({
        let scales = _mm_cvtsi64_si128(i64::from_le_bytes(scales));
        let scales = _mm512_cvtepu8_epi32(_mm_unpacklo_epi8(scales, scales));
        _mm512_mul_ps(_mm512_cvtepi32_ps(scales), _mm512_set1_ps(d))
    })
}

/// The mins as what every product subtracts.
#[inline(always)]
fn mins(dmin: f32, scales: &[u8; 12]) -> Offsets {
    let (_, mins) = unpack_scales(scales);
    vnni!({
        let mins = _mm_cvtsi64_si128(i64::from_le_bytes(mins));
        Offsets {
            by: _mm256_cvtepu8_epi16(_mm_unpacklo_epi8(mins, mins)),
            scale: _mm256_set1_ps(-dmin),
        }
    })
}

/// Groups `2 * i` and `2 * i + 1` of 256 nibbles.
#[inline(always)]
fn nibbles(qs: &[u8; 128], i: usize) -> __m512i {
    let both = load32(&qs.as_chunks::<32>().0[i % 4]);
    vnni!({
        let shifts = _mm512_set_epi64(L4, L4, L4, L4, 0, 0, 0, 0);
        let both = _mm512_srlv_epi16(_mm512_broadcast_i64x4(both), shifts);
        _mm512_and_si512(both, _mm512_set1_epi8(15))
    })
}

/// Eight halves as floats, each twice.
#[inline(always)]
fn widen([a, b, c, d, e, f, g, h]: [i16; GROUPS]) -> __m512 {
    vnni!(each_twice(_mm256_cvtph_ps(_mm_setr_epi16(a, b, c, d, e, f, g, h))))
}

/// A half as a float in every lane. (A half in one lane only would be inserted into whatever a
/// register held, and wait for that.)
#[inline(always)]
fn widen_one(half: F16) -> __m256 {
    vnni!(_mm256_cvtph_ps(_mm_set1_epi16(i16::from_le_bytes(half.0))))
}

/// The inverse of [`each_twice`].
#[inline(always)]
fn every_second(v: __m512) -> __m256 {
    vnni!({
        let lanes = _mm512_castsi256_si512(_mm256_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14));
        _mm512_castps512_ps256(_mm512_permutexvar_ps(lanes, v))
    })
}

#[inline(always)]
fn load16(bytes: &[u8; 16]) -> __m128i {
    // SAFETY: the array holds the 16 bytes that are read.
    unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) }
}

#[inline(always)]
fn load_scales(bytes: &[i8; 16]) -> __m128i {
    // SAFETY: the array holds the 16 bytes that are read.
    unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) }
}

#[inline(always)]
fn load32(bytes: &[u8; 32]) -> __m256i {
    // SAFETY: the array holds the 32 bytes that are read.
    unsafe { _mm256_loadu_si256(bytes.as_ptr().cast()) }
}

#[inline(always)]
fn load_bytes(bytes: &[i8; 32]) -> __m256i {
    // SAFETY: the array holds the 32 bytes that are read.
    unsafe { _mm256_loadu_si256(bytes.as_ptr().cast()) }
}

#[inline(always)]
fn load64(bytes: &[u8; 64]) -> __m512i {
    // SAFETY: the array holds the 64 bytes that are read.
    unsafe { _mm512_loadu_si512(bytes.as_ptr().cast()) }
}

#[inline(always)]
pub(super) fn load_f32(x: &[f32; GROUPS]) -> __m256 {
    // SAFETY: the array holds the 32 bytes that are read.
    unsafe { _mm256_loadu_ps(x.as_ptr()) }
}
