//! Activations and their gradients beside a copy of the same buffers, in L1, L2 and main memory.
//!
//! `cargo bench --bench activation` runs every instruction set of this machine that has
//! activations of its own, or the one that `XIELU_ISA` names; `-- 'avx2 xielu'` runs some.

#[path = "support/estimates.rs"]
mod estimates;
#[path = "support/isa.rs"]
mod isa;
#[path = "support/ratios.rs"]
mod ratios;

use std::hint::black_box;
use std::time::Duration;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput};
use half::{bf16, f16};
use xielu::kernels::{Activation, AlphaSums, Isa, Kernels, LearnedActivation, XieluCoefficients};
use xielu::{RawXielu, Xielu};

/// L1, L2 (the hidden vector of the 8B model), main memory.
const SIZES: [usize; 3] = [2048, 21504, 1 << 24];
/// Those whose activations are not another's.
const ISAS: [Isa; 5] = [Isa::Scalar, Isa::Avx2, Isa::Avx512, Isa::Neon, Isa::Simd128];
const TYPES: [&str; 3] = [f32::NAME, bf16::NAME, f16::NAME];

/// A type that values are stored as, and its kernels.
trait Storage: Copy {
    const NAME: &str;
    fn of(value: f32) -> Self;
    fn activate(kernels: &Kernels, f: &Activation, x: &[Self], y: &mut [Self]);
    fn swiglu(kernels: &Kernels, gate: &[Self], up: &[Self], y: &mut [Self]);
    fn learned_backward(
        kernels: &Kernels,
        f: &LearnedActivation,
        x_dy: [&[Self]; 2],
        dx: &mut [Self],
        sums: &mut [AlphaSums],
    );
    fn relu2_backward(kernels: &Kernels, x_dy: [&[Self]; 2], dx: &mut [Self]);
    fn swiglu_backward(kernels: &Kernels, from: [&[Self]; 3], to: [&mut [Self]; 2]);
}

macro_rules! storage {
    ($t:ty, $name:literal, $of:expr, [$activate:ident, $swiglu:ident],
     [$learned_backward:ident, $relu2_backward:ident, $swiglu_backward:ident]) => {
        impl Storage for $t {
            const NAME: &str = $name;
            fn of(value: f32) -> Self {
                $of(value)
            }
            fn activate(kernels: &Kernels, f: &Activation, x: &[Self], y: &mut [Self]) {
                kernels.$activate(f, x, y).expect("equal lengths");
            }
            fn swiglu(kernels: &Kernels, gate: &[Self], up: &[Self], y: &mut [Self]) {
                kernels.$swiglu(gate, up, y).expect("equal lengths");
            }
            fn learned_backward(
                kernels: &Kernels,
                f: &LearnedActivation,
                [x, dy]: [&[Self]; 2],
                dx: &mut [Self],
                sums: &mut [AlphaSums],
            ) {
                kernels.$learned_backward(f, x, dy, dx, sums).expect("equal lengths");
            }
            fn relu2_backward(kernels: &Kernels, [x, dy]: [&[Self]; 2], dx: &mut [Self]) {
                kernels.$relu2_backward(x, dy, dx).expect("equal lengths");
            }
            fn swiglu_backward(kernels: &Kernels, from: [&[Self]; 3], to: [&mut [Self]; 2]) {
                kernels.$swiglu_backward(from, to).expect("equal lengths");
            }
        }
    };
}

storage!(
    f32,
    "f32",
    |v| v,
    [activate_f32, swiglu_f32],
    [backward_f32, relu2_backward_f32, swiglu_backward_f32]
);
storage!(
    bf16,
    "bf16",
    bf16::from_f32,
    [activate_bf16, swiglu_bf16],
    [backward_bf16, relu2_backward_bf16, swiglu_backward_bf16]
);
storage!(
    f16,
    "f16",
    f16::from_f32,
    [activate_f16, swiglu_f16],
    [backward_f16, relu2_backward_f16, swiglu_backward_f16]
);

fn functions() -> [(&'static str, Activation); 4] {
    let raw = RawXielu { alpha_p: 0.97, alpha_n: -0.62, beta: 0.5, eps: -1e-6 };
    let xielu: Xielu = raw.freeze();
    let xiprelu = Activation::Xiprelu { alpha_p: 1.2, alpha_n: 0.8, beta: 0.5 };
    [
        ("xielu", xielu.into()),
        ("xiprelu", xiprelu),
        ("relu2", Activation::Relu2),
        ("silu", Activation::Silu),
    ]
}

/// The functions with learned alphas, for their gradients.
fn learned() -> [(&'static str, LearnedActivation); 2] {
    let xielu = XieluCoefficients { alpha_p: 1.29, alpha_n: 0.93, beta: 0.5, eps: 0.0 };
    let xiprelu = LearnedActivation::Xiprelu { alpha_p: 1.2, alpha_n: 0.8, beta: 0.5 };
    [("xielu backward", LearnedActivation::Xielu(xielu)), ("xiprelu backward", xiprelu)]
}

/// About nine in ten negative, as in trained layers.
fn pre_activations(n: usize) -> Vec<f32> {
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let uniform = std::iter::repeat_with(move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1u64 << 24) as f32
    });
    uniform.map(|u| 4.0 * u - 3.6).take(n).collect()
}

/// Every function on buffers of one storage type, and a copy of them.
fn bench<T: Storage>(group: &mut BenchmarkGroup<'_, WallTime>, kernels: &[Kernels], x: &[f32]) {
    let x: Vec<T> = x.iter().map(|&v| T::of(v)).collect();
    let mut y = x.clone();
    group.bench_function(format!("copy {}", T::NAME), |b| {
        b.iter(|| {
            y.copy_from_slice(black_box(&x));
            black_box(&mut y);
        });
    });
    let gate: Vec<T> = x.iter().rev().copied().collect();
    let mut d_up = y.clone();
    let mut sums = vec![AlphaSums::default(); x.len().div_ceil(AlphaSums::TILE)];
    for kernels in kernels {
        let id = |function| format!("{} {function} {}", kernels.isa(), T::NAME);
        for (function, f) in functions() {
            group.bench_function(id(function), |b| b.iter(|| T::activate(kernels, &f, &x, &mut y)));
        }
        group.bench_function(id("swiglu"), |b| b.iter(|| T::swiglu(kernels, &gate, &x, &mut y)));
        for (function, f) in learned() {
            group.bench_function(id(function), |b| {
                b.iter(|| T::learned_backward(kernels, &f, [&x, &gate], &mut y, &mut sums));
            });
        }
        group.bench_function(id("relu2 backward"), |b| {
            b.iter(|| T::relu2_backward(kernels, [&x, &gate], &mut y));
        });
        group.bench_function(id("swiglu backward"), |b| {
            b.iter(|| T::swiglu_backward(kernels, [&gate, &x, &x], [&mut y, &mut d_up]));
        });
    }
}

fn main() {
    let kernels = match std::env::var("XIELU_ISA") {
        Ok(_) => vec![isa::kernels()],
        Err(_) => ISAS.into_iter().filter_map(Kernels::for_isa).collect(),
    };
    let mut criterion = Criterion::default().configure_from_args().without_plots();
    let group_name = |n| format!("activation-{n}");
    for n in SIZES {
        let mut group = criterion.benchmark_group(group_name(n));
        group.throughput(Throughput::Elements(n as u64));
        group.sample_size(10).nresamples(1000).warm_up_time(Duration::from_millis(50));
        group.measurement_time(Duration::from_millis(200));
        let x = pre_activations(n);
        bench::<f32>(&mut group, &kernels, &x);
        bench::<bf16>(&mut group, &kernels, &x);
        bench::<f16>(&mut group, &kernels, &x);
        group.finish();
    }
    criterion.final_summary();
    let mut rows = vec![];
    for kernels in &kernels {
        let gradients =
            learned().map(|f| f.0).into_iter().chain(["relu2 backward", "swiglu backward"]);
        for function in functions().map(|f| f.0).into_iter().chain(["swiglu"]).chain(gradients) {
            rows.push(format!("{} {function}", kernels.isa()));
        }
    }
    for n in SIZES {
        ratios::print(&group_name(n), n, &rows, &TYPES);
    }
}
