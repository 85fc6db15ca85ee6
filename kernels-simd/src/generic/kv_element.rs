//! What a KV cache stores keys and values as.

use crate::block::{BF16, BlockQ8_0, F16, F32, QK};
use crate::generic::simd::Simd;

/// A block of a cache's rows: one value, or 32.
pub(crate) trait KvElement: Copy {
    /// Values of a block.
    const LEN: usize;
    /// The values of a row, exactly.
    fn widen<L: Simd>(l: L, row: &[Self], out: &mut [f32]);
}

/// One value.
pub(crate) trait KvFloat: Copy {
    /// # Safety
    /// `p` is readable for [`Simd::COUNT`] elements, at any address.
    unsafe fn load<L: Simd>(l: L, p: *const Self) -> L::F32;
    /// The value.
    fn get(self) -> f32;
}

macro_rules! kv_float {
    ($float:ty, $load:ident) => {
        impl KvFloat for $float {
            #[inline(always)]
            unsafe fn load<L: Simd>(l: L, p: *const Self) -> L::F32 {
                const { assert!(L::COUNT > 1) };
                // SAFETY: `# Safety` of this function requires it; vectors of more than one
                // element, as checked above, are loaded from any address.
                unsafe { l.$load(p.cast()) }
            }
            #[inline(always)]
            fn get(self) -> f32 {
                <$float>::get(self)
            }
        }

        impl KvElement for $float {
            const LEN: usize = 1;
            #[inline(always)]
            fn widen<L: Simd>(l: L, row: &[Self], out: &mut [f32]) {
                let n = row.len().min(out.len());
                let mut at = 0;
                while n - at >= L::COUNT {
                    // SAFETY: both slices have so many elements left.
                    unsafe {
                        let values = Self::load(l, row.as_ptr().add(at));
                        l.store_f32(values, out.as_mut_ptr().add(at));
                    }
                    at += L::COUNT;
                }
                out.iter_mut().zip(row).skip(at).for_each(|(o, w)| *o = w.get());
            }
        }
    };
}

kv_float!(F32, load_f32);
kv_float!(F16, load_f16);
kv_float!(BF16, load_bf16);

impl KvElement for BlockQ8_0 {
    const LEN: usize = QK;
    #[inline(always)]
    fn widen<L: Simd>(_l: L, row: &[Self], out: &mut [f32]) {
        for (block, out) in row.iter().zip(out.as_chunks_mut::<QK>().0) {
            let d = block.d.get();
            for (o, &q) in out.iter_mut().zip(&block.qs) {
                *o = d * f32::from(q);
            }
        }
    }
}
