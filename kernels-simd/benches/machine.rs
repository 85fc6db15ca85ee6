//! What the machine allows: read bandwidth, and the peaks of each instruction set.
//!
//! `cargo bench -p xielu-kernels-simd --bench machine`

#[path = "support/bandwidth.rs"]
mod bandwidth;
#[path = "support/peaks.rs"]
mod peaks;

use xielu_kernels_simd::Isa;

fn main() {
    let all = std::thread::available_parallelism().map_or(1, |n| n.get());
    let mut counts = vec![1, 2, all];
    counts.retain(|&n| n <= all);
    counts.dedup();
    println!("read from main memory, GB/s{:>16}{:>16}{:>10}", "one stream", "four streams", "best");
    for &threads in &counts {
        let read = bandwidth::read(threads);
        let [one, four, best] = [read.one_stream, read.four_streams, read.best()];
        println!("  {threads:>3} threads{one:>30.1}{four:>16.1}{best:>10.1}");
    }
    println!("\n{:<27}{:>16}{:>16}", "registers only", "f32 GFLOP/s", "int8 GOP/s");
    for isa in Isa::ALL {
        for &threads in &counts {
            if let Some(peak) = peaks::measure(isa, threads) {
                let [fma, dot] = [peak.fma_f32, peak.dot_i8].map(|p| p / 1e9);
                println!("  {isa:<12}{threads:>3} threads  {fma:>16.0}{dot:>16.0}");
            }
        }
    }
}
