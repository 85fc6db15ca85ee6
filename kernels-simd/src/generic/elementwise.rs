//! Elementwise functions of one slice or two, written once over [`Simd`].

use crate::generic::prefetch::prefetch_elements;
use crate::generic::simd::{Binary, Element, MAX_LANES, Simd, Unary, canonical, cold};

/// Vectors that are computed side by side: long chains of operations hide each other's latency.
/// Where there are none, code is small instead.
pub(crate) const UNROLL: usize = if crate::built::SMALL { 1 } else { 4 };

/// From this many bytes on, results of [`unary`] are stored past the caches: a second-level cache
/// would not keep them, and the lines they replace need not be read first. Measured: that takes up
/// to a third of the time off where memory is the limit; in place, where the lines are read anyway,
/// it does not help, and with two inputs two threads of a Zen 3 take four times as long.
const STREAM_BYTES: usize = 8 << 20;

/// How far ahead the source of such a stream is prefetched, in bytes: what the processor fetches by
/// itself ends with each page. Measured: it takes a quarter of the time off where arithmetic takes
/// as long as the memory; 1 to 16 KiB do the same.
const AHEAD: usize = 4096;

/// `dst[i] = f(src[i])`.
///
/// # Safety
/// `src` is readable and `dst` writable for `n` elements; they are equal or disjoint.
#[inline(always)]
pub(crate) unsafe fn unary<L: Simd, T: Element>(
    lanes: L,
    f: impl Unary,
    src: *const T,
    dst: *mut T,
    n: usize,
) {
    let streams = streams::<L, T>(n) && !core::ptr::eq(src, dst);
    let mut i = 0;
    // Everything through the caches; or first up to a line, and, after the stream, the rest.
    let mut end = if streams { to_line(dst) } else { n };
    loop {
        while UNROLL > 1 && end - i >= UNROLL * L::COUNT {
            // SAFETY: that many elements are left, and each is read before it is written.
            unsafe { step::<_, _, UNROLL, false>(lanes, f, src.add(i), dst.add(i)) };
            i += UNROLL * L::COUNT;
        }
        while end - i >= L::COUNT {
            // SAFETY: as above.
            unsafe { step::<_, _, 1, false>(lanes, f, src.add(i), dst.add(i)) };
            i += L::COUNT;
        }
        // SAFETY: fewer than `COUNT` elements are left.
        unsafe { unary_tail(lanes, f, src.add(i), dst.add(i), end - i) };
        i = end;
        if !streams || i == n {
            return;
        }
        while n - i >= UNROLL * L::COUNT {
            prefetch_elements(src.wrapping_add(i).wrapping_byte_add(AHEAD), UNROLL * L::COUNT);
            // SAFETY: that many elements are left, and `dst.add(i)` is whole vectors from a line.
            unsafe { step::<_, _, UNROLL, true>(lanes, f, src.add(i), dst.add(i)) };
            i += UNROLL * L::COUNT;
        }
        lanes.fence();
        end = n;
    }
}

/// Whether so many results go past the caches.
#[inline(always)]
const fn streams<L: Simd, T>(n: usize) -> bool {
    L::STREAMS && n >= STREAM_BYTES / size_of::<T>()
}

/// Elements before the next cache line. Lines are written whole: the halves of one would cross
/// memory's bus twice where another thread's stores push the first out of the buffer that waits
/// for the second.
#[inline(always)]
fn to_line<T>(p: *mut T) -> usize {
    p.addr().wrapping_neg() % 64 / size_of::<T>()
}

/// [`unary`] of less than a vector, which passes through a buffer.
///
/// # Safety
/// As [`unary`]; `n` is less than `COUNT`.
#[inline(always)]
unsafe fn unary_tail<L: Simd, T: Element>(
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
pub(crate) unsafe fn binary<L: Simd, T: Element>(
    lanes: L,
    f: impl Binary,
    a: *const T,
    b: *const T,
    dst: *mut T,
    n: usize,
) {
    let mut i = 0;
    let far = UNROLL > 1 && n >= STREAM_BYTES / size_of::<T>();
    while UNROLL > 1 && n - i >= UNROLL * L::COUNT {
        if far {
            prefetch_elements(a.wrapping_add(i).wrapping_byte_add(AHEAD), UNROLL * L::COUNT);
            prefetch_elements(b.wrapping_add(i).wrapping_byte_add(AHEAD), UNROLL * L::COUNT);
        }
        // SAFETY: that many elements are left, and each is read before it is written.
        unsafe { step2::<_, _, UNROLL>(lanes, f, a.add(i), b.add(i), dst.add(i)) };
        i += UNROLL * L::COUNT;
    }
    while n - i >= L::COUNT {
        // SAFETY: as above.
        unsafe { step2::<_, _, 1>(lanes, f, a.add(i), b.add(i), dst.add(i)) };
        i += L::COUNT;
    }
    // SAFETY: fewer than `COUNT` elements are left.
    unsafe { binary_tail(lanes, f, a.add(i), b.add(i), dst.add(i), n - i) };
}

/// [`binary`] of less than a vector, which passes through buffers.
///
/// # Safety
/// As [`binary`]; `n` is less than `COUNT`.
#[inline(always)]
unsafe fn binary_tail<L: Simd, T: Element>(
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
        step2::<_, _, 1>(lanes, f, pa, pb, pa);
        pa.copy_to_nonoverlapping(dst, n);
    }
}

/// `U` vectors of [`unary`]. Loops and no closures: what a closure calls is compiled without the
/// features of the instruction set.
///
/// # Safety
/// `src` is readable and `dst` writable for `U * COUNT` elements; with `STREAM`, `dst` is aligned
/// to a vector.
#[inline(always)]
unsafe fn step<L: Simd, T: Element, const U: usize, const STREAM: bool>(
    lanes: L,
    f: impl Unary,
    src: *const T,
    dst: *mut T,
) {
    // SAFETY: `# Safety` of this function requires it.
    let xs = unsafe { load::<_, _, U>(lanes, src) };
    let mut ys = xs;
    if !crate::built::SMALL {
        for y in &mut ys {
            *y = f.fast(lanes, *y);
        }
    }
    if crate::built::SMALL || !f.usable(lanes, &xs, &ys) {
        cold();
        ys = xs;
        for y in &mut ys {
            *y = canonical(lanes, f.apply(lanes, *y));
        }
    }
    // SAFETY: `# Safety` of this function requires it.
    unsafe { store::<_, _, U, STREAM>(lanes, ys, dst) };
}

/// `U` vectors of [`binary`].
///
/// # Safety
/// `a` and `b` are readable and `dst` writable for `U * COUNT` elements.
#[inline(always)]
unsafe fn step2<L: Simd, T: Element, const U: usize>(
    lanes: L,
    f: impl Binary,
    a: *const T,
    b: *const T,
    dst: *mut T,
) {
    // SAFETY: `# Safety` of this function requires it.
    let firsts = unsafe { load::<_, _, U>(lanes, a) };
    let mut ys = firsts;
    if !crate::built::SMALL {
        let (pairs, rest) = ys.as_chunks_mut::<2>();
        for (i, [y, z]) in pairs.iter_mut().enumerate() {
            // Loaded where they are used, they take no registers before.
            // SAFETY: `# Safety` of this function requires it.
            let seconds = unsafe { T::load_pair(lanes, b.add(2 * i * L::COUNT)) };
            *y = f.fast(lanes, *y, seconds[0]);
            *z = f.fast(lanes, *z, seconds[1]);
        }
        for y in rest {
            // SAFETY: `# Safety` of this function requires it.
            let second = unsafe { T::load(lanes, b.add((U - 1) * L::COUNT)) };
            *y = f.fast(lanes, *y, second);
        }
    }
    if crate::built::SMALL || !f.usable(lanes, &firsts, &ys) {
        cold();
        // SAFETY: `# Safety` of this function requires it.
        let seconds = unsafe { load::<_, _, U>(lanes, b) };
        for ((y, &first), &second) in ys.iter_mut().zip(&firsts).zip(&seconds) {
            *y = canonical(lanes, f.apply(lanes, first, second));
        }
    }
    // SAFETY: `# Safety` of this function requires it.
    unsafe { store::<_, _, U, false>(lanes, ys, dst) };
}

/// `U` vectors.
///
/// # Safety
/// `p` is readable for `U * COUNT` elements.
#[inline(always)]
unsafe fn load<L: Simd, T: Element, const U: usize>(lanes: L, p: *const T) -> [L::F32; U] {
    let mut xs = [lanes.splat(0.0); U];
    let (pairs, rest) = xs.as_chunks_mut::<2>();
    for (i, pair) in pairs.iter_mut().enumerate() {
        // SAFETY: `# Safety` of this function requires it.
        *pair = unsafe { T::load_pair(lanes, p.add(2 * i * L::COUNT)) };
    }
    for x in rest {
        // SAFETY: `# Safety` of this function requires it.
        *x = unsafe { T::load(lanes, p.add((U - 1) * L::COUNT)) };
    }
    xs
}

/// The reverse of [`load`], past the caches with `STREAM`.
///
/// # Safety
/// `p` is writable for `U * COUNT` elements; with `STREAM`, it is aligned to a vector.
#[inline(always)]
unsafe fn store<L: Simd, T: Element, const U: usize, const STREAM: bool>(
    lanes: L,
    ys: [L::F32; U],
    p: *mut T,
) {
    let (pairs, rest) = ys.as_chunks::<2>();
    for (i, &pair) in pairs.iter().enumerate() {
        // SAFETY: `# Safety` of this function requires it.
        unsafe { T::store_pair::<_, STREAM>(lanes, pair, p.add(2 * i * L::COUNT)) };
    }
    for &y in rest {
        // SAFETY: `# Safety` of this function requires it.
        unsafe {
            let p = p.add((U - 1) * L::COUNT);
            if STREAM { T::stream(lanes, y, p) } else { T::store(lanes, y, p) }
        }
    }
}
