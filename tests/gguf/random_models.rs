//! The models that speed is measured with.

use xielu::Backend;
use xielu::checkpoint::Checkpoint as _;
use xielu::checkpoint::gguf::{GgmlType, Gguf};
use xielu::convert::Types;
use xielu::llama::{Decoder, DecoderOptions, KvCache, KvType, Layer, Model};

use crate::random_model::{SHAPES, Shape, write};

#[test]
fn they_run_in_every_type() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("random.gguf");
    for name in ["q8_0", "q4_0", "q4_k_m", "q6_k", "bf16"] {
        let types: Types = name.parse().unwrap();
        let config = write(&path, &Shape::named("small").unwrap(), &types).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        let gguf = Gguf::parse(&bytes).unwrap();
        assert_eq!(gguf.config().unwrap(), config);
        let up = gguf.tensor_info("blk.1.ffn_up.weight").unwrap();
        assert_eq!(Some(up.ggml_type), GgmlType::from_dtype(types.up), "{name}");
        let mut layers = vec![Layer::EMPTY; config.num_layers];
        let model = Model::load(&gguf, &mut layers).unwrap();
        let mut cache = vec![0; KvCache::bytes_needed(&config, 8, KvType::F16)];
        let cache = KvCache::new(&config, 8, KvType::F16, &mut cache).unwrap();
        let options = DecoderOptions { batch: 8, mlp_tile: usize::MAX };
        let mut scratch = vec![0.0; Decoder::scratch_len(&config, &options)];
        let backend = Backend::default();
        let mut decoder = Decoder::new(&model, backend, options, cache, &mut scratch).unwrap();
        let mut logits = vec![0.0; config.vocab_size];
        decoder.prompt(&[1, 5, 1023, 7]).unwrap();
        decoder.logits(&mut logits).unwrap();
        let largest = logits.iter().fold(0.0f32, |largest, v| largest.max(v.abs()));
        assert!(logits.iter().all(|v| v.is_finite()) && (0.1..100.0).contains(&largest), "{name}");
    }
}

#[test]
fn a_shape_that_is_not_there_is_refused() {
    let error = Shape::named("9B").unwrap_err().to_string();
    assert!(SHAPES.iter().all(|shape| error.contains(shape.name)), "{error}");
}
