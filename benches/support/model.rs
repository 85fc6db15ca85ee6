//! A GGUF file with random weights: a larger model with the bundled one's tokenizer.

use std::error::Error;
use std::path::Path;

use xielu::checkpoint::gguf::{GgmlType, Gguf, GgufWriter, Value};
use xielu::checkpoint::{AtomicFile, Checkpoint as _, Role};
use xielu::kernels::DType;
use xielu::{Config, quant};
use xielu_testing::noise::Noise;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const BUNDLED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/models/tiny-Q8_0.gguf");
/// Random rows of a tensor; the others repeat them.
const DISTINCT: usize = 64;

/// Writes the file to `path`, 440 million parameters, and returns its configuration.
pub fn write(path: &Path, dtype: DType) -> Result<Config> {
    let bundled = std::fs::read(BUNDLED)?;
    let bundled = Gguf::parse(&bundled)?;
    let config = Config {
        num_layers: 8,
        context_length: 4096,
        hidden_size: 2048,
        intermediate_size: 10752,
        num_heads: 16,
        num_kv_heads: 4,
        head_dim: 128,
        ..bundled.config()?
    };
    let dtype_of = |role: Role| if role.shape(&config).0 == 1 { DType::F32 } else { dtype };
    let mut writer = GgufWriter::new();
    metadata(&mut writer, &bundled, &config)?;
    for role in Role::all(&config) {
        let (rows, cols) = role.shape(&config);
        let dims = [cols as u64, rows as u64];
        let dims = if rows == 1 { &dims[..1] } else { &dims };
        let ggml_type = GgmlType::from_dtype(dtype_of(role)).ok_or("GGUF has no such type")?;
        writer.tensor(&role.to_string(), dims, ggml_type)?;
    }
    let mut data = writer.begin(AtomicFile::create(path)?)?;
    for role in Role::all(&config) {
        let (rows, cols) = role.shape(&config);
        let distinct = encoded(dtype_of(role), rows.min(DISTINCT), cols)?;
        for row in distinct.iter().cycle().take(rows) {
            data.write(row)?;
        }
    }
    data.finish()?.commit()?;
    Ok(config)
}

/// The bundled model's, with another shape and as many scalars as there are layers.
fn metadata(writer: &mut GgufWriter, bundled: &Gguf<'_>, config: &Config) -> Result<()> {
    let shape = [
        ("apertus.block_count", config.num_layers),
        ("apertus.context_length", config.context_length),
        ("apertus.embedding_length", config.hidden_size),
        ("apertus.feed_forward_length", config.intermediate_size),
        ("apertus.attention.head_count", config.num_heads),
        ("apertus.attention.head_count_kv", config.num_kv_heads),
        ("apertus.rope.dimension_count", config.head_dim),
    ];
    for (key, value) in bundled.metadata() {
        if let Some((_, size)) = shape.iter().find(|(known, _)| *known == key) {
            writer.pair(key, Value::U32((*size).try_into()?))?;
        } else if let (true, Value::Array(array)) = (key.starts_with("xielu."), value) {
            let scalars = array.f32s().ok_or("scalars that are not f32")?;
            let scalars: Vec<f32> = scalars.cycle().take(config.num_layers).collect();
            writer.f32s(key, &scalars)?;
        } else {
            writer.pair(key, value)?;
        }
    }
    Ok(())
}

/// Random rows; a norm's are near 1.
fn encoded(dtype: DType, rows: usize, cols: usize) -> Result<Vec<Vec<u8>>> {
    let mut noise = Noise::new(cols as u64);
    let norm = f32::from(u8::from(rows == 1));
    let mut row = || -> Result<Vec<u8>> {
        let values: Vec<f32> = noise.normal(cols).iter().map(|v| norm + 0.02 * v).collect();
        let mut bytes = vec![0; dtype.row_bytes(cols).ok_or("not whole blocks")?];
        quant::encode_row(dtype, &values, &mut bytes)?;
        Ok(bytes)
    };
    (0..rows).map(|_| row()).collect()
}
