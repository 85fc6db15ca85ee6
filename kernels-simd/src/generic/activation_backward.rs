//! Gradients: the loops over slices and the table of kernels.
//! [`activation_derivative`](crate::generic::activation_derivative) has the formulas,
//! [`alpha_sums`](crate::generic::alpha_sums) the order in which the gradients of the alphas are
//! added up.

use half::{bf16, f16};

use crate::generic::activation::{Xielu, Xiprelu, above_sigmoid_limit};
use crate::generic::activation_derivative::{
    Differentiable, IdealSlopes, Relu2Gradient, Slopes, swiglu_gradients,
};
use crate::generic::alpha_sums::{AlphaSums, GROUPS, STEP, TILE, add_groups, add_up};
use crate::generic::elementwise::{UNROLL, binary};
use crate::generic::parameters::Activation;
use crate::generic::simd::{Element, MAX_LANES, Simd, canonical, cold};

/// Kernels of one instruction set. Slices hold `n` elements; outputs equal an input or are
/// disjoint from it.
pub(crate) struct Table {
    pub f32: TableOf<f32>,
    pub bf16: TableOf<bf16>,
    pub f16: TableOf<f16>,
}

/// Kernels of one storage type.
pub(crate) struct TableOf<T> {
    /// `dx` from `x` and `dy`, and, where the function has alphas, a sum for every tile. False, and
    /// nothing is written, where the function has no gradient kernel.
    pub backward: unsafe fn(
        &Activation,
        x_dy: [*const T; 2],
        dx: *mut T,
        n: usize,
        sums: *mut AlphaSums,
    ) -> bool,
    /// `d_gate` and `d_up` from `gate`, `up` and `dy`.
    pub swiglu: unsafe fn(from: [*const T; 3], to: [*mut T; 2], n: usize),
}

/// `TABLE`, the kernels of the instruction set whose token is `$token`. `$compile` compiles them
/// with its features, where the target does not have them in any case.
macro_rules! table {
    ($token:expr) => {
        $crate::generic::activation_backward::table!($token, $crate::generic::simd::as_it_is);
    };
    ($token:expr, $($compile:tt)+) => {
        use $crate::generic::activation_backward as kernels;
        use $crate::generic::simd::Element;

        pub(crate) const TABLE: kernels::Table =
            kernels::Table { f32: table_of(), bf16: table_of(), f16: table_of() };

        const fn table_of<T: Element>() -> kernels::TableOf<T> {
            kernels::TableOf { backward, swiglu }
        }

        $($compile)+! {
            /// # Safety
            /// As the table says; the machine runs this instruction set.
            unsafe fn backward<T: Element>(
                f: &$crate::generic::parameters::Activation,
                x_dy: [*const T; 2],
                dx: *mut T,
                n: usize,
                sums: *mut $crate::generic::alpha_sums::AlphaSums,
            ) -> bool {
                // SAFETY: `# Safety` of this function requires the same.
                unsafe { kernels::backward($token, f, x_dy, dx, n, sums) }
            }

            /// # Safety
            /// As the table says; the machine runs this instruction set.
            unsafe fn swiglu<T: Element>(from: [*const T; 3], to: [*mut T; 2], n: usize) {
                // SAFETY: `# Safety` of this function requires the same.
                unsafe { kernels::swiglu($token, from, to, n) };
            }
        }
    };
}
pub(crate) use table;

/// `dx[i] = dy[i] * f'(x[i])`, and the alphas' sums of each tile; false where there is no kernel.
///
/// # Safety
/// `x`, `dy` are readable and `dx` writable for `n` elements; `dx` equals each of the others or is
/// disjoint from it. Where the function has alphas, `sums` is writable for `n.div_ceil(TILE)`
/// elements.
#[inline(always)]
pub(crate) unsafe fn backward<L: Simd, T: Element>(
    lanes: L,
    f: &Activation,
    x_dy: [*const T; 2],
    dx: *mut T,
    n: usize,
    sums: *mut AlphaSums,
) -> bool {
    /// One loop for one function.
    macro_rules! run {
        ($f:expr) => {
            // SAFETY: `# Safety` of this function requires the same.
            unsafe { tiles(lanes, $f, x_dy, dx, n, sums) }
        };
    }
    match *f {
        Activation::Xielu(c) if !crate::built::SMALL && c.is_ideal() => run!(IdealSlopes(c)),
        Activation::Xielu(c) => run!(Xielu(c)),
        Activation::Xiprelu(c) => run!(Xiprelu(c)),
        // SAFETY: `# Safety` of this function requires the same.
        Activation::Relu2 => unsafe { binary(lanes, Relu2Gradient, x_dy[0], x_dy[1], dx, n) },
        Activation::Silu | Activation::Elu { .. } | Activation::Xsilu { .. } => return false,
    }
    true
}

/// `dy*f'(alpha)` of a step's elements.
struct Products {
    p: [f32; STEP],
    n: [f32; STEP],
}

/// # Safety
/// As [`backward`].
#[inline(always)]
unsafe fn tiles<L: Simd, T: Element>(
    lanes: L,
    f: impl Differentiable,
    [x, dy]: [*const T; 2],
    dx: *mut T,
    n: usize,
    mut sums: *mut AlphaSums,
) {
    let mut products = Products { p: [0.0; STEP], n: [0.0; STEP] };
    let mut start = 0;
    while start < n {
        let end = n.min(start.saturating_add(TILE));
        let (mut p, mut n) = ([0.0; GROUPS], [0.0; GROUPS]);
        while start < end {
            let len = STEP.min(end - start);
            // SAFETY: `start + len <= end <= n`.
            unsafe {
                step(lanes, f, [x.add(start), dy.add(start)], dx.add(start), len, &mut products)
            };
            add_groups::<T>(&products.p, &mut p);
            add_groups::<T>(&products.n, &mut n);
            start += len;
        }
        // SAFETY: one for each tile that has begun.
        unsafe {
            *sums = AlphaSums { p: add_up(&mut p), n: add_up(&mut n) };
            sums = sums.add(1);
        }
    }
}

/// One step; what does not exist has products of 0.
///
/// # Safety
/// As [`backward`] says of `x`, `dy` and `dx`; `n` is at most `STEP`.
#[inline(always)]
unsafe fn step<L: Simd, T: Element>(
    lanes: L,
    f: impl Differentiable,
    [x, dy]: [*const T; 2],
    dx: *mut T,
    n: usize,
    products: &mut Products,
) {
    let [p, by_n] = [products.p.as_mut_ptr(), products.n.as_mut_ptr()];
    let mut i = 0;
    while UNROLL > 1 && n - i >= UNROLL * L::COUNT {
        // SAFETY: that many elements are left, here and in the products.
        unsafe {
            let to = [p.add(i), by_n.add(i)];
            vectors::<_, _, UNROLL>(lanes, f, [x.add(i), dy.add(i)], dx.add(i), to);
        }
        i += UNROLL * L::COUNT;
    }
    while n - i >= L::COUNT {
        // SAFETY: as above.
        unsafe {
            let to = [p.add(i), by_n.add(i)];
            vectors::<_, _, 1>(lanes, f, [x.add(i), dy.add(i)], dx.add(i), to);
        }
        i += L::COUNT;
    }
    if i < n {
        let mut buffers = [[T::default(); MAX_LANES]; 2];
        let [x_end, dy_end] = buffers.each_mut().map(|b| b.as_mut_ptr());
        // SAFETY: `n - i < COUNT <= MAX_LANES`; STEP is a multiple of COUNT and so is `i`, so
        // products have room for a vector.
        unsafe {
            x.add(i).copy_to_nonoverlapping(x_end, n - i);
            dy.add(i).copy_to_nonoverlapping(dy_end, n - i);
            let to = [p.add(i), by_n.add(i)];
            vectors::<_, _, 1>(lanes, f, [x_end, dy_end], dy_end, to);
            dy_end.copy_to_nonoverlapping(dx.add(i), n - i);
        }
        i += L::COUNT;
    }
    for products in [&mut products.p, &mut products.n] {
        if let Some(rest) = products.get_mut(i..) {
            rest.fill(0.0);
        }
    }
}

/// `U` vectors of [`step`]. Loops and no closures, as in [`crate::generic::simd`].
///
/// # Safety
/// `x`, `dy` are readable and the others writable for `U * COUNT` elements.
#[inline(always)]
unsafe fn vectors<L: Simd, T: Element, const U: usize>(
    lanes: L,
    f: impl Differentiable,
    [x, dy]: [*const T; 2],
    dx: *mut T,
    [by_p, by_n]: [*mut f32; 2],
) {
    let zero = lanes.splat(0.0);
    let mut xs = [zero; U];
    for (u, x_u) in xs.iter_mut().enumerate() {
        // SAFETY: `# Safety` of this function requires it.
        *x_u = unsafe { T::load(lanes, x.add(u * L::COUNT)) };
    }
    let mut slopes = [Slopes::<L> { dx: zero, alpha_p: zero, alpha_n: zero }; U];
    if !crate::built::SMALL && f.usable(lanes, &xs) {
        for (slopes, &x) in slopes.iter_mut().zip(&xs) {
            *slopes = f.fast(lanes, x);
        }
    } else {
        for (slopes, &x) in slopes.iter_mut().zip(&xs) {
            *slopes = f.slopes(lanes, x);
        }
    }
    for (u, slopes) in slopes.into_iter().enumerate() {
        let at = u * L::COUNT;
        // SAFETY: `# Safety` of this function requires it.
        unsafe {
            let dy = T::load(lanes, dy.add(at));
            lanes.store_f32(lanes.mul(dy, slopes.alpha_p), by_p.add(at));
            lanes.store_f32(lanes.mul(dy, slopes.alpha_n), by_n.add(at));
            T::store(lanes, canonical(lanes, lanes.mul(dy, slopes.dx)), dx.add(at));
        }
    }
}

/// `d_gate[i] = dy[i] * up[i] * silu'(gate[i])` and `d_up[i] = dy[i] * silu(gate[i])`.
///
/// # Safety
/// The three of `from` are readable and the two of `to` writable for `n` elements; each of `to`
/// equals one of `from` or is disjoint from all others.
#[inline(always)]
pub(crate) unsafe fn swiglu<L: Simd, T: Element>(
    lanes: L,
    [gate, up, dy]: [*const T; 3],
    [d_gate, d_up]: [*mut T; 2],
    n: usize,
) {
    let mut i = 0;
    while n - i >= L::COUNT {
        // SAFETY: that many elements are left, and each is read before it is written.
        unsafe {
            let from = [gate.add(i), up.add(i), dy.add(i)];
            swiglu_vector(lanes, from, [d_gate.add(i), d_up.add(i)]);
        }
        i += L::COUNT;
    }
    if i < n {
        let mut buffers = [[T::default(); MAX_LANES]; 3];
        let [g, u, d] = buffers.each_mut().map(|b| b.as_mut_ptr());
        // SAFETY: `n - i < COUNT <= MAX_LANES`; each buffer holds a whole vector.
        unsafe {
            gate.add(i).copy_to_nonoverlapping(g, n - i);
            up.add(i).copy_to_nonoverlapping(u, n - i);
            dy.add(i).copy_to_nonoverlapping(d, n - i);
            swiglu_vector(lanes, [g, u, d], [g, u]);
            g.copy_to_nonoverlapping(d_gate.add(i), n - i);
            u.copy_to_nonoverlapping(d_up.add(i), n - i);
        }
    }
}

/// One vector of [`swiglu`].
///
/// # Safety
/// As [`swiglu`], for `COUNT` elements.
#[inline(always)]
unsafe fn swiglu_vector<L: Simd, T: Element>(lanes: L, from: [*const T; 3], to: [*mut T; 2]) {
    let mut values = [lanes.splat(0.0); 3];
    for (value, from) in values.iter_mut().zip(from) {
        // SAFETY: `# Safety` of this function requires it.
        *value = unsafe { T::load(lanes, from) };
    }
    let gradients = if !crate::built::SMALL && above_sigmoid_limit(lanes, &[values[0]]) {
        swiglu_gradients::<_, true>(lanes, values)
    } else {
        cold();
        swiglu_gradients::<_, false>(lanes, values)
    };
    for (gradient, to) in gradients.into_iter().zip(to) {
        // SAFETY: `# Safety` of this function requires it.
        unsafe { T::store(lanes, canonical(lanes, gradient), to) };
    }
}
