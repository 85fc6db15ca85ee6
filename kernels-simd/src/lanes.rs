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
    /// `a < b ? a : b`, so `b` when either is NaN.
    fn min(self, a: Self::F32, b: Self::F32) -> Self::F32;
    /// `a > b ? a : b`, so `b` when either is NaN.
    fn max(self, a: Self::F32, b: Self::F32) -> Self::F32;
    fn lt(self, a: Self::F32, b: Self::F32) -> Self::Mask;
    fn is_nan(self, a: Self::F32) -> Self::Mask;
    /// `a` where the mask holds, else `b`: a choice, not arithmetic.
    fn select(self, mask: Self::Mask, a: Self::F32, b: Self::F32) -> Self::F32;
    /// `2^k` for `t = MAGIC + k` (see [`crate::math`]) and `-126 <= k <= 127`.
    fn exp2_of_magic(self, t: Self::F32) -> Self::F32;

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
}

/// A storage type. Everything is computed in f32 and rounded once, when stored.
pub(crate) trait Element: Copy + Default {
    /// # Safety
    /// As [`Lanes::load_f32`].
    unsafe fn load<L: Lanes>(lanes: L, p: *const Self) -> L::F32;
    /// # Safety
    /// As [`Lanes::store_f32`].
    unsafe fn store<L: Lanes>(lanes: L, v: L::F32, p: *mut Self);
}

macro_rules! element {
    ($t:ty, $load:ident, $store:ident) => {
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
        }
    };
}

element!(f32, load_f32, store_f32);
element!(bf16, load_bf16, store_bf16);
element!(f16, load_f16, store_f16);

/// A function of one value.
pub(crate) trait Unary: Copy {
    fn apply<L: Lanes>(self, lanes: L, x: L::F32) -> L::F32;
}

/// A function of two values.
pub(crate) trait Binary: Copy {
    fn apply<L: Lanes>(self, lanes: L, a: L::F32, b: L::F32) -> L::F32;
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
    let tail = n % L::COUNT;
    let mut i = 0;
    while i < n - tail {
        // SAFETY: `i + COUNT <= n`, and every element is read before it is written.
        unsafe { step(lanes, f, src.add(i), dst.add(i)) };
        i += L::COUNT;
    }
    if tail > 0 {
        let mut buffer = [T::default(); MAX_LANES];
        let p = buffer.as_mut_ptr();
        // SAFETY: `tail < COUNT <= MAX_LANES` elements lie between `i` and `n`; the buffer holds
        // a whole vector.
        unsafe {
            src.add(i).copy_to_nonoverlapping(p, tail);
            step(lanes, f, p, p);
            p.copy_to_nonoverlapping(dst.add(i), tail);
        }
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
    let tail = n % L::COUNT;
    let mut i = 0;
    while i < n - tail {
        // SAFETY: `i + COUNT <= n`, and every element is read before it is written.
        unsafe { step2(lanes, f, a.add(i), b.add(i), dst.add(i)) };
        i += L::COUNT;
    }
    if tail > 0 {
        let mut buffers = [[T::default(); MAX_LANES]; 2];
        let [pa, pb] = buffers.each_mut().map(|b| b.as_mut_ptr());
        // SAFETY: `tail < COUNT <= MAX_LANES` elements lie between `i` and `n`; each buffer holds
        // a whole vector.
        unsafe {
            a.add(i).copy_to_nonoverlapping(pa, tail);
            b.add(i).copy_to_nonoverlapping(pb, tail);
            step2(lanes, f, pa, pb, pa);
            pa.copy_to_nonoverlapping(dst.add(i), tail);
        }
    }
}

/// One vector of [`map`].
///
/// # Safety
/// `src` is readable and `dst` writable for `COUNT` elements.
#[inline(always)]
unsafe fn step<L: Lanes, T: Element>(lanes: L, f: impl Unary, src: *const T, dst: *mut T) {
    // SAFETY: the caller's promise.
    unsafe { T::store(lanes, canonical(lanes, f.apply(lanes, T::load(lanes, src))), dst) };
}

/// One vector of [`map2`].
///
/// # Safety
/// `a` and `b` are readable and `dst` writable for `COUNT` elements.
#[inline(always)]
unsafe fn step2<L: Lanes, T: Element>(
    lanes: L,
    f: impl Binary,
    a: *const T,
    b: *const T,
    dst: *mut T,
) {
    // SAFETY: the caller's promise.
    unsafe {
        let y = f.apply(lanes, T::load(lanes, a), T::load(lanes, b));
        T::store(lanes, canonical(lanes, y), dst);
    }
}

/// Every NaN as the one with the same bits everywhere.
#[inline(always)]
fn canonical<L: Lanes>(lanes: L, y: L::F32) -> L::F32 {
    lanes.select(lanes.is_nan(y), lanes.splat(NAN), y)
}
