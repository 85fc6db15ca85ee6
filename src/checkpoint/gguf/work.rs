//! How much of a file is read, counted: work is linear in the file, whatever it holds.

use std::cell::Cell;
use std::format;
use std::vec;
use std::vec::Vec;

use super::{GgmlType, Gguf, GgufWriter, Value};
use crate::checkpoint::Checkpoint as _;
use crate::llama::{Layer, Model};

std::thread_local! {
    static FIELDS: Cell<u64> = const { Cell::new(0) };
}

/// Called for every field that is read.
pub(super) fn count() {
    FIELDS.set(FIELDS.get() + 1);
}

/// Fields that `work` reads.
fn fields<T>(work: impl FnOnce() -> T) -> (u64, T) {
    let before = FIELDS.get();
    let result = work();
    (FIELDS.get() - before, result)
}

/// A model of `layers` layers of the smallest shape, after an array of `strings` empty strings.
fn model(layers: u32, strings: usize) -> Vec<u8> {
    let mut file = GgufWriter::new();
    file.strings("a.first", vec![""; strings]).unwrap();
    file.pair("general.architecture", Value::Str("apertus")).unwrap();
    for (name, value) in [
        ("block_count", layers),
        ("context_length", 8),
        ("embedding_length", 2),
        ("feed_forward_length", 1),
        ("attention.head_count", 1),
        ("vocab_size", 1),
    ] {
        file.pair(&format!("apertus.{name}"), Value::U32(value)).unwrap();
    }
    let epsilon = "apertus.attention.layer_norm_rms_epsilon";
    file.pair(epsilon, Value::F32(1e-5)).unwrap();
    file.f32s("xielu.alpha_p", &vec![0.5; layers as usize]).unwrap();
    file.f32s("xielu.alpha_n", &vec![0.5; layers as usize]).unwrap();
    file.strings("z.last", vec![""; strings]).unwrap();
    let mut tensors = vec![("token_embd".into(), 2), ("output_norm".into(), 2)];
    for layer in 0..layers {
        let sizes = [
            ("attn_norm", 2),
            ("attn_q", 4),
            ("attn_k", 4),
            ("attn_v", 4),
            ("attn_output", 4),
            ("attn_q_norm", 2),
            ("attn_k_norm", 2),
            ("ffn_norm", 2),
            ("ffn_up", 2),
            ("ffn_down", 2),
        ];
        tensors.extend(sizes.map(|(name, size)| (format!("blk.{layer}.{name}"), size)));
    }
    // Against the order in which they are used.
    tensors.reverse();
    let dims = |name: &str, size: u64| match name.rsplit('.').next() {
        Some("attn_q" | "attn_k" | "attn_v" | "attn_output") => vec![2, 2],
        Some("ffn_down") => vec![1, 2],
        Some("ffn_up" | "token_embd") => vec![2, 1],
        _ => vec![size],
    };
    for (name, size) in &tensors {
        file.tensor(&format!("{name}.weight"), &dims(name, *size), GgmlType(0)).unwrap();
    }
    let mut data = file.begin(Vec::new()).unwrap();
    tensors.iter().for_each(|(_, size)| data.write(&vec![0; 4 * *size as usize]).unwrap());
    data.finish().unwrap()
}

/// Fields read by parsing and by loading.
fn work(layers: u32, strings: usize) -> [u64; 2] {
    let file = model(layers, strings);
    let (parsing, gguf) = fields(|| Gguf::parse(&file).unwrap());
    let mut memory = vec![Layer::EMPTY; layers as usize];
    let (loading, _) = fields(|| Model::load(&gguf, &mut memory).unwrap().config().num_layers);
    let (checking, ()) = fields(|| Model::check(&gguf).unwrap());
    assert!(checking <= loading * u64::from(layers).div_ceil(8));
    [parsing, loading]
}

#[test]
fn layers_cost_the_same_each() {
    let per_layer = |layers: u32| work(layers, 0).map(|fields| fields / u64::from(layers));
    let [few, many] = [per_layer(30), per_layer(1480)];
    // Finding repeated names walks once for every 512 of them.
    let walks = 1480 * 10 / 512 + 1;
    assert!(many[0] <= few[0] * walks, "{few:?} {many:?}");
    assert!(many[1] <= few[1] + few[1] / 8, "{few:?} {many:?}");
}

#[test]
fn strings_are_walked_through_once() {
    let [parsing, loading] = [0, 1].map(|i| work(2, 10_000)[i].abs_diff(work(2, 0)[i]));
    // Two arrays of 10,000 strings: a length and the bytes of each.
    assert!(parsing <= 2 * 2 * 10_000 + 100, "{parsing}");
    assert!(loading <= 100, "{loading}");
}

#[test]
fn lookups_step_over_vocabularies() {
    let file = model(1, 10_000);
    let gguf = Gguf::parse(&file).unwrap();
    assert!(fields(|| gguf.get("z.last")).0 < 200);
    assert!(fields(|| gguf.raw_xielu(0)).0 < 30);
}
