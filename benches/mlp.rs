//! The MLP with xIELU, ReLU² and SwiGLU at the same number of parameters, beside what the machine
//! allows.
//!
//! `cargo bench --bench mlp --features rayon -- 'Q8_0/1/|activation'` measures one type at one
//! batch; `XIELU_ISA` chooses the instruction set, `RAYON_NUM_THREADS` the threads. The tables
//! also hold what earlier runs with the same choices measured.

#[path = "../kernels-simd/benches/support/bandwidth.rs"]
mod bandwidth;
#[path = "support/estimates.rs"]
mod estimates;
#[path = "support/isa.rs"]
mod isa;
#[path = "support/layer.rs"]
mod layer;
#[path = "../kernels-simd/benches/support/peaks.rs"]
mod peaks;

use std::cell::LazyCell;
use std::hint::black_box;
use std::time::Duration;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion};
use layer::{FORMS, HIDDEN, Layers, Run, ffn};
use xielu::activation::ActivationKind;
use xielu::kernels::{DType, Kernels};
use xielu::quant::ENCODED;
use xielu_testing::noise::Noise;

const TOKENS: [usize; 5] = [1, 8, 32, 128, 512];
/// Layers of one type together: too many for a cache.
const OUT_OF_CACHE: usize = 768 << 20;

fn main() {
    rayon::scope(|_| run(isa::kernels()));
}

fn run(kernels: Kernels) {
    let threads = rayon::current_num_threads();
    println!("instruction set: {}, threads: {threads}", kernels.isa());
    let mut criterion = Criterion::default().configure_from_args().without_plots();
    let group_name = format!("mlp-{}-{threads}", kernels.isa());
    let mut group = criterion.benchmark_group(&group_name);
    group.sample_size(10).nresamples(1000).warm_up_time(Duration::from_millis(100));
    group.measurement_time(Duration::from_millis(500));
    for tokens in TOKENS {
        bench_activation(&mut group, kernels, tokens);
    }
    for dtype in ENCODED {
        for form in FORMS {
            bench(&mut group, kernels, form, dtype);
        }
    }
    group.finish();
    criterion.final_summary();
    print_table(&group_name, kernels, threads);
}

fn id(dtype: DType, tokens: usize, form: &str) -> String {
    format!("{dtype}/{tokens}/{form}")
}

fn activation_id(tokens: usize) -> String {
    format!("activation/{tokens}")
}

fn bench_activation(group: &mut BenchmarkGroup<'_, WallTime>, kernels: Kernels, tokens: usize) {
    let x = Noise::new(4).normal(ffn(ActivationKind::Xielu));
    let mut y = x.clone();
    group.bench_function(activation_id(tokens), |b| {
        b.iter(|| layer::activate(kernels, tokens, &x, &mut y));
    });
}

fn bench(
    group: &mut BenchmarkGroup<'_, WallTime>,
    kernels: Kernels,
    (form, act): (&str, ActivationKind),
    dtype: DType,
) {
    // Made only if a filter lets a benchmark through.
    let layers = LazyCell::new(|| {
        Layers::new(act, dtype, OUT_OF_CACHE).expect("the library encodes every type")
    });
    for tokens in TOKENS {
        let x = || Noise::new(3).normal(tokens * HIDDEN);
        let mut run = None;
        group.bench_function(id(dtype, tokens, form), |b| {
            let run = run.get_or_insert_with(|| Run::new(layers.all(), kernels, x()));
            b.iter(|| black_box(run.forward()[0]));
        });
    }
}

fn print_table(group: &str, kernels: Kernels, threads: usize) {
    let read = bandwidth::read(threads).best();
    let peaks = peaks::measure(kernels.isa(), threads);
    println!("\nread bandwidth {read:.1} GB/s");
    if let Some(peaks) = peaks {
        let (fma, dot) = (peaks.fma_f32 / 1e9, peaks.dot_i8 / 1e9);
        println!("peak {fma:.0} GFLOP/s (f32), {dot:.0} GOP/s (8-bit products)");
    }
    println!(
        "\n| type | tokens | form | ms | GB/s | of read | GFLOP/s | of peak | x xielu | activation |"
    );
    println!("|---{}|", "|---".repeat(9));
    for (dtype, tokens) in ENCODED.into_iter().flat_map(|d| TOKENS.map(|t| (d, t))) {
        let time = |form| estimates::median(group, &id(dtype, tokens, form));
        for (form, act) in FORMS {
            let Some(ns) = time(form) else { continue };
            let (gb, gflop) = (layer::bytes(dtype) / ns, layer::operations(tokens) / ns);
            let peak = peaks.map(|p| if dtype.is_quantized() { p.dot_i8 } else { p.fma_f32 });
            let of_peak = peak.map_or("-".into(), |p| percent(gflop * 1e9 / p, 0));
            let ratio = time("xielu").map_or(f64::NAN, |xielu| ns / xielu);
            let alone = estimates::median(group, &activation_id(tokens));
            let share = match (act, alone) {
                (ActivationKind::Xielu, Some(alone)) => percent(alone / ns, 2),
                _ => "-".into(),
            };
            println!(
                "| {dtype} | {tokens} | {form} | {:.2} | {gb:.1} | {} | {gflop:.0} | {of_peak} \
                 | {ratio:.2} | {share} |",
                ns / 1e6,
                percent(gb / read, 0),
            );
        }
    }
}

fn percent(share: f64, digits: usize) -> String {
    format!("{:.digits$} %", 100.0 * share)
}
