//! Activations beside a copy of the same f32 buffers, in L1, L2, L3 and main memory.
//!
//! `cargo bench --bench activation`; `XIELU_ISA=scalar` chooses the instruction set.

#[path = "support/estimates.rs"]
mod estimates;
#[path = "support/ratios.rs"]
mod ratios;

use std::time::Duration;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput};
use half::{bf16, f16};
use xielu::kernels::{Activation, Kernels};
use xielu::{RawXielu, Xielu};

/// L1, L2, L3, main memory.
const SIZES: [usize; 4] = [4096, 21504, 1 << 20, 1 << 24];
const COPY: &str = "copy f32";

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

/// Benchmarks every function on buffers of one storage type.
macro_rules! bench_type {
    ($group:expr, $ids:expr, $kernels:expr, $x:expr, $t:ty, $name:literal, $convert:expr,
     $activate:ident, $swiglu:ident) => {{
        let x: Vec<$t> = $x.iter().map(|&v| $convert(v)).collect();
        let mut y = x.clone();
        for (function, f) in functions() {
            bench(&mut $group, &mut $ids, format!("{function} {}", $name), || {
                $kernels.$activate(&f, &x, &mut y).expect("equal lengths")
            });
        }
        let gate: Vec<$t> = x.iter().rev().copied().collect();
        bench(&mut $group, &mut $ids, format!("swiglu {}", $name), || {
            $kernels.$swiglu(&gate, &x, &mut y).expect("equal lengths")
        });
    }};
}

fn bench(
    group: &mut BenchmarkGroup<'_, WallTime>,
    ids: &mut Vec<String>,
    id: String,
    mut f: impl FnMut(),
) {
    group.bench_function(&id, |b| b.iter(&mut f));
    ids.push(id);
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

fn main() {
    let isa = std::env::var("XIELU_ISA").ok().map(|name| name.parse().expect("XIELU_ISA"));
    let kernels = isa.map_or_else(Kernels::detect, |isa| {
        Kernels::for_isa(isa).expect("this machine does not run XIELU_ISA")
    });
    println!("instruction set: {}", kernels.isa());
    let mut criterion = Criterion::default().configure_from_args().without_plots();
    let mut tables = Vec::new();
    for n in SIZES {
        let name = format!("activation-{n}");
        let mut ids = Vec::new();
        let mut group = criterion.benchmark_group(&name);
        group.throughput(Throughput::Elements(n as u64));
        group.sample_size(20).warm_up_time(Duration::from_millis(300));
        group.measurement_time(Duration::from_secs(1));
        let x = pre_activations(n);
        let mut y = x.clone();
        bench(&mut group, &mut ids, COPY.into(), || {
            y.copy_from_slice(std::hint::black_box(&x));
            std::hint::black_box(&mut y);
        });
        bench_type!(group, ids, kernels, x, f32, "f32", |v| v, activate_f32, swiglu_f32);
        bench_type!(
            group,
            ids,
            kernels,
            x,
            bf16,
            "bf16",
            bf16::from_f32,
            activate_bf16,
            swiglu_bf16
        );
        bench_type!(group, ids, kernels, x, f16, "f16", f16::from_f32, activate_f16, swiglu_f16);
        group.finish();
        tables.push((name, ids, n));
    }
    criterion.final_summary();
    for (name, ids, n) in &tables {
        ratios::print(name, ids, COPY, *n);
    }
}
