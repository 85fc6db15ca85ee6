//! The vector operations of an instruction set, with which kernels are written once.
//!
//! Every operation is one IEEE operation per lane (`fma` rounds once), so a formula written with
//! them gives the same bits whatever the width.

use half::{bf16, f16};

/// Most lanes any implementation has: the size of the buffer that a tail passes through.
pub(crate) const MAX_LANES: usize = 16;

/// 1.5 * 2^23 + 127: adding it rounds to an integer and leaves that integer, with the bias of
/// f32's exponent, in the low bits.
pub(crate) const MAGIC: f32 = 12_583_039.0;

/// What a NaN result becomes. Instruction sets disagree on the payload of the NaNs they make.
const NAN: f32 = f32::from_bits(0x7fc0_0000);

/// The vectors of an instruction set, whose value (its token) proves that the machine runs it.
pub(crate) trait Simd: Copy {
    /// A vector of [`Simd::COUNT`] values.
    type F32: Copy;
    /// As many 32-bit integers.
    type I32: Copy;
    /// One truth value per lane.
    type Mask: Copy;
    /// Values in a vector; at most [`MAX_LANES`].
    const COUNT: usize;
    /// Whether a [`Simd::select`] costs nothing where it takes the result of an operation.
    const MERGES: bool = false;
    /// Whether there are stores past the caches, [`Simd::stream_f32`] and its like.
    const STREAMS: bool = false;

    fn splat(self, x: f32) -> Self::F32;
    fn add(self, a: Self::F32, b: Self::F32) -> Self::F32;
    fn sub(self, a: Self::F32, b: Self::F32) -> Self::F32;
    fn mul(self, a: Self::F32, b: Self::F32) -> Self::F32;
    fn div(self, a: Self::F32, b: Self::F32) -> Self::F32;
    fn neg(self, a: Self::F32) -> Self::F32;
    /// `-|a|`.
    fn neg_abs(self, a: Self::F32) -> Self::F32;
    /// `a * b + c`, rounded once.
    fn fma(self, a: Self::F32, b: Self::F32, c: Self::F32) -> Self::F32;
    /// `a * b + c`, rounded once or twice, whichever is fast.
    #[inline(always)]
    fn mul_add(self, a: Self::F32, b: Self::F32, c: Self::F32) -> Self::F32 {
        self.fma(a, b, c)
    }
    /// `a < b ? a : b`, so `b` when either is NaN.
    fn min(self, a: Self::F32, b: Self::F32) -> Self::F32;
    /// `a > b ? a : b`, so `b` when either is NaN.
    fn max(self, a: Self::F32, b: Self::F32) -> Self::F32;
    fn lt(self, a: Self::F32, b: Self::F32) -> Self::Mask;
    fn is_nan(self, a: Self::F32) -> Self::Mask;
    /// `a` where the mask holds, else `b`: a choice, not arithmetic.
    fn select(self, mask: Self::Mask, a: Self::F32, b: Self::F32) -> Self::F32;
    /// Integers as floats.
    fn to_f32(self, q: Self::I32) -> Self::F32;
    /// Whether the mask holds for every lane.
    fn all(self, mask: Self::Mask) -> bool;
    /// The sum of the lanes, in any order.
    #[inline(always)]
    fn sum(self, v: Self::F32) -> f32 {
        let mut lanes = [0.0; MAX_LANES];
        // SAFETY: `COUNT <= MAX_LANES`: the buffer holds a whole vector.
        unsafe { self.store_f32(v, lanes.as_mut_ptr()) };
        let mut half = MAX_LANES / 2;
        while half > 0 {
            for i in 0..half {
                lanes[i] += lanes[i + half];
            }
            half /= 2;
        }
        lanes[0]
    }
    /// `2^k` for `t = MAGIC + k` (see [`MAGIC`]) and `-126 <= k <= 127`.
    fn exp2_of_magic(self, t: Self::F32) -> Self::F32;
    /// `2^k` where the mask holds, else `other`, for integers `k` up to 127. What would be below
    /// 2^-100 may be anything from 0 to 2^-100.
    #[inline(always)]
    fn select_exp2(self, mask: Self::Mask, k: Self::F32, other: Self::F32) -> Self::F32 {
        let magic = self.add(self.max(self.splat(-100.0), k), self.splat(MAGIC));
        self.select(mask, self.exp2_of_magic(magic), other)
    }
    /// Whether every lane of all `ts` is in 0 .. 2^24; it may say no where one is below 2^23.
    #[inline(always)]
    fn all_below_2_24<const U: usize>(self, ts: &[Self::F32; U]) -> bool {
        let mut all = true;
        for &t in ts {
            all &= self.all(self.lt(self.splat(0.0), t));
            all &= self.all(self.lt(t, self.splat(16_777_216.0)));
        }
        all
    }

    /// # Safety
    /// `p` is readable for [`Simd::COUNT`] elements. One alone is aligned; vectors of more need no
    /// alignment.
    unsafe fn load_f32(self, p: *const f32) -> Self::F32;
    /// # Safety
    /// As [`Simd::load_f32`].
    unsafe fn load_bf16(self, p: *const bf16) -> Self::F32;
    /// # Safety
    /// As [`Simd::load_f32`].
    unsafe fn load_f16(self, p: *const f16) -> Self::F32;
    /// # Safety
    /// `p` is writable for [`Simd::COUNT`] elements; no alignment beyond the element's.
    unsafe fn store_f32(self, v: Self::F32, p: *mut f32);
    /// Rounds to nearest, ties to even. NaN lanes are the canonical NaN.
    ///
    /// # Safety
    /// As [`Simd::store_f32`].
    unsafe fn store_bf16(self, v: Self::F32, p: *mut bf16);
    /// As [`Simd::store_bf16`].
    ///
    /// # Safety
    /// As [`Simd::store_f32`].
    unsafe fn store_f16(self, v: Self::F32, p: *mut f16);

    /// [`Simd::store_f32`] past the caches, not ordered with other stores until
    /// [`Simd::fence`].
    ///
    /// # Safety
    /// As [`Simd::store_f32`], and `p` is aligned to the bytes written.
    #[inline(always)]
    unsafe fn stream_f32(self, v: Self::F32, p: *mut f32) {
        // SAFETY: `# Safety` of this function requires it.
        unsafe { self.store_f32(v, p) }
    }
    /// [`Simd::store_bf16`] past the caches.
    ///
    /// # Safety
    /// As [`Simd::stream_f32`].
    #[inline(always)]
    unsafe fn stream_bf16(self, v: Self::F32, p: *mut bf16) {
        // SAFETY: `# Safety` of this function requires it.
        unsafe { self.store_bf16(v, p) }
    }
    /// [`Simd::store_f16`] past the caches.
    ///
    /// # Safety
    /// As [`Simd::stream_f32`].
    #[inline(always)]
    unsafe fn stream_f16(self, v: Self::F32, p: *mut f16) {
        // SAFETY: `# Safety` of this function requires it.
        unsafe { self.store_f16(v, p) }
    }
    /// Two vectors side by side in memory, their lanes in whichever order is the fastest: that of
    /// [`Simd::store_bf16_pair`].
    ///
    /// # Safety
    /// `p` is readable for twice [`Simd::COUNT`] elements; no alignment beyond the element's.
    #[inline(always)]
    unsafe fn load_bf16_pair(self, p: *const bf16) -> [Self::F32; 2] {
        // SAFETY: `# Safety` of this function requires it.
        unsafe { [self.load_bf16(p), self.load_bf16(p.add(Self::COUNT))] }
    }
    /// The reverse of [`Simd::load_bf16_pair`], rounded as by [`Simd::store_bf16`].
    ///
    /// # Safety
    /// `p` is writable for twice [`Simd::COUNT`] elements; no alignment beyond the element's.
    #[inline(always)]
    unsafe fn store_bf16_pair(self, [a, b]: [Self::F32; 2], p: *mut bf16) {
        // SAFETY: `# Safety` of this function requires it.
        unsafe {
            self.store_bf16(a, p);
            self.store_bf16(b, p.add(Self::COUNT));
        }
    }
    /// [`Simd::store_bf16_pair`] past the caches.
    ///
    /// # Safety
    /// As [`Simd::store_bf16_pair`], and `p` is aligned to the bytes written.
    #[inline(always)]
    unsafe fn stream_bf16_pair(self, vs: [Self::F32; 2], p: *mut bf16) {
        // SAFETY: `# Safety` of this function requires it.
        unsafe { self.store_bf16_pair(vs, p) }
    }
    /// Orders all streaming stores before what follows.
    #[inline(always)]
    fn fence(self) {}
}

/// An instruction set with the vectors of [`Simd`]: its own, or those of the one that it extends.
pub(crate) trait Vectors: Copy {
    /// Whose vectors.
    type Simd: Simd;
    /// Its token.
    fn simd(self) -> Self::Simd;
}

impl<S: Simd> Vectors for S {
    type Simd = S;
    #[inline(always)]
    fn simd(self) -> S {
        self
    }
}

/// A storage type. Everything is computed in f32 and rounded once, when stored.
pub(crate) trait Element: Copy + Default {
    /// # Safety
    /// As [`Simd::load_f32`].
    unsafe fn load<L: Simd>(lanes: L, p: *const Self) -> L::F32;
    /// # Safety
    /// As [`Simd::store_f32`].
    unsafe fn store<L: Simd>(lanes: L, v: L::F32, p: *mut Self);
    /// # Safety
    /// As [`Simd::stream_f32`].
    unsafe fn stream<L: Simd>(lanes: L, v: L::F32, p: *mut Self);

    /// Two vectors, their lanes in the order of [`Element::store_pair`].
    ///
    /// # Safety
    /// As [`Simd::load_bf16_pair`].
    #[inline(always)]
    unsafe fn load_pair<L: Simd>(lanes: L, p: *const Self) -> [L::F32; 2] {
        // SAFETY: `# Safety` of this function requires it.
        unsafe { [Self::load(lanes, p), Self::load(lanes, p.add(L::COUNT))] }
    }
    /// Past the caches with `STREAM`.
    ///
    /// # Safety
    /// As [`Simd::store_bf16_pair`]; with `STREAM`, as [`Simd::stream_bf16_pair`].
    #[inline(always)]
    unsafe fn store_pair<L: Simd, const STREAM: bool>(lanes: L, vs: [L::F32; 2], p: *mut Self) {
        for (u, v) in vs.into_iter().enumerate() {
            // SAFETY: `# Safety` of this function requires it.
            unsafe {
                let p = p.add(u * L::COUNT);
                if STREAM { Self::stream(lanes, v, p) } else { Self::store(lanes, v, p) }
            }
        }
    }
}

macro_rules! element {
    ($t:ty, $load:ident, $store:ident, $stream:ident $(, $pairs:item)*) => {
        impl Element for $t {
            #[inline(always)]
            unsafe fn load<L: Simd>(lanes: L, p: *const Self) -> L::F32 {
                // SAFETY: `# Safety` of this function requires the same.
                unsafe { lanes.$load(p) }
            }
            #[inline(always)]
            unsafe fn store<L: Simd>(lanes: L, v: L::F32, p: *mut Self) {
                // SAFETY: `# Safety` of this function requires the same.
                unsafe { lanes.$store(v, p) }
            }
            #[inline(always)]
            unsafe fn stream<L: Simd>(lanes: L, v: L::F32, p: *mut Self) {
                // SAFETY: `# Safety` of this function requires the same.
                unsafe { lanes.$stream(v, p) }
            }
            $($pairs)*
        }
    };
}

element!(f32, load_f32, store_f32, stream_f32);
element!(
    bf16,
    load_bf16,
    store_bf16,
    stream_bf16,
    #[inline(always)]
    unsafe fn load_pair<L: Simd>(lanes: L, p: *const Self) -> [L::F32; 2] {
        // SAFETY: `# Safety` of this function requires the same.
        unsafe { lanes.load_bf16_pair(p) }
    },
    #[inline(always)]
    unsafe fn store_pair<L: Simd, const STREAM: bool>(lanes: L, vs: [L::F32; 2], p: *mut Self) {
        // SAFETY: `# Safety` of this function requires the same.
        unsafe { if STREAM { lanes.stream_bf16_pair(vs, p) } else { lanes.store_bf16_pair(vs, p) } }
    }
);
element!(f16, load_f16, store_f16, stream_f16);

/// A function of one value.
pub(crate) trait Unary: Copy {
    /// The function, for every input.
    fn apply<L: Simd>(self, lanes: L, x: L::F32) -> L::F32;

    /// The function by fewer operations. Its results are those of [`Unary::apply`] where
    /// [`Unary::usable`] says so.
    #[inline(always)]
    fn fast<L: Simd>(self, lanes: L, x: L::F32) -> L::F32 {
        canonical(lanes, self.apply(lanes, x))
    }

    /// Whether all of `ys = xs.map(fast)` can be used.
    #[inline(always)]
    fn usable<L: Simd, const U: usize>(self, _: L, _xs: &[L::F32; U], _ys: &[L::F32; U]) -> bool {
        true
    }
}

/// A function of two values.
pub(crate) trait Binary: Copy {
    /// See [`Unary::apply`].
    fn apply<L: Simd>(self, lanes: L, a: L::F32, b: L::F32) -> L::F32;
    /// See [`Unary::fast`].
    fn fast<L: Simd>(self, lanes: L, a: L::F32, b: L::F32) -> L::F32;
    /// Whether all of `ys[i] = fast(firsts[i], ..)` can be used.
    fn usable<L: Simd, const U: usize>(
        self,
        lanes: L,
        firsts: &[L::F32; U],
        ys: &[L::F32; U],
    ) -> bool;
}

/// Whether every lane is a finite number. Finite values whose sum overflows may count as not.
#[inline(always)]
pub(crate) fn all_finite<L: Simd, const U: usize>(lanes: L, vs: &[L::F32; U]) -> bool {
    let mut sum = lanes.splat(0.0);
    for &v in vs {
        sum = lanes.add(sum, v);
    }
    lanes.all(lanes.lt(lanes.splat(f32::NEG_INFINITY), lanes.neg_abs(sum)))
}

/// Marks a path that is rarely taken.
#[cold]
#[inline(always)]
pub(crate) const fn cold() {}

/// Every NaN as the one with the same bits everywhere.
#[inline(always)]
pub(crate) fn canonical<L: Simd>(lanes: L, y: L::F32) -> L::F32 {
    lanes.select(lanes.is_nan(y), lanes.splat(NAN), y)
}

/// Functions as they are: what an instruction set that the target has needs for its tables.
macro_rules! as_it_is {
    ($($item:item)*) => { $($item)* };
}
pub(crate) use as_it_is;
