//! This library's side of `compare.py`: one measurement a call, `key value` lines out. Threads
//! are `RAYON_NUM_THREADS`, the instruction set is `XIELU_ISA`.

#[path = "../../kernels-simd/benches/support/bandwidth.rs"]
mod bandwidth;
#[path = "../support/isa.rs"]
mod isa;
#[path = "../support/layer.rs"]
mod layer;
#[path = "../support/timing.rs"]
mod timing;

use std::error::Error;
use std::hint::black_box;
use std::io::Read as _;

use layer::{FORMS, HIDDEN, Layers, Run, ffn};
use rayon::prelude::*;
use timing::median_seconds;
use xielu::activation::{Activation, ActivationKind};
use xielu::kernels::{DType, Kernels};
use xielu::quant::ENCODED;
use xielu_testing::noise::Noise;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// Weights cycle over copies of this size together, so that they come from main memory.
const OUT_OF_CACHE: usize = 768 << 20;

fn main() {
    // `cargo bench` adds `--bench`.
    let args: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    if let Err(e) = rayon::scope(|_| run(&args)) {
        eprintln!("peers: {e}");
        std::process::exit(2);
    }
}

fn run(args: &[&str]) -> Result<()> {
    match *args {
        ["info"] => {
            for isa in xielu::kernels::Isa::ALL.iter().filter(|isa| isa.is_available()) {
                println!("isa {isa}");
            }
            ENCODED.iter().for_each(|dtype| println!("type {dtype}"));
            Ok(())
        }
        ["bandwidth"] => {
            let read = bandwidth::read(rayon::current_num_threads());
            println!("one_stream {:.3}\nfour_streams {:.3}", read.one_stream, read.four_streams);
            println!("best {:.3}", read.best());
            Ok(())
        }
        ["elementwise", op, n] => elementwise(op, n.parse()?),
        ["mlp", form, dtype, tokens, layout] => {
            let (_, form) =
                FORMS.into_iter().find(|(name, _)| *name == form).ok_or("no such form")?;
            mlp(form, dtype_named(dtype)?, tokens.parse()?, layout == "packed")
        }
        ["mlp-error", dtype, tokens, file] => mlp_error(dtype_named(dtype)?, tokens.parse()?, file),
        _ => Err("see benches/peers/compare.py, which calls this".into()),
    }
}

fn dtype_named(name: &str) -> Result<DType> {
    let found = ENCODED.into_iter().find(|dtype| dtype.name().eq_ignore_ascii_case(name));
    // Exit status 3, as the peers': there is no such kernel.
    found.map_or_else(|| std::process::exit(3), Ok)
}

/// Gate, input, output.
type Work<'a> = dyn Fn(&[f32], &[f32], &mut [f32]) + Sync + 'a;

/// One operation on n values again and again, or a copy of the same buffers.
fn elementwise(op: &str, n: usize) -> Result<()> {
    let kernels = isa::kernels();
    let x: Vec<f32> = Noise::new(1).normal(n).iter().map(|v| 1.2 * v - 1.5).collect();
    let gate = x.clone();
    let mut y = x.clone();
    let part = n.div_ceil(rayon::current_num_threads());
    let repeats = ((1 << 20) / n).clamp(1, 256);
    let work: &Work<'_> = match op {
        "copy" => &|_, x, y| y.copy_from_slice(black_box(x)),
        "swiglu" => &|gate, x, y| kernels.swiglu([gate, x], y).expect("equal lengths"),
        "xielu" => &activate(&kernels, layer::xielu().into()),
        "relu2" => &activate(&kernels, Activation::Relu2),
        "silu" => &activate(&kernels, Activation::Silu),
        _ => return Err(format!("no operation {op}").into()),
    };
    let seconds = median_seconds(|| {
        for _ in 0..repeats {
            if part == n {
                work(&gate, &x, &mut y);
            } else {
                let inputs = gate.par_chunks(part).zip(x.par_chunks(part));
                inputs.zip(y.par_chunks_mut(part)).for_each(|((gate, x), y)| work(gate, x, y));
            }
            black_box(&mut y);
        }
    });
    println!("ns {:.5}", 1e9 * seconds / (n * repeats) as f64);
    Ok(())
}

fn activate(kernels: &Kernels, f: Activation) -> impl Fn(&[f32], &[f32], &mut [f32]) + Sync {
    move |_, x, y| kernels.activate(&f, x, y).expect("equal lengths")
}

fn mlp(form: ActivationKind, dtype: DType, tokens: usize, packed: bool) -> Result<()> {
    let kernels = isa::kernels();
    let stored = Layers::new(form, dtype, OUT_OF_CACHE).ok_or("no encoder for the type")?;
    let mut layers = stored.all();
    let bytes = if packed { layers[0].packed_bytes(&kernels) } else { 0 };
    let mut memory = vec![vec![0; bytes]; layers.len()];
    if packed && bytes == 0 {
        // Exit status 3, as the peers': there is no such layout.
        std::process::exit(3);
    }
    if packed {
        for (layer, memory) in layers.iter_mut().zip(&mut memory) {
            *layer = layer.pack(&kernels, memory)?;
        }
    }
    let mut run = Run::new(layers, kernels, Noise::new(3).normal(tokens * HIDDEN));
    let seconds = median_seconds(|| {
        black_box(run.forward());
    });
    println!("ms {:.5}", 1e3 * seconds);
    if form == ActivationKind::Xielu {
        let h = Noise::new(4).normal(ffn(form));
        let mut a = h.clone();
        let alone = median_seconds(|| layer::activate(kernels, tokens, &h, &mut a));
        println!("activation_ms {:.5}", 1e3 * alone);
    }
    println!("gb_s {:.4}", layer::bytes(dtype) / seconds / 1e9);
    println!("gflop_s {:.3}", layer::operations(tokens) / seconds / 1e9);
    Ok(())
}

/// On a file of `ggml-bench mlp-data`: up, down as encoded, x as f32, the f64 result.
fn mlp_error(dtype: DType, tokens: usize, file: &str) -> Result<()> {
    let kernels = isa::kernels();
    let mut file = std::fs::File::open(file)?;
    let mut read = |bytes: usize| -> Result<Vec<u8>> {
        let mut buffer = vec![0; bytes];
        file.read_exact(&mut buffer)?;
        Ok(buffer)
    };
    let matrix = dtype.row_bytes(HIDDEN).ok_or("not whole blocks")? * ffn(ActivationKind::Xielu);
    let copies = vec![vec![read(matrix)?, read(matrix)?]];
    let layers = Layers { act: ActivationKind::Xielu, dtype, copies };
    let x = read(tokens * HIDDEN * 4)?;
    let want = read(tokens * HIDDEN * 8)?;
    let x = x.as_chunks().0.iter().map(|&b| f32::from_le_bytes(b)).collect();
    let mut run = Run::new(layers.all(), kernels, x);
    let (mut error, mut norm) = (0.0, 0.0);
    for (&y, &want) in run.forward().iter().zip(want.as_chunks().0) {
        let want = f64::from_le_bytes(want);
        error += (f64::from(y) - want).powi(2);
        norm += want * want;
    }
    println!("relative_error {:.6e}", (error / norm).sqrt());
    Ok(())
}
