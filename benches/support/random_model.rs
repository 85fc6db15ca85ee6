//! GGUF files with random weights, in the shapes of Apertus models, for this library and
//! llama.cpp: speed does not depend on what a model has learned.

use std::error::Error;
use std::path::Path;

use xielu::Config;
use xielu::checkpoint::gguf::{GgmlType, Gguf, GgufWriter, Value};
use xielu::checkpoint::{AtomicFile, Checkpoint as _, Role};
use xielu::config::Rope;
use xielu::convert::Types;
use xielu::kernels::DType;
use xielu::quant;
use xielu_testing::noise::Noise;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Its tokenizer becomes everyone's.
const BUNDLED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/models/tiny-Q8_0.gguf");
/// Random values encoded in each type; rows begin anywhere among them.
const POOL: usize = 1 << 20;
/// Standard deviation of a weight: what models are initialised with.
const DEVIATION: f32 = 0.02;
/// `tokenizer.ggml.token_type` of a row of the embedding that is no token.
const UNUSED: i32 = 5;

/// A model to be made.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// What it is called.
    pub name: &'static str,
    layers: usize,
    hidden: usize,
    ffn: usize,
    heads: usize,
    kv_heads: usize,
    vocab: usize,
    context: usize,
}

/// Of the two last, everything is as in the Apertus models of that size; the others are smaller in
/// layers and vocabulary.
#[rustfmt::skip]
pub const SHAPES: [Shape; 5] = [
    Shape { name: "small", layers: 2, hidden: 256, ffn: 768, heads: 4, kv_heads: 2, vocab: 1024, context: 8192 },
    Shape { name: "0.4B", layers: 8, hidden: 2048, ffn: 10752, heads: 16, kv_heads: 4, vocab: 1024, context: 4096 },
    Shape { name: "1.1B", layers: 16, hidden: 2048, ffn: 12288, heads: 32, kv_heads: 8, vocab: 32768, context: 65536 },
    Shape { name: "1.5B", layers: 16, hidden: 2048, ffn: 12288, heads: 32, kv_heads: 8, vocab: 131072, context: 65536 },
    Shape { name: "8B", layers: 32, hidden: 4096, ffn: 21504, heads: 32, kv_heads: 8, vocab: 131072, context: 65536 },
];

impl Shape {
    /// The shape of that name.
    pub fn named(name: &str) -> Result<Self> {
        let found = SHAPES.into_iter().find(|shape| shape.name.eq_ignore_ascii_case(name));
        found.ok_or_else(|| {
            format!("no shape {name}; there are {}", SHAPES.map(|shape| shape.name).join(" "))
                .into()
        })
    }

    fn config(&self, bundled: &Config) -> Config {
        Config {
            vocab_size: self.vocab,
            output_vocab_size: self.vocab,
            hidden_size: self.hidden,
            intermediate_size: self.ffn,
            num_layers: self.layers,
            num_heads: self.heads,
            num_kv_heads: self.kv_heads,
            head_dim: self.hidden / self.heads,
            context_length: self.context,
            rope: Rope { theta: 12e6, ..bundled.rope },
            ..*bundled
        }
    }
}

/// Writes the file to `path`, a row at a time, and returns its configuration.
pub fn write(path: &Path, shape: &Shape, types: &Types) -> Result<Config> {
    let bundled = std::fs::read(BUNDLED)?;
    let bundled = Gguf::parse(&bundled)?;
    let config = shape.config(&bundled.config()?);
    let mut writer = GgufWriter::new();
    metadata(&mut writer, &bundled, shape, &config)?;
    let dtype_of = |role: Role| types.of(role, config.tie_word_embeddings);
    for role in Role::all(&config) {
        let (rows, cols) = role.shape(&config);
        let dims = [cols as u64, rows as u64];
        let dims = if role.is_vector() { &dims[..1] } else { &dims };
        let ggml_type = GgmlType::from_dtype(dtype_of(role)).ok_or("GGUF has no such type")?;
        writer.tensor(&role.to_string(), dims, ggml_type)?;
    }
    let mut data = writer.begin(AtomicFile::create(path)?)?;
    let mut noise = Noise::new(1);
    let mut pools = Vec::new();
    for role in Role::all(&config) {
        let (rows, cols) = role.shape(&config);
        if role.is_vector() {
            let near_1 = noise.normal(cols).into_iter().map(|v| 1.0 + DEVIATION * v);
            data.write(&near_1.flat_map(f32::to_le_bytes).collect::<Vec<_>>())?;
            continue;
        }
        let pool = pool_of(dtype_of(role), &mut pools)?;
        for _ in 0..rows {
            data.write(pool.row(cols, &mut noise)?)?;
        }
    }
    data.finish()?.commit()?;
    Ok(config)
}

/// The bundled model's, but for the shape.
fn metadata(
    writer: &mut GgufWriter,
    bundled: &Gguf<'_>,
    shape: &Shape,
    config: &Config,
) -> Result<()> {
    let sizes = [
        ("apertus.block_count", config.num_layers),
        ("apertus.context_length", config.context_length),
        ("apertus.embedding_length", config.hidden_size),
        ("apertus.feed_forward_length", config.intermediate_size),
        ("apertus.attention.head_count", config.num_heads),
        ("apertus.attention.head_count_kv", config.num_kv_heads),
        ("apertus.vocab_size", config.vocab_size),
        ("apertus.rope.dimension_count", config.head_dim),
    ];
    for (key, value) in bundled.metadata() {
        let size = sizes.iter().find(|(known, _)| *known == key);
        match (key, value, size) {
            (_, _, Some((_, size))) => writer.pair(key, Value::U32((*size).try_into()?))?,
            ("general.name", ..) => writer.pair(key, Value::Str("Random weights"))?,
            ("general.size_label", ..) => writer.pair(key, Value::Str(shape.name))?,
            ("apertus.rope.freq_base", ..) => writer.pair(key, Value::F32(config.rope.theta))?,
            // Readers see from the tensors what the file is.
            ("general.file_type", ..) => {}
            ("tokenizer.ggml.tokens", Value::Array(array), _) => {
                let known = array.strs().ok_or("tokens that are not strings")?;
                // So converters name a row of the embedding that is no token.
                let more = (array.len()..config.vocab_size).map(|id| format!("[PAD{id}]"));
                writer.strings(key, known.map(str::to_owned).chain(more))?;
            }
            ("tokenizer.ggml.token_type", Value::Array(array), _) => {
                let known = array.i32s().ok_or("token types that are not i32")?;
                let more = (array.len()..config.vocab_size).map(|_| UNUSED);
                writer.i32s(key, &known.chain(more).collect::<Vec<_>>())?;
            }
            (_, Value::Array(array), _) if key.starts_with("xielu.") => {
                let scalars = array.f32s().ok_or("scalars that are not f32")?;
                let scalars: Vec<f32> = scalars.cycle().take(config.num_layers).collect();
                writer.f32s(key, &scalars)?;
            }
            _ => writer.pair(key, value)?,
        }
    }
    Ok(())
}

/// Random values of one type.
struct Pool {
    dtype: DType,
    bytes: Vec<u8>,
}

/// The pool of a type, made when first asked for.
fn pool_of(dtype: DType, pools: &mut Vec<Pool>) -> Result<&Pool> {
    let at = match pools.iter().position(|pool| pool.dtype == dtype) {
        Some(at) => at,
        None => {
            let values = Noise::new(2).normal(POOL);
            let values: Vec<f32> = values.into_iter().map(|v| DEVIATION * v).collect();
            let mut bytes = vec![0; dtype.row_bytes(POOL).ok_or("no whole blocks")?];
            quant::encode_row(dtype, &values, &mut bytes)?;
            pools.push(Pool { dtype, bytes });
            pools.len() - 1
        }
    };
    Ok(&pools[at])
}

impl Pool {
    /// The bytes of `cols` values that begin with any block.
    fn row(&self, cols: usize, noise: &mut Noise) -> Result<&[u8]> {
        let bytes = self.dtype.row_bytes(cols).ok_or("rows that are no whole blocks")?;
        let room = self.bytes.len().checked_sub(bytes).ok_or("rows longer than all values")?;
        let start = noise.below(room / self.dtype.block_bytes() + 1) * self.dtype.block_bytes();
        Ok(&self.bytes[start..][..bytes])
    }
}
