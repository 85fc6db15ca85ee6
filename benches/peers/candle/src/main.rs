//! Times candle's CPU kernels. One measurement a call, `key value` lines out; exits with 3 where
//! candle has no such operation. `RAYON_NUM_THREADS` sets the threads.

use std::borrow::Cow;
use std::error::Error;
use std::hint::black_box;
use std::io::Read;
use std::time::{Duration, Instant};

use candle_core::quantized::{GgmlDType, QMatMul, QStorage, QTensor};
use candle_core::{DType, Device, Module, Tensor};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// The Apertus-8B MLP.
const HIDDEN: usize = 4096;
const FFN: usize = 21504;
/// Weights cycle over copies of this size together, so that they come from main memory.
const OUT_OF_CACHE: usize = 768 << 20;
const CPU: Device = Device::Cpu;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let done = match args[..] {
        ["elementwise", op, n] => elementwise(op, n),
        ["mlp", dtype, tokens] => mlp(dtype, tokens),
        ["mlp-error", dtype, tokens, file] => mlp_error(dtype, tokens, file),
        _ => Err("usage: candle-bench elementwise xielu|relu2|silu|swiglu N\n\
                  \x20      candle-bench mlp TYPE TOKENS\n\
                  \x20      candle-bench mlp-error TYPE TOKENS FILE"
            .into()),
    };
    if let Err(e) = done {
        eprintln!("candle-bench: {e}");
        std::process::exit(3);
    }
}

/// Median seconds of `f`, called for half a second and at least three times.
fn time(mut f: impl FnMut() -> Result<()>) -> Result<f64> {
    f()?;
    let start = Instant::now();
    let mut times = Vec::new();
    while times.len() < 3 || start.elapsed() < Duration::from_millis(500) {
        let start = Instant::now();
        f()?;
        times.push(start.elapsed().as_secs_f64());
    }
    times.sort_by(f64::total_cmp);
    Ok(0.5 * (times[(times.len() - 1) / 2] + times[times.len() / 2]))
}

/// `alpha_p`, `alpha_n` effective, for stored 0.97 and -0.62 with beta 0.5.
fn alphas() -> (f64, f64, f64) {
    let softplus = |v: f64| v.exp().ln_1p();
    (softplus(0.97), 0.5 + softplus(-0.62), 0.5)
}

fn xielu(x: &Tensor) -> candle_core::Result<Tensor> {
    let (p, n, beta) = alphas();
    let positive = (x.sqr()? * p)?;
    let negative = ((x.minimum(-1e-6)?.exp()? - 1.0)?.sub(x)? * n)?;
    x.gt(0.0)?.where_cond(&positive, &negative)? + (x * beta)?
}

fn elementwise(op: &str, n: &str) -> Result<()> {
    let n: usize = n.parse()?;
    let x = Tensor::randn(-1.5f32, 1.2, n, &CPU)?;
    let gate = x.copy()?;
    let run = || -> candle_core::Result<Tensor> {
        match op {
            "xielu" => xielu(&x),
            "relu2" => x.relu()?.sqr(),
            "silu" => x.silu(),
            "swiglu" => gate.silu()? * &x,
            _ => candle_core::bail!("no op {op}"),
        }
    };
    let repeats = ((1 << 20) / n).clamp(1, 256);
    let seconds = time(|| {
        for _ in 0..repeats {
            black_box(run()?);
        }
        Ok(())
    })?;
    println!("ns {:.5}", 1e9 * seconds / (n * repeats) as f64);
    Ok(())
}

/// A weight matrix as candle multiplies by it, and the type its inputs take.
struct Weights {
    matrix: QMatMul,
    input: DType,
}

fn ggml_type(name: &str) -> Result<GgmlDType> {
    Ok(match name.to_ascii_lowercase().as_str() {
        "f32" => GgmlDType::F32,
        "f16" => GgmlDType::F16,
        "bf16" => GgmlDType::BF16,
        "q8_0" => GgmlDType::Q8_0,
        "q4_0" => GgmlDType::Q4_0,
        "q4_k" => GgmlDType::Q4K,
        "q5_k" => GgmlDType::Q5K,
        "q6_k" => GgmlDType::Q6K,
        _ => return Err(format!("no type {name}").into()),
    })
}

impl Weights {
    fn new(dtype: GgmlDType, rows: usize, cols: usize, bytes: &[u8]) -> Result<Self> {
        let float = match dtype {
            GgmlDType::F32 => Some(DType::F32),
            GgmlDType::F16 => Some(DType::F16),
            GgmlDType::BF16 => Some(DType::BF16),
            _ => None,
        };
        if let Some(input) = float {
            let tensor = Tensor::from_raw_buffer(bytes, input, &[rows, cols], &CPU)?;
            return Ok(Weights { matrix: QMatMul::Tensor(tensor), input });
        }
        let storage = QStorage::from_data(Cow::Borrowed(bytes), &CPU, dtype)?;
        let tensor = QTensor::new(storage, (rows, cols))?;
        Ok(Weights { matrix: QMatMul::from_qtensor(tensor)?, input: DType::F32 })
    }

    fn product(&self, x: &Tensor) -> candle_core::Result<Tensor> {
        self.matrix.forward(&x.to_dtype(self.input)?)?.to_dtype(DType::F32)
    }
}

struct Layer {
    up: Weights,
    down: Weights,
}

impl Layer {
    fn new(dtype: GgmlDType, up: &[u8], down: &[u8]) -> Result<Self> {
        let up = Weights::new(dtype, FFN, HIDDEN, up)?;
        Ok(Layer { up, down: Weights::new(dtype, HIDDEN, FFN, down)? })
    }

    fn forward(&self, x: &Tensor) -> candle_core::Result<Tensor> {
        self.down.product(&xielu(&self.up.product(x)?)?)
    }
}

/// Some random rows, encoded and repeated.
fn encoded(dtype: GgmlDType, rows: usize, cols: usize) -> Result<Vec<u8>> {
    let distinct = 64;
    let values = Tensor::randn(0f32, 0.02, (distinct, cols), &CPU)?;
    let bytes = QTensor::quantize(&values, dtype)?.data()?.into_owned();
    let row = bytes.len() / distinct;
    let mut all = Vec::with_capacity(row * rows);
    let mut state = 1usize;
    for _ in 0..rows {
        // In random order: a scalar kernel's branches must not see a period.
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        let from = (state >> 33) % distinct * row;
        all.extend_from_slice(&bytes[from..from + row]);
    }
    Ok(all)
}

fn mlp(dtype: &str, tokens: &str) -> Result<()> {
    let dtype = ggml_type(dtype)?;
    let tokens: usize = tokens.parse()?;
    let up = encoded(dtype, FFN, HIDDEN)?;
    let down = encoded(dtype, HIDDEN, FFN)?;
    let layer_bytes = up.len() + down.len();
    let layers = (0..OUT_OF_CACHE.div_ceil(layer_bytes))
        .map(|_| Layer::new(dtype, &up, &down))
        .collect::<Result<Vec<_>>>()?;
    let x = Tensor::randn(0f32, 1.0, (tokens, HIDDEN), &CPU)?;
    let h = layers[0].up.product(&x)?;
    let activation = time(|| {
        black_box(xielu(&h)?);
        Ok(())
    })?;
    // candle repacks weights when they are first used.
    layers.iter().try_for_each(|layer| layer.forward(&x).map(|_| ()))?;
    let mut next = layers.iter().cycle();
    let seconds = time(|| {
        black_box(next.next().map(|layer| layer.forward(&x)).transpose()?);
        Ok(())
    })?;
    println!("ms {:.5}\nactivation_ms {:.5}", 1e3 * seconds, 1e3 * activation);
    println!("gb_s {:.4}", layer_bytes as f64 / seconds / 1e9);
    println!("gflop_s {:.3}", 4.0 * (HIDDEN * FFN * tokens) as f64 / seconds / 1e9);
    Ok(())
}

/// On a file of `ggml-bench mlp-data`: up, down as encoded, x as f32, the f64 result.
fn mlp_error(dtype: &str, tokens: &str, file: &str) -> Result<()> {
    let dtype = ggml_type(dtype)?;
    let tokens: usize = tokens.parse()?;
    let mut file = std::fs::File::open(file)?;
    let mut read = |bytes: usize| -> Result<Vec<u8>> {
        let mut buffer = vec![0; bytes];
        file.read_exact(&mut buffer)?;
        Ok(buffer)
    };
    let matrix = HIDDEN * FFN / dtype.block_size() * dtype.type_size();
    let layer = Layer::new(dtype, &read(matrix)?, &read(matrix)?)?;
    let x = read(tokens * HIDDEN * 4)?;
    let want = read(tokens * HIDDEN * 8)?;
    let x = Tensor::from_raw_buffer(&x, DType::F32, &[tokens, HIDDEN], &CPU)?;
    let y = layer.forward(&x)?.flatten_all()?.to_vec1::<f32>()?;
    let (mut error, mut norm) = (0.0, 0.0);
    for (y, want) in y.iter().zip(want.chunks_exact(8)) {
        let want = f64::from_le_bytes(want.try_into()?);
        error += (f64::from(*y) - want).powi(2);
        norm += want * want;
    }
    println!("relative_error {:.6e}", (error / norm).sqrt());
    Ok(())
}
