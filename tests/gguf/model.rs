//! Metadata read as a model: every architecture, every type that says what it should.

use xielu::Error;
use xielu::activation::ActivationKind;
use xielu::checkpoint::Role;
use xielu::checkpoint::gguf::Value;
use xielu::config::{RopeScaling, RopeStyle};

use crate::written_model::{Model, V, text};

#[test]
fn each_architecture_has_its_shape() {
    let apertus = Model::new("apertus").config().unwrap();
    assert_eq!((apertus.hidden_act, apertus.qk_norm), (ActivationKind::Xielu, true));
    assert_eq!((apertus.rope.style, apertus.rope.theta), (RopeStyle::Neox, 1e4));
    assert_eq!((apertus.num_heads, apertus.num_kv_heads, apertus.head_dim), (2, 1, 4));
    let llama = Model::new("llama").config().unwrap();
    assert_eq!((llama.hidden_act, llama.qk_norm), (ActivationKind::Swiglu, false));
    assert_eq!(llama.rope.style, RopeStyle::Interleaved);
    for (name, act) in [
        ("xielu", ActivationKind::Xielu),
        ("xiprelu", ActivationKind::Xiprelu),
        ("relu2", ActivationKind::Relu2),
        ("silu", ActivationKind::Swiglu),
    ] {
        let mut own = Model::new("xielu-llama");
        own.set("xielu-llama.hidden_act", text(name));
        let config = own.config().unwrap();
        assert_eq!((config.hidden_act, config.qk_norm), (act, false));
        assert_eq!(config.rope.style, RopeStyle::Neox);
        own.set("xielu-llama.rope.style", text("interleaved"));
        own.tensors.insert("blk.0.attn_q_norm.weight".into(), (vec![4], 0));
        let config = own.config().unwrap();
        assert_eq!((config.rope.style, config.qk_norm), (RopeStyle::Interleaved, true));
    }
}

#[test]
fn what_is_absent_follows_from_the_rest() {
    let mut model = Model::new("apertus").without("apertus.vocab_size");
    model = model.without("apertus.attention.head_count_kv");
    let config = model.config().unwrap();
    assert_eq!((config.vocab_size, config.num_kv_heads), (6, 2));
    assert!(!config.tie_word_embeddings);
    model.tensors.remove("output.weight");
    assert!(model.config().unwrap().tie_word_embeddings);
    model.set("apertus.rope.dimension_count", V::One(Value::U32(16)));
    assert_eq!(model.config().unwrap().head_dim, 16);
    model.set("apertus.attention.key_length", V::One(Value::U64(16)));
    assert_eq!(model.config().unwrap().head_dim, 16);
    model.set("apertus.rope.scaling.factor", V::One(Value::F32(4.0)));
    assert_eq!(model.config().unwrap().rope.scaling, RopeScaling::Linear { factor: 4.0 });
    model.set("apertus.rope.scaling.type", text("none"));
    assert_eq!(model.config().unwrap().rope.scaling, RopeScaling::None);
    model.tensors.remove("token_embd.weight");
    assert_eq!(model.config().unwrap_err(), Error::MissingTensor(Role::TokenEmbd));
}

/// Numbers are read by meaning, whatever type they are stored as.
#[test]
fn any_type_that_says_it_will_do() {
    let model = Model::new("apertus");
    let same = [
        ("block_count", V::One(Value::I32(2))),
        ("block_count", V::One(Value::U64(2))),
        ("context_length", V::One(Value::U8(64))),
        ("attention.head_count", V::U32s(vec![2, 2])),
        ("attention.head_count_kv", V::I32s(vec![1, 1])),
        ("feed_forward_length", V::I32s(vec![12, 12])),
        ("feed_forward_length", V::U32s(vec![12])),
        ("attention.key_length", V::U32s(vec![4, 4])),
        ("rope.freq_base", V::F32s(vec![1e4, 1e4])),
        ("expert_count", V::U32s(vec![0, 0])),
        ("attention.layer_norm_rms_epsilon", V::One(Value::F64(1e-5))),
        ("rope.freq_base", V::One(Value::U32(10_000))),
        ("rope.freq_base", V::One(Value::F64(1e4))),
        ("attention.scale", V::One(Value::F64(0.5))),
        ("attention.sliding_window", V::One(Value::U32(64))),
        ("hidden_act", text("xielu")),
    ];
    let config = model.config().unwrap();
    for (name, value) in same {
        assert_eq!(model.with(&format!("apertus.{name}"), value).config(), Ok(config), "{name}");
    }
    for factor in [V::One(Value::F32(4.0)), V::One(Value::F64(4.0)), V::One(Value::U8(4))] {
        let linear = model.with("apertus.rope.scale_linear", factor).config().unwrap();
        assert_eq!(linear.rope.scaling, RopeScaling::Linear { factor: 4.0 });
    }
}
