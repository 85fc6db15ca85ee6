//! Tokens per second of the bundled model, and of the GGUF file that `XIELU_MODEL` names.
//!
//! `cargo bench --bench decoder --features rayon`; `XIELU_ISA` chooses the instruction set,
//! `RAYON_NUM_THREADS` the threads.

#[path = "../kernels-simd/benches/support/bandwidth.rs"]
mod bandwidth;
#[path = "support/estimates.rs"]
mod estimates;
#[path = "support/isa.rs"]
mod isa;

use std::path::Path;
use std::time::Duration;

use criterion::{Criterion, Throughput};
use xielu::checkpoint::Checkpoint as _;
use xielu::checkpoint::gguf::Gguf;
use xielu::kernels::Kernels;
use xielu::llama::{Decoder, DecoderOptions, KvCache, KvType, Layer, Model};
use xielu::{Backend, Rayon};

const BUNDLED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/models/tiny-Q8_0.gguf");
const PROMPT: usize = 128;
const GENERATED: usize = 32;
const BATCH: usize = 64;

fn main() {
    rayon::scope(|_| run(isa::kernels()));
}

fn run(kernels: Kernels) {
    let threads = rayon::current_num_threads();
    println!("instruction set: {}, threads: {threads}", kernels.isa());
    let mut criterion = Criterion::default().configure_from_args().without_plots();
    let paths = [Some(BUNDLED.to_string()), std::env::var("XIELU_MODEL").ok()];
    let paths: Vec<String> = paths.into_iter().flatten().collect();
    for path in &paths {
        bench(&mut criterion, kernels, Path::new(path));
    }
    criterion.final_summary();

    let read = bandwidth::read(threads).best();
    println!("\nread bandwidth {read:.1} GB/s");
    println!("{:<28}{:>18}{:>18}{:>14}", "tokens/s", "prompt", "generation", "file, of read");
    for path in paths.iter().map(Path::new) {
        let rate = |id, tokens| {
            estimates::median(&group(path), id).map_or(f64::NAN, |ns| 1e9 * tokens as f64 / ns)
        };
        let (prompt, generation) = (rate("prompt", PROMPT), rate("generation", GENERATED));
        let bytes = std::fs::metadata(path).expect("XIELU_MODEL can be read").len() as f64;
        let share = 100.0 * bytes * generation / 1e9 / read;
        println!("{:<28}{prompt:>18.1}{generation:>18.1}{share:>13.0}%", name(path));
    }
}

fn name(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

fn group(path: &Path) -> String {
    format!("decoder-{}", name(path))
}

fn bench(criterion: &mut Criterion, kernels: Kernels, path: &Path) {
    let bytes = std::fs::read(path).expect("XIELU_MODEL can be read");
    let gguf = Gguf::parse(&bytes).expect("XIELU_MODEL is a GGUF file");
    let config = gguf.config().expect("XIELU_MODEL is a model of this library");
    let mut layers = vec![Layer::EMPTY; config.num_layers];
    let model = Model::load(&gguf, &mut layers).expect("the model can be loaded");
    let context = PROMPT + GENERATED;
    let mut cache = vec![0; KvCache::bytes_needed(&config, context, KvType::F16)];
    let cache = KvCache::new(&config, context, KvType::F16, &mut cache).expect("room as asked");
    let options = DecoderOptions { batch: BATCH, mlp_tile: usize::MAX };
    let mut scratch = vec![0.0; Decoder::scratch_len(&config, &options)];
    let backend = Backend::new(kernels, &Rayon);
    let mut decoder =
        Decoder::new(&model, backend, options, cache, &mut scratch).expect("room as asked");
    let mut logits = vec![0.0; config.output_vocab_size];
    let ids = |n: usize| (0..n).map(|i| (i * 7919 % config.vocab_size) as u32).collect::<Vec<_>>();
    let (prompt, generated) = (ids(PROMPT), ids(GENERATED));

    let mut group = criterion.benchmark_group(group(path));
    group.sample_size(10).warm_up_time(Duration::from_millis(200));
    group.measurement_time(Duration::from_secs(2));
    group.throughput(Throughput::Elements(PROMPT as u64));
    group.bench_function("prompt", |b| {
        b.iter(|| {
            decoder.rewind(0);
            decoder.prompt(&prompt).expect("the context has room");
            decoder.logits(&mut logits).expect("a vocabulary's length");
        });
    });
    decoder.rewind(0);
    decoder.prompt(&prompt).expect("the context has room");
    group.throughput(Throughput::Elements(GENERATED as u64));
    group.bench_function("generation", |b| {
        b.iter(|| {
            decoder.rewind(PROMPT);
            for &id in &generated {
                decoder.step(id, &mut logits).expect("the context has room");
            }
        });
    });
}
