//! What an instruction set must offer for the elementwise kernels to be written once.
//!
//! Every operation is one IEEE operation per lane (`fma` rounds once), so a formula written with
//! them gives the same bits whatever the width.

use half::{bf16, f16};

/// Most lanes any implementation has: the size of the buffer that a tail passes through.
pub(crate) const MAX_LANES: usize = 16;

/// What a NaN result becomes. Instruction sets disagree on the payload of the NaNs they make.
const NAN: f32 = f32::from_bits(0x7fc0_0000);

/// An instruction set, as a value that proves the machine runs it.
pub(crate) trait Lanes: Copy {
    /// A vector of [`Lanes::COUNT`] values.
    type F32: Copy;
    /// One truth value per lane.
    type Mask: Copy;
    /// Values in a vector; at most [`MAX_LANES`].
    const COUNT: usize;
    /// Whether a [`Lanes::select`] costs nothing where it takes the result of an operation.
    const MERGES: bool = false;
    /// Whether there are stores past the caches, [`Lanes::stream_f32`] and its like.
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
    /// Whether the mask holds for every lane.
    fn all(self, mask: Self::Mask) -> bool;
    /// `2^k` for `t = MAGIC + k` (see [`crate::math`]) and `-126 <= k <= 127`.
    fn exp2_of_magic(self, t: Self::F32) -> Self::F32;
    /// [`Lanes::exp2_of_magic`] where the mask holds, else `other`.
    #[inline(always)]
    fn select_exp2_of_magic(self, mask: Self::Mask, t: Self::F32, other: Self::F32) -> Self::F32 {
        self.select(mask, self.exp2_of_magic(t), other)
    }

    /// # Safety
    /// `p` is readable for [`Lanes::COUNT`] elements; no alignment beyond the element's.
    unsafe fn load_f32(self, p: *const f32) -> Self::F32;
    /// # Safety
    /// As [`Lanes::load_f32`].
    unsafe fn load_bf16(self, p: *const bf16) -> Self::F32;
    /// # Safety
    /// As [`Lanes::load_f32`].
    unsafe fn load_f16(self, p: *const f16) -> Self::F32;
    /// # Safety
    /// `p` is writable for [`Lanes::COUNT`] elements; no alignment beyond the element's.
    unsafe fn store_f32(self, v: Self::F32, p: *mut f32);
    /// Rounds to nearest, ties to even. NaN lanes are the canonical NaN.
    ///
    /// # Safety
    /// As [`Lanes::store_f32`].
    unsafe fn store_bf16(self, v: Self::F32, p: *mut bf16);
    /// As [`Lanes::store_bf16`].
    ///
    /// # Safety
    /// As [`Lanes::store_f32`].
    unsafe fn store_f16(self, v: Self::F32, p: *mut f16);

    /// [`Lanes::store_f32`] past the caches, not ordered with other stores until
    /// [`Lanes::fence`].
    ///
    /// # Safety
    /// As [`Lanes::store_f32`], and `p` is aligned to the bytes written.
    #[inline(always)]
    unsafe fn stream_f32(self, v: Self::F32, p: *mut f32) {
        // SAFETY: the caller's promise.
        unsafe { self.store_f32(v, p) }
    }
    /// [`Lanes::store_bf16`] past the caches.
    ///
    /// # Safety
    /// As [`Lanes::stream_f32`].
    #[inline(always)]
    unsafe fn stream_bf16(self, v: Self::F32, p: *mut bf16) {
        // SAFETY: the caller's promise.
        unsafe { self.store_bf16(v, p) }
    }
    /// [`Lanes::store_f16`] past the caches.
    ///
    /// # Safety
    /// As [`Lanes::stream_f32`].
    #[inline(always)]
    unsafe fn stream_f16(self, v: Self::F32, p: *mut f16) {
        // SAFETY: the caller's promise.
        unsafe { self.store_f16(v, p) }
    }
    /// Orders all streaming stores before what follows.
    #[inline(always)]
    fn fence(self) {}
}

/// A storage type. Everything is computed in f32 and rounded once, when stored.
pub(crate) trait Element: Copy + Default {
    /// # Safety
    /// As [`Lanes::load_f32`].
    unsafe fn load<L: Lanes>(lanes: L, p: *const Self) -> L::F32;
    /// # Safety
    /// As [`Lanes::store_f32`].
    unsafe fn store<L: Lanes>(lanes: L, v: L::F32, p: *mut Self);
    /// # Safety
    /// As [`Lanes::stream_f32`].
    unsafe fn stream<L: Lanes>(lanes: L, v: L::F32, p: *mut Self);
}

macro_rules! element {
    ($t:ty, $load:ident, $store:ident, $stream:ident) => {
        impl Element for $t {
            #[inline(always)]
            unsafe fn load<L: Lanes>(lanes: L, p: *const Self) -> L::F32 {
                // SAFETY: the caller's promise is the same.
                unsafe { lanes.$load(p) }
            }
            #[inline(always)]
            unsafe fn store<L: Lanes>(lanes: L, v: L::F32, p: *mut Self) {
                // SAFETY: the caller's promise is the same.
                unsafe { lanes.$store(v, p) }
            }
            #[inline(always)]
            unsafe fn stream<L: Lanes>(lanes: L, v: L::F32, p: *mut Self) {
                // SAFETY: the caller's promise is the same.
                unsafe { lanes.$stream(v, p) }
            }
        }
    };
}

element!(f32, load_f32, store_f32, stream_f32);
element!(bf16, load_bf16, store_bf16, stream_bf16);
element!(f16, load_f16, store_f16, stream_f16);

/// Vectors that are computed side by side: long chains of operations hide each other's latency.
/// Where there are none, code is small instead.
pub(crate) const UNROLL: usize = if crate::SMALL { 1 } else { 4 };

/// From this many bytes on, results go past the caches: a second-level cache would not keep them,
/// and the lines they replace need not be read first. Measured: that takes a third of the time
/// off where memory is the limit; in place, where the lines are read anyway, it does not help.
const STREAM_BYTES: usize = 8 << 20;

/// A function of one value.
pub(crate) trait Unary: Copy {
    /// The function, for every input.
    fn apply<L: Lanes>(self, lanes: L, x: L::F32) -> L::F32;

    /// The function by fewer operations. Its results are those of [`Unary::apply`] where
    /// [`Unary::usable`] says so.
    #[inline(always)]
    fn fast<L: Lanes>(self, lanes: L, x: L::F32) -> L::F32 {
        canonical(lanes, self.apply(lanes, x))
    }

    /// Whether all of `ys = xs.map(fast)` can be used.
    #[inline(always)]
    fn usable<L: Lanes, const U: usize>(self, _: L, _xs: &[L::F32; U], _ys: &[L::F32; U]) -> bool {
        true
    }
}

/// A function of two values.
pub(crate) trait Binary: Copy {
    /// See [`Unary::apply`].
    fn apply<L: Lanes>(self, lanes: L, a: L::F32, b: L::F32) -> L::F32;
    /// See [`Unary::fast`].
    fn fast<L: Lanes>(self, lanes: L, a: L::F32, b: L::F32) -> L::F32;
    /// Whether all of `ys[i] = fast(firsts[i], ..)` can be used.
    fn usable<L: Lanes, const U: usize>(
        self,
        lanes: L,
        firsts: &[L::F32; U],
        ys: &[L::F32; U],
    ) -> bool;
}

/// Whether every lane is a finite number. Finite values whose sum overflows may count as not.
#[inline(always)]
pub(crate) fn all_finite<L: Lanes, const U: usize>(lanes: L, vs: &[L::F32; U]) -> bool {
    let mut sum = lanes.splat(0.0);
    for &v in vs {
        sum = lanes.add(sum, v);
    }
    lanes.all(lanes.lt(lanes.splat(f32::NEG_INFINITY), lanes.neg_abs(sum)))
}

/// `dst[i] = f(src[i])`.
///
/// # Safety
/// `src` is readable and `dst` writable for `n` elements; they are equal or disjoint.
#[inline(always)]
pub(crate) unsafe fn map<L: Lanes, T: Element>(
    lanes: L,
    f: impl Unary,
    src: *const T,
    dst: *mut T,
    n: usize,
) {
    let mut i = 0;
    if L::STREAMS && n >= STREAM_BYTES / size_of::<T>() && !core::ptr::eq(src, dst) {
        // Up to the first whole vector of `dst`.
        let vector = L::COUNT * size_of::<T>();
        i = dst.addr().wrapping_neg() % vector / size_of::<T>();
        // SAFETY: `i < COUNT <= n`.
        unsafe { part(lanes, f, src, dst, i) };
        while n - i >= UNROLL * L::COUNT {
            // SAFETY: that many elements are left, and `dst.add(i)` is aligned to a vector.
            unsafe { step::<_, _, UNROLL, true>(lanes, f, src.add(i), dst.add(i)) };
            i += UNROLL * L::COUNT;
        }
        lanes.fence();
    }
    while UNROLL > 1 && n - i >= UNROLL * L::COUNT {
        // SAFETY: that many elements are left, and each is read before it is written.
        unsafe { step::<_, _, UNROLL, false>(lanes, f, src.add(i), dst.add(i)) };
        i += UNROLL * L::COUNT;
    }
    while n - i >= L::COUNT {
        // SAFETY: as above.
        unsafe { step::<_, _, 1, false>(lanes, f, src.add(i), dst.add(i)) };
        i += L::COUNT;
    }
    // SAFETY: fewer than `COUNT` elements are left.
    unsafe { part(lanes, f, src.add(i), dst.add(i), n - i) };
}

/// [`map`] of less than a vector, which passes through a buffer.
///
/// # Safety
/// As [`map`]; `n` is less than `COUNT`.
#[inline(always)]
unsafe fn part<L: Lanes, T: Element>(
    lanes: L,
    f: impl Unary,
    src: *const T,
    dst: *mut T,
    n: usize,
) {
    if n == 0 {
        return;
    }
    let mut buffer = [T::default(); MAX_LANES];
    let p = buffer.as_mut_ptr();
    // SAFETY: `n < COUNT <= MAX_LANES`; the buffer holds a whole vector.
    unsafe {
        src.copy_to_nonoverlapping(p, n);
        step::<_, _, 1, false>(lanes, f, p, p);
        p.copy_to_nonoverlapping(dst, n);
    }
}

/// `dst[i] = f(a[i], b[i])`.
///
/// # Safety
/// `a` and `b` are readable and `dst` writable for `n` elements; `dst` equals each of the others
/// or is disjoint from it.
#[inline(always)]
pub(crate) unsafe fn map2<L: Lanes, T: Element>(
    lanes: L,
    f: impl Binary,
    a: *const T,
    b: *const T,
    dst: *mut T,
    n: usize,
) {
    let mut i = 0;
    if L::STREAMS
        && n >= STREAM_BYTES / size_of::<T>()
        && !core::ptr::eq(a, dst)
        && !core::ptr::eq(b, dst)
    {
        // Up to the first whole vector of `dst`.
        let vector = L::COUNT * size_of::<T>();
        i = dst.addr().wrapping_neg() % vector / size_of::<T>();
        // SAFETY: `i < COUNT <= n`.
        unsafe { part2(lanes, f, a, b, dst, i) };
        while n - i >= UNROLL * L::COUNT {
            // SAFETY: that many elements are left, and `dst.add(i)` is aligned to a vector.
            unsafe { step2::<_, _, UNROLL, true>(lanes, f, a.add(i), b.add(i), dst.add(i)) };
            i += UNROLL * L::COUNT;
        }
        lanes.fence();
    }
    while UNROLL > 1 && n - i >= UNROLL * L::COUNT {
        // SAFETY: that many elements are left, and each is read before it is written.
        unsafe { step2::<_, _, UNROLL, false>(lanes, f, a.add(i), b.add(i), dst.add(i)) };
        i += UNROLL * L::COUNT;
    }
    while n - i >= L::COUNT {
        // SAFETY: as above.
        unsafe { step2::<_, _, 1, false>(lanes, f, a.add(i), b.add(i), dst.add(i)) };
        i += L::COUNT;
    }
    // SAFETY: fewer than `COUNT` elements are left.
    unsafe { part2(lanes, f, a.add(i), b.add(i), dst.add(i), n - i) };
}

/// [`map2`] of less than a vector, which passes through buffers.
///
/// # Safety
/// As [`map2`]; `n` is less than `COUNT`.
#[inline(always)]
unsafe fn part2<L: Lanes, T: Element>(
    lanes: L,
    f: impl Binary,
    a: *const T,
    b: *const T,
    dst: *mut T,
    n: usize,
) {
    if n == 0 {
        return;
    }
    let mut buffers = [[T::default(); MAX_LANES]; 2];
    let [pa, pb] = buffers.each_mut().map(|b| b.as_mut_ptr());
    // SAFETY: `n < COUNT <= MAX_LANES`; each buffer holds a whole vector.
    unsafe {
        a.copy_to_nonoverlapping(pa, n);
        b.copy_to_nonoverlapping(pb, n);
        step2::<_, _, 1, false>(lanes, f, pa, pb, pa);
        pa.copy_to_nonoverlapping(dst, n);
    }
}

/// `U` vectors of [`map`]. Loops and no closures: what a closure calls is compiled without the
/// features of the instruction set.
///
/// # Safety
/// `src` is readable and `dst` writable for `U * COUNT` elements; with `STREAM`, `dst` is aligned
/// to a vector.
#[inline(always)]
unsafe fn step<L: Lanes, T: Element, const U: usize, const STREAM: bool>(
    lanes: L,
    f: impl Unary,
    src: *const T,
    dst: *mut T,
) {
    let mut xs = [lanes.splat(0.0); U];
    for (u, x) in xs.iter_mut().enumerate() {
        // SAFETY: the caller's promise.
        *x = unsafe { T::load(lanes, src.add(u * L::COUNT)) };
    }
    let mut ys = xs;
    if !crate::SMALL {
        for y in &mut ys {
            *y = f.fast(lanes, *y);
        }
    }
    if crate::SMALL || !f.usable(lanes, &xs, &ys) {
        cold();
        ys = xs;
        for y in &mut ys {
            *y = canonical(lanes, f.apply(lanes, *y));
        }
    }
    for (u, y) in ys.into_iter().enumerate() {
        // SAFETY: the caller's promise.
        unsafe {
            let dst = dst.add(u * L::COUNT);
            if STREAM { T::stream(lanes, y, dst) } else { T::store(lanes, y, dst) }
        }
    }
}

/// `U` vectors of [`map2`].
///
/// # Safety
/// `a` and `b` are readable and `dst` writable for `U * COUNT` elements; with `STREAM`, `dst` is
/// aligned to a vector.
#[inline(always)]
unsafe fn step2<L: Lanes, T: Element, const U: usize, const STREAM: bool>(
    lanes: L,
    f: impl Binary,
    a: *const T,
    b: *const T,
    dst: *mut T,
) {
    let mut firsts = [lanes.splat(0.0); U];
    for (u, first) in firsts.iter_mut().enumerate() {
        // SAFETY: the caller's promise.
        *first = unsafe { T::load(lanes, a.add(u * L::COUNT)) };
    }
    let mut ys = firsts;
    if !crate::SMALL {
        for (u, y) in ys.iter_mut().enumerate() {
            // Loaded where it is used, it takes no register before.
            // SAFETY: the caller's promise.
            let second = unsafe { T::load(lanes, b.add(u * L::COUNT)) };
            *y = f.fast(lanes, *y, second);
        }
    }
    if crate::SMALL || !f.usable(lanes, &firsts, &ys) {
        cold();
        for (u, (y, &first)) in ys.iter_mut().zip(&firsts).enumerate() {
            // SAFETY: the caller's promise.
            let second = unsafe { T::load(lanes, b.add(u * L::COUNT)) };
            *y = canonical(lanes, f.apply(lanes, first, second));
        }
    }
    for (u, y) in ys.into_iter().enumerate() {
        // SAFETY: the caller's promise.
        unsafe {
            let dst = dst.add(u * L::COUNT);
            if STREAM { T::stream(lanes, y, dst) } else { T::store(lanes, y, dst) }
        }
    }
}

/// Marks a path that is rarely taken.
#[cold]
#[inline(always)]
pub(crate) const fn cold() {}

/// Every NaN as the one with the same bits everywhere.
#[inline(always)]
pub(crate) fn canonical<L: Lanes>(lanes: L, y: L::F32) -> L::F32 {
    lanes.select(lanes.is_nan(y), lanes.splat(NAN), y)
}
