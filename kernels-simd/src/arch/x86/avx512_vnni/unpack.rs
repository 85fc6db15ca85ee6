//! Weight blocks unpacked to bytes and scales, in 512-bit vectors.

#![allow(non_camel_case_types)] // the formats' names

use core::arch::x86_64::*;

use super::token::{Avx512Vnni, vnni};
use crate::block::{
    BlockQ4_0, BlockQ4_K, BlockQ5_K, BlockQ6_K, BlockQ8_0, F16, GROUPS, InputBlock, QK,
    unpack_scales,
};
use crate::generic::gemv::{chunks_of_256, chunks_of_groups};

/// The offsets of a chunk's weights. They add `scale * (by . sums)` to the accumulator for each group
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
    /// What is subtracted from every byte of [`Unpack::block`].
    const BIAS: i16 = 0;
    /// Scale, in every lane, and bytes of one block, if it has 32 values.
    #[inline(always)]
    fn block(_: Avx512Vnni, _: &Self::Block) -> Option<(__m256, __m256i)> {
        None
    }
    /// The scale of each 16 values.
    fn scales(isa: Avx512Vnni, w: &Self::Chunk) -> __m512;
    /// `scales` are those of [`Unpack::scales`].
    fn offsets(isa: Avx512Vnni, w: &Self::Chunk, scales: __m512) -> Offsets;
    /// 64 values as bytes, `i` below 4: those of [`Unpack::input`].
    fn quad(isa: Avx512Vnni, w: &Self::Chunk, i: usize) -> __m512i;
    /// Whether vectors 0 and 1, and 2 and 3, have the same scales.
    const JOINED: bool = false;
    /// Where the scales of vector `i` are, of each 16 values.
    #[inline(always)]
    fn lanes(isa: Avx512Vnni, i: usize) -> __m512i {
        vnni!(isa, {
            let first = _mm512_set1_epi32(4 * i as i32);
            let lanes = _mm512_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3);
            _mm512_add_epi32(first, lanes)
        })
    }
    /// The inputs that vector `i` is multiplied with.
    #[inline(always)]
    fn input(isa: Avx512Vnni, x: &InputBlock, i: usize) -> __m512i {
        isa.load_pair(x, i)
    }
}

/// 32 signed bytes a block.
pub(super) struct Q8_0;

impl Unpack for Q8_0 {
    chunks_of_groups!(BlockQ8_0, BlockQ8_0::ZERO);

    const BIAS: i16 = 128;
    #[inline(always)]
    fn block(isa: Avx512Vnni, w: &BlockQ8_0) -> Option<(__m256, __m256i)> {
        let signed = isa.avx2().load_256(&w.qs);
        Some((isa.widen_one(w.d), vnni!(isa, _mm256_xor_si256(signed, _mm256_set1_epi8(i8::MIN)))))
    }
    #[inline(always)]
    fn scales(isa: Avx512Vnni, w: &Self::Chunk) -> __m512 {
        let mut d = [0; GROUPS];
        for (d, w) in d.iter_mut().zip(w) {
            *d = i16::from_le_bytes(w.d.0);
        }
        isa.widen(d)
    }
    #[inline(always)]
    fn offsets(isa: Avx512Vnni, _: &Self::Chunk, scales: __m512) -> Offsets {
        Offsets { by: vnni!(isa, _mm256_set1_epi16(-128)), scale: isa.every_second(scales) }
    }
    #[inline(always)]
    fn quad(isa: Avx512Vnni, w: &Self::Chunk, i: usize) -> __m512i {
        let low = isa.avx2().load_256(&w[2 * i % GROUPS].qs);
        let high = isa.avx2().load_256(&w[(2 * i + 1) % GROUPS].qs);
        vnni!(isa, {
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
    fn block(isa: Avx512Vnni, w: &BlockQ4_0) -> Option<(__m256, __m256i)> {
        let low = isa.avx2().load_128(&w.qs);
        let both = vnni!(isa, _mm256_set_m128i(_mm_srli_epi16::<4>(low), low));
        Some((isa.widen_one(w.d), vnni!(isa, _mm256_and_si256(both, _mm256_set1_epi8(15)))))
    }
    /// Every ninth word of a chunk's first 128 bytes.
    #[inline(always)]
    fn scales(isa: Avx512Vnni, w: &Self::Chunk) -> __m512 {
        let bytes = bytemuck::bytes_of(w).as_chunks::<64>().0;
        let (a, b) = (isa.avx512().load_512(&bytes[0]), isa.avx512().load_512(&bytes[1]));
        vnni!(isa, {
            let index = _mm512_castsi128_si512(_mm_setr_epi16(0, 9, 18, 27, 36, 45, 54, 63));
            let halves = _mm512_permutex2var_epi16(a, index, b);
            isa.each_twice(_mm256_cvtph_ps(_mm512_castsi512_si128(halves)))
        })
    }
    #[inline(always)]
    fn offsets(isa: Avx512Vnni, _: &Self::Chunk, scales: __m512) -> Offsets {
        Offsets { by: vnni!(isa, _mm256_set1_epi16(-8)), scale: isa.every_second(scales) }
    }
    /// The low nibbles of four blocks, then their high ones.
    const JOINED: bool = true;
    #[inline(always)]
    fn quad(isa: Avx512Vnni, w: &Self::Chunk, i: usize) -> __m512i {
        let first = i / 2 % 2 * 4;
        let [a, b, c, d] = [&w[first], &w[first + 1], &w[first + 2], &w[first + 3]];
        let both = vnni!(isa, {
            let v = _mm512_castsi128_si512(isa.avx2().load_128(&a.qs));
            let v = _mm512_inserti32x4::<1>(v, isa.avx2().load_128(&b.qs));
            let v = _mm512_inserti32x4::<2>(v, isa.avx2().load_128(&c.qs));
            _mm512_inserti32x4::<3>(v, isa.avx2().load_128(&d.qs))
        });
        vnni!(isa, {
            let shifted = if i.is_multiple_of(2) { both } else { _mm512_srli_epi16::<4>(both) };
            _mm512_and_si512(shifted, _mm512_set1_epi8(15))
        })
    }
    #[inline(always)]
    fn lanes(isa: Avx512Vnni, i: usize) -> __m512i {
        vnni!(isa, {
            let first = _mm512_set1_epi32(4 * i as i32);
            let lanes = _mm512_setr_epi32(0, 0, 0, 0, 2, 2, 2, 2, 4, 4, 4, 4, 6, 6, 6, 6);
            _mm512_add_epi32(first, lanes)
        })
    }
    #[inline(always)]
    fn input(isa: Avx512Vnni, x: &InputBlock, i: usize) -> __m512i {
        let first = i / 2 * 2;
        let [a, b] = [isa.load_pair(x, first), isa.load_pair(x, first + 1)];
        vnni!(
            isa,
            if i.is_multiple_of(2) {
                _mm512_shuffle_i64x2::<0b10_00_10_00>(a, b)
            } else {
                _mm512_shuffle_i64x2::<0b11_01_11_01>(a, b)
            }
        )
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
    fn scales(isa: Avx512Vnni, w: &BlockQ4_K) -> __m512 {
        isa.small_scales(isa.avx2().widen_two(w.d, w.dmin)[0], &w.scales)
    }
    #[inline(always)]
    fn offsets(isa: Avx512Vnni, w: &BlockQ4_K, _: __m512) -> Offsets {
        isa.mins(isa.avx2().widen_two(w.d, w.dmin)[1], &w.scales)
    }
    #[inline(always)]
    fn quad(isa: Avx512Vnni, w: &BlockQ4_K, i: usize) -> __m512i {
        isa.nibbles(&w.qs, i)
    }
}

/// 256 values of 5 bits, with mins.
pub(super) struct Q5_K;

impl Unpack for Q5_K {
    chunks_of_256!(BlockQ5_K);

    #[inline(always)]
    fn scales(isa: Avx512Vnni, w: &BlockQ5_K) -> __m512 {
        isa.small_scales(isa.avx2().widen_two(w.d, w.dmin)[0], &w.scales)
    }
    #[inline(always)]
    fn offsets(isa: Avx512Vnni, w: &BlockQ5_K, _: __m512) -> Offsets {
        isa.mins(isa.avx2().widen_two(w.d, w.dmin)[1], &w.scales)
    }
    #[inline(always)]
    fn quad(isa: Avx512Vnni, w: &BlockQ5_K, i: usize) -> __m512i {
        let low = isa.nibbles(&w.qs, i);
        let high = isa.avx2().load_256(&w.qh);
        vnni!(isa, {
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
    fn scales(isa: Avx512Vnni, w: &BlockQ6_K) -> __m512 {
        let [d, _] = isa.avx2().widen_two(w.d, w.d);
        vnni!(isa, {
            let scales = _mm512_cvtepi8_epi32(isa.avx2().load_128(&w.scales));
            _mm512_mul_ps(_mm512_cvtepi32_ps(scales), _mm512_set1_ps(d))
        })
    }
    #[inline(always)]
    fn offsets(isa: Avx512Vnni, w: &BlockQ6_K, _: __m512) -> Offsets {
        let [d, _] = isa.avx2().widen_two(w.d, w.d);
        vnni!(
            isa,
            Offsets {
                by: _mm256_cvtepi8_epi16(isa.avx2().load_128(&w.scales)),
                scale: _mm256_set1_ps(-32.0 * d),
            }
        )
    }
    #[inline(always)]
    fn quad(isa: Avx512Vnni, w: &BlockQ6_K, i: usize) -> __m512i {
        let half = i / 2 % 2;
        let low = isa.avx512().load_512(&w.ql.as_chunks::<64>().0[half]);
        let high = isa.avx2().load_256(&w.qh.as_chunks::<32>().0[half]);
        vnni!(isa, {
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

impl Avx512Vnni {
    /// `d * scale`, each for 16 values.
    #[inline(always)]
    fn small_scales(self, d: f32, scales: &[u8; 12]) -> __m512 {
        let (scales, _) = unpack_scales(scales);
        vnni!(self, {
            let scales = _mm_cvtsi64_si128(i64::from_le_bytes(scales));
            let scales = _mm512_cvtepu8_epi32(_mm_unpacklo_epi8(scales, scales));
            _mm512_mul_ps(_mm512_cvtepi32_ps(scales), _mm512_set1_ps(d))
        })
    }

    /// The mins of eight groups as offsets.
    #[inline(always)]
    fn mins(self, dmin: f32, scales: &[u8; 12]) -> Offsets {
        let (_, mins) = unpack_scales(scales);
        vnni!(self, {
            let mins = _mm_cvtsi64_si128(i64::from_le_bytes(mins));
            Offsets {
                by: _mm256_cvtepu8_epi16(_mm_unpacklo_epi8(mins, mins)),
                scale: _mm256_set1_ps(-dmin),
            }
        })
    }

    /// Groups `2 * i` and `2 * i + 1` of 256 nibbles.
    #[inline(always)]
    fn nibbles(self, qs: &[u8; 128], i: usize) -> __m512i {
        let both = self.avx2().load_256(&qs.as_chunks::<32>().0[i % 4]);
        vnni!(self, {
            let shifts = _mm512_set_epi64(L4, L4, L4, L4, 0, 0, 0, 0);
            let both = _mm512_srlv_epi16(_mm512_broadcast_i64x4(both), shifts);
            _mm512_and_si512(both, _mm512_set1_epi8(15))
        })
    }

    /// Widens eight f16 to f32, each twice.
    #[inline(always)]
    fn widen(self, [a, b, c, d, e, f, g, h]: [i16; GROUPS]) -> __m512 {
        vnni!(self, self.each_twice(_mm256_cvtph_ps(_mm_setr_epi16(a, b, c, d, e, f, g, h))))
    }

    /// Broadcasts an f16 and widens it to f32. (Loaded to one lane only, it would be merged into the
    /// old value of a register, and depend on it.)
    #[inline(always)]
    fn widen_one(self, half: F16) -> __m256 {
        vnni!(self, _mm256_cvtph_ps(_mm_set1_epi16(i16::from_le_bytes(half.0))))
    }

    /// The inverse of [`Avx512Vnni::each_twice`].
    #[inline(always)]
    fn every_second(self, v: __m512) -> __m256 {
        vnni!(self, {
            let lanes = _mm512_castsi256_si512(_mm256_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14));
            _mm512_castps512_ps256(_mm512_permutexvar_ps(lanes, v))
        })
    }

    /// Numbers of 32 columns as numbers of 16.
    #[inline(always)]
    pub(super) fn each_twice(self, v: __m256) -> __m512 {
        vnni!(self, {
            let lanes = _mm512_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7);
            _mm512_permutexvar_ps(lanes, _mm512_castps256_ps512(v))
        })
    }

    /// The quants of groups `2 * pair` and `2 * pair + 1`.
    #[inline(always)]
    pub(super) fn load_pair(self, x: &InputBlock, pair: usize) -> __m512i {
        let pair = &x.qs.as_chunks::<64>().0[pair % (GROUPS / 2)];
        self.avx512().load_512(pair)
    }
}
