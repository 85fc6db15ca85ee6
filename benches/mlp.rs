//! The MLP with xIELU, ReLU² and SwiGLU at the same number of parameters, beside what the machine
//! allows.
//!
//! `cargo bench --bench mlp --features rayon -- Q8_0/1/` measures one type at one batch;
//! `XIELU_ISA` chooses the instruction set, `RAYON_NUM_THREADS` the threads.

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

use criterion::Criterion;
use layer::rand::{Bits, normal};
use layer::{Form, HIDDEN, Layers, Run};
use xielu::kernels::{DType, Kernels};

const GROUP: &str = "mlp";
const TOKENS: [usize; 4] = [1, 8, 32, 512];
/// Layers of one type together: too many for a cache.
const OUT_OF_CACHE: usize = 768 << 20;

fn main() {
    rayon::scope(|_| run(isa::kernels()));
}

fn run(kernels: Kernels) {
    let threads = rayon::current_num_threads();
    println!("instruction set: {}, threads: {threads}", kernels.isa());
    let mut criterion = Criterion::default().configure_from_args().without_plots();
    for dtype in DType::ALL {
        for form in Form::ALL {
            bench(&mut criterion, kernels, form, dtype);
        }
    }
    criterion.final_summary();
    print_table(kernels, threads);
}

fn id(dtype: DType, tokens: usize, form: Form) -> String {
    format!("{dtype}/{tokens}/{}", form.name())
}

fn bench(criterion: &mut Criterion, kernels: Kernels, form: Form, dtype: DType) {
    // Made only if a filter lets a benchmark through.
    let layers = LazyCell::new(|| {
        Layers::new(form, dtype, OUT_OF_CACHE).expect("the library encodes every type")
    });
    let mut group = criterion.benchmark_group(GROUP);
    group.sample_size(10).warm_up_time(Duration::from_millis(200));
    group.measurement_time(Duration::from_secs(1));
    for tokens in TOKENS {
        let x = || normal(&mut Bits::new(3), tokens * HIDDEN);
        let mut run = None;
        group.bench_function(id(dtype, tokens, form), |b| {
            let run = run.get_or_insert_with(|| Run::new(&layers, kernels, x()));
            b.iter(|| black_box(run.forward()[0]));
        });
    }
}

fn print_table(kernels: Kernels, threads: usize) {
    let read = bandwidth::read(threads).best();
    let peaks = peaks::measure(kernels.isa(), threads);
    println!("\nread bandwidth {read:.1} GB/s");
    if let Some(peaks) = peaks {
        let (fma, dot) = (peaks.fma_f32 / 1e9, peaks.dot_i8 / 1e9);
        println!("peak {fma:.0} GFLOP/s (f32), {dot:.0} GOP/s (8-bit products)");
    }
    println!(
        "\n{:<6}{:>7} {:<8}{:>11}{:>9}{:>10}{:>11}{:>9}{:>12}",
        "type", "tokens", "form", "ms", "GB/s", "of read", "GFLOP/s", "of peak", "x xielu"
    );
    for dtype in DType::ALL {
        for tokens in TOKENS {
            let time = |form| estimates::median(GROUP, &id(dtype, tokens, form));
            for form in Form::ALL {
                let Some(ns) = time(form) else { continue };
                let bytes = layer::bytes(dtype);
                let (gb, gflop) = (bytes / ns, layer::operations(tokens) / ns);
                let peak = peaks.map(|p| if dtype.is_quantized() { p.dot_i8 } else { p.fma_f32 });
                let share = peak.map_or(f64::NAN, |p| 100.0 * gflop * 1e9 / p);
                let ratio = time(Form::Xielu).map_or(f64::NAN, |xielu| ns / xielu);
                println!(
                    "{dtype:<6}{tokens:>7} {:<8}{:>11.3}{gb:>9.2}{:>9.0}%{gflop:>11.1}{share:>8.0}%{ratio:>12.2}",
                    form.name(),
                    ns / 1e6,
                    100.0 * gb / read
                );
            }
        }
    }
}
