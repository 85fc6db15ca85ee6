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
use xielu::RawXielu;
use xielu::activation::{Activation, Coefficients, Element, Form};
use xielu::kernels::{AlphaSums, Isa, Kernels};

/// L1, L2 (the hidden vector of the 8B model), main memory.
const SIZES: [usize; 3] = [2048, 21504, 1 << 24];
/// Those whose activations are not another's.
const ISAS: [Isa; 5] = [Isa::Scalar, Isa::Avx2, Isa::Avx512, Isa::Neon, Isa::Simd128];
const TYPES: [&str; 3] = [f32::NAME, bf16::NAME, f16::NAME];

/// A type that values are stored as.
trait Storage: Element {
    const NAME: &str;
    fn of(value: f32) -> Self;
}

impl Storage for f32 {
    const NAME: &str = "f32";
    fn of(value: f32) -> Self {
        value
    }
}

impl Storage for bf16 {
    const NAME: &str = "bf16";
    fn of(value: f32) -> Self {
        bf16::from_f32(value)
    }
}

impl Storage for f16 {
    const NAME: &str = "f16";
    fn of(value: f32) -> Self {
        f16::from_f32(value)
    }
}

const XIPRELU: Coefficients = Coefficients { alpha_p: 1.2, alpha_n: 0.8, beta: 0.5, eps: 0.0 };

fn functions() -> [(&'static str, Activation); 4] {
    let raw = RawXielu { alpha_p: 0.97, alpha_n: -0.62, beta: 0.5, eps: -1e-6 };
    [
        ("xielu", raw.freeze(Form::Ideal).into()),
        ("xiprelu", Activation::Xiprelu(XIPRELU)),
        ("relu2", Activation::Relu2),
        ("silu", Activation::Silu),
    ]
}

/// Those with gradient kernels, by the names of their gradients.
fn gradients() -> [(&'static str, Activation); 3] {
    let learned = Coefficients { alpha_p: 1.29, alpha_n: 0.93, beta: 0.5, eps: 0.0 };
    [
        ("xielu backward", Activation::Xielu(learned)),
        ("xiprelu backward", Activation::Xiprelu(XIPRELU)),
        ("relu2 backward", Activation::Relu2),
    ]
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
            group.bench_function(id(function), |b| b.iter(|| kernels.activate(&f, &x, &mut y)));
        }
        group.bench_function(id("swiglu"), |b| b.iter(|| kernels.swiglu([&gate, &x], &mut y)));
        for (function, f) in gradients() {
            let tiles = if f.kind().has_alphas() { sums.len() } else { 0 };
            group.bench_function(id(function), |b| {
                b.iter(|| kernels.backward(&f, &x, &gate, &mut y, &mut sums[..tiles]));
            });
        }
        group.bench_function(id("swiglu backward"), |b| {
            b.iter(|| kernels.swiglu_backward([&gate, &x], &x, [&mut y, &mut d_up]));
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
        let gradients = gradients().map(|f| f.0).into_iter().chain(["swiglu backward"]);
        for function in functions().map(|f| f.0).into_iter().chain(["swiglu"]).chain(gradients) {
            rows.push(format!("{} {function}", kernels.isa()));
        }
    }
    for n in SIZES {
        ratios::print(&group_name(n), n, &rows, &TYPES);
    }
}
