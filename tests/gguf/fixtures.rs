//! The files llama.cpp wrote, read back: shapes, values and bytes against what other programs
//! say of the same model.

use xielu::activation::ActivationKind;
use xielu::checkpoint::gguf::{Gguf, ValueType};
use xielu::checkpoint::{Checkpoint, LayerRole, Role};
use xielu::config::{RopeScaling, RopeStyle};
use xielu::kernels::{Blocks, DType};

const Q8_0: &[u8] = include_bytes!("../data/tiny-Q8_0.gguf");
const BF16: &[u8] = include_bytes!("../data/tiny-bf16.gguf");
const Q4_0: &[u8] = include_bytes!("../data/tiny-Q4_0.gguf");

#[test]
fn the_configuration_is_that_of_config_json() {
    for file in [Q8_0, BF16, Q4_0] {
        let gguf = Gguf::parse(file).unwrap();
        assert_eq!((gguf.version(), gguf.alignment()), (3, 32));
        let config = gguf.config().unwrap();
        assert_eq!(config.vocab_size, 1024);
        assert_eq!(config.hidden_size, 128);
        assert_eq!(config.intermediate_size, 672);
        assert_eq!(config.num_layers, 4);
        assert_eq!((config.num_heads, config.num_kv_heads, config.head_dim), (4, 2, 32));
        assert_eq!(config.context_length, 256);
        assert_eq!(config.rms_norm_eps, 1e-5);
        assert_eq!(config.rope.theta, 5e5);
        assert_eq!(config.rope.style, RopeStyle::Neox);
        assert_eq!(config.rope.scaling, RopeScaling::None);
        assert_eq!(config.hidden_act, ActivationKind::Xielu);
        assert!(config.qk_norm && !config.tie_word_embeddings);
        assert!(!gguf.prefixed_alpha_keys());
    }
}

#[test]
fn the_activation_scalars_are_the_stored_ones() {
    let alpha_n = [-0.2373046875, -0.7421875, -0.7734375, -0.62109375];
    let alpha_p = [0.10107421875, 0.2734375, 0.6484375, 0.97265625];
    let gguf = Gguf::parse(Q8_0).unwrap();
    for (layer, (p, n)) in alpha_p.into_iter().zip(alpha_n).enumerate() {
        let raw = gguf.raw_xielu(layer).unwrap();
        assert_eq!((f64::from(raw.alpha_p), f64::from(raw.alpha_n)), (p, n));
        assert_eq!(raw.beta, 0.5);
        assert_eq!(raw.eps.to_bits(), 0xb586_0000, "-1e-6 rounded to bf16");
    }
    assert_eq!(gguf.raw_xielu(4).unwrap_err(), xielu::Error::NoSuchLayer(4));
}

#[test]
fn metadata_reads_by_type() {
    let gguf = Gguf::parse(BF16).unwrap();
    assert_eq!(gguf.metadata().len(), 28);
    assert_eq!(gguf.metadata().count(), 28);
    assert_eq!(gguf.get_str("tokenizer.ggml.model"), Some("gpt2"));
    assert_eq!(gguf.get_u32("tokenizer.ggml.eos_token_id"), Some(2));
    assert_eq!(gguf.get_f32("apertus.rope.freq_base"), Some(5e5));
    let tokens = gguf.get_array("tokenizer.ggml.tokens").unwrap();
    assert_eq!((tokens.len(), tokens.element_type()), (1024, ValueType::Str));
    assert_eq!(tokens.strs().unwrap().nth(2), Some("</s>"));
    assert_eq!(tokens.strs().unwrap().count(), 1024);
    assert!(tokens.f32s().is_none() && tokens.u32s().is_none() && tokens.i32s().is_none());
    let types = gguf.get_array("tokenizer.ggml.token_type").unwrap();
    assert_eq!(types.i32s().unwrap().take(4).collect::<Vec<_>>(), [3, 3, 3, 1]);
    let merges = gguf.get_array("tokenizer.ggml.merges").unwrap();
    assert_eq!(merges.strs().unwrap().next(), Some("Ġ Ġ"));
    assert_eq!(merges.iter().count(), merges.len());
    // The wrong type and the wrong key are both nothing.
    assert_eq!(gguf.get_u32("tokenizer.ggml.model"), None);
    assert_eq!(gguf.get_str("tokenizer.ggml"), None);
}

#[test]
fn weights_are_typed_and_shaped() {
    for (file, dtype, head) in [
        (Q8_0, DType::Q8_0, DType::Q8_0),
        (BF16, DType::BF16, DType::BF16),
        (Q4_0, DType::Q4_0, DType::Q8_0),
    ] {
        let gguf = Gguf::parse(file).unwrap();
        let tensor = |role| gguf.tensor(role).unwrap();
        let shape = |role| tensor(role).map(|t| (t.dtype, t.rows, t.cols));
        assert_eq!(shape(Role::TokenEmbd), Some((dtype, 1024, 128)));
        assert_eq!(shape(Role::Output), Some((head, 1024, 128)));
        assert_eq!(shape(Role::OutputNorm), Some((DType::F32, 1, 128)));
        assert_eq!(shape(Role::RopeFreqs), Some((DType::F32, 1, 16)));
        assert_eq!(shape(Role::Layer(3, LayerRole::FfnUp)), Some((dtype, 672, 128)));
        assert_eq!(shape(Role::Layer(3, LayerRole::FfnDown)), Some((dtype, 128, 672)));
        assert_eq!(shape(Role::Layer(0, LayerRole::AttnQNorm)), Some((DType::F32, 1, 32)));
        assert_eq!(shape(Role::Layer(0, LayerRole::FfnGate)), None);
        assert_eq!(shape(Role::Layer(4, LayerRole::FfnUp)), None);
        for t in gguf.tensors() {
            let tensor = tensor(Role::from_gguf_name(t.name).unwrap()).unwrap();
            let row_bytes = tensor.dtype.row_bytes(tensor.cols).unwrap();
            assert_eq!(tensor.data.len(), tensor.rows * row_bytes);
        }
    }
}

/// The converter stored the bf16 values of the safetensors file: the bytes must be the same.
#[test]
fn bf16_weights_are_those_of_the_safetensors_file() {
    let file = include_bytes!("../data/tiny/model.safetensors");
    let header = u64::from_le_bytes(*file.first_chunk().unwrap()) as usize;
    let (header, data) = file[8..].split_at(header);
    let header = std::str::from_utf8(header).unwrap();
    let entry = header.split("\"model.layers.2.mlp.down_proj.weight\":").nth(1).unwrap();
    let range = entry.split("\"data_offsets\":[").nth(1).unwrap().split(']').next().unwrap();
    let (start, end) = range.split_once(',').unwrap();
    let truth = &data[start.parse().unwrap()..end.parse().unwrap()];
    let gguf = Gguf::parse(BF16).unwrap();
    let ours = gguf.tensor(Role::Layer(2, LayerRole::FfnDown)).unwrap().unwrap();
    assert_eq!(ours.data, truth);
}

#[test]
fn every_alignment_of_the_buffer_reads_the_same() {
    let aligned = Gguf::parse(Q4_0).unwrap();
    let mut buffer = vec![0xa5; Q4_0.len() + 64];
    let base = buffer.as_ptr().align_offset(32);
    for shift in base..base + 32 {
        buffer[shift..][..Q4_0.len()].copy_from_slice(Q4_0);
        let gguf = Gguf::parse(&buffer[shift..][..Q4_0.len()]).unwrap();
        assert!(gguf.metadata().eq(aligned.metadata()));
        assert!(gguf.tensors().eq(aligned.tensors()));
        assert_eq!(gguf.config(), aligned.config());
        for layer in 0..4 {
            assert_eq!(gguf.raw_xielu(layer), aligned.raw_xielu(layer));
            let read = |g: &Gguf<'_>| {
                let t = g.tensor(Role::Layer(layer, LayerRole::FfnUp)).unwrap().unwrap();
                let mut values = vec![0.0; t.rows * t.cols];
                assert!(Blocks::new(t.dtype, t.data).unwrap().dequantize(&mut values));
                values
            };
            assert_eq!(read(&gguf), read(&aligned));
        }
    }
}
