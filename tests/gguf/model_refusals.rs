//! Metadata that is no model: which error names what.

use xielu::checkpoint::gguf::{GgmlType, Gguf, Value};
use xielu::checkpoint::{Checkpoint, LayerRole, Role};
use xielu::{ElementType, Error};

use crate::written_model::{Model, V, bad_key, text};

#[test]
fn required_keys_are_named_when_missing() {
    let model = Model::new("apertus");
    for key in [
        "general.architecture",
        "apertus.embedding_length",
        "apertus.feed_forward_length",
        "apertus.block_count",
        "apertus.context_length",
        "apertus.attention.head_count",
        "apertus.attention.layer_norm_rms_epsilon",
    ] {
        let error = model.without(key).config().unwrap_err();
        assert!(matches!(error, Error::MissingKey(_)), "{error:?}");
        assert_eq!(error.to_string(), format!("the checkpoint has no key `{key}`"));
    }
    let error = Model::new("xielu-llama").config().unwrap_err();
    assert_eq!(error.to_string(), "the checkpoint has no key `xielu-llama.hidden_act`");
}

#[test]
fn values_that_cannot_be_used_are_named() {
    let cases = [
        ("block_count", V::One(Value::I32(-2)), "is negative"),
        ("attention.head_count_kv", V::U32s(vec![1, 2]), "layers have one shape"),
        ("attention.head_count_kv", V::U32s(vec![1; 3]), "neither one value nor one per layer"),
        ("feed_forward_length", V::I32s(vec![-12, -12]), "is negative"),
        ("rope.freq_base", V::F32s(vec![1e4, 1e5]), "layers have one shape"),
        ("embedding_length", V::U32s(vec![]), "neither one value nor one per layer"),
        ("attention.layer_norm_rms_epsilon", V::One(Value::F64(1e300)), "is absurdly large"),
        ("rope.scale_linear", V::One(Value::F32(0.0)), "is not positive and finite"),
        ("attention.scale", V::One(Value::F32(0.25)), "is not 1 / sqrt(head_dim)"),
        ("attention.sliding_window", V::One(Value::U32(63)), "which is not computed"),
        ("embedding_length_out", V::One(Value::U32(9)), "is not embedding_length"),
        ("hidden_act", text("silu"), "is not that of this architecture"),
        ("attention.head_count", V::One(Value::U32(3)), "is not a multiple of head_count"),
        ("rope.scaling.type", text("yarn"), "is neither none nor linear"),
        ("rope.scaling.factor", V::One(Value::F32(0.0)), "is not positive and finite"),
        ("attention.key_length", V::One(Value::U32(8)), "is not that of the keys"),
        ("expert_count", V::One(Value::U32(8)), "asks for a mixture of experts"),
    ];
    for (name, value, problem) in cases {
        let mut model = Model::new("apertus");
        model.set("apertus.attention.value_length", V::One(Value::U32(4)));
        model.set(&format!("apertus.{name}"), value);
        let message = bad_key(model.config().unwrap_err());
        assert!(message.starts_with("apertus.") && message.ends_with(problem), "{message}");
    }
    let partial = Model::new("apertus")
        .with("apertus.rope.dimension_count", V::One(Value::U32(2)))
        .with("apertus.attention.key_length", V::One(Value::U32(4)));
    assert!(bad_key(partial.config().unwrap_err()).contains("rope.dimension_count"));
    let split = Model::new("apertus").with("split.count", V::One(Value::U16(2)));
    assert!(bad_key(split.config().unwrap_err()).contains("is one of several files"));
    let style = Model::new("xielu-llama")
        .with("xielu-llama.hidden_act", text("xielu"))
        .with("xielu-llama.rope.style", text("yes"));
    assert!(bad_key(style.config().unwrap_err()).contains("neither neox nor interleaved"));
    let act = Model::new("xielu-llama").with("xielu-llama.hidden_act", text("gelu"));
    assert!(bad_key(act.config().unwrap_err()).contains("hidden_act is none of"));
    let mut biased = Model::new("llama");
    biased.tensors.insert("blk.0.attn_q.bias".into(), (vec![8], 0));
    assert!(biased.config().unwrap_err().to_string().contains("bias"));
    let invalid = Model::new("apertus").with("apertus.context_length", V::One(Value::U8(0)));
    let range = Error::Config("context_length is not between 1 and 2147483647");
    assert_eq!(invalid.config().unwrap_err(), range);
}

/// A type that does not say what is asked is refused, never read as absent.
#[test]
fn types_that_say_something_else_are_named() {
    let one = |value| V::One(value);
    for (name, value, found, wanted) in [
        ("block_count", one(Value::F32(2.0)), "f32", "an unsigned integer"),
        ("context_length", one(Value::Bool(true)), "bool", "an unsigned integer"),
        ("vocab_size", text("6"), "string", "an unsigned integer"),
        ("block_count", V::U32s(vec![2]), "array of u32", "an unsigned integer"),
        ("feed_forward_length", V::F32s(vec![12.0; 2]), "array of f32", "an unsigned integer"),
        ("rope.freq_base", text("1e4"), "string", "a number"),
        ("rope.scaling.type", V::F32s(vec![1e4]), "array of f32", "a string"),
        ("rope.scaling.type", one(Value::U32(1)), "u32", "a string"),
        ("rope.scaling.attn_factor", text("1"), "string", "a number"),
        ("attention.causal", one(Value::F32(1.0)), "f32", "a bool"),
        ("logit_scale", one(Value::Bool(true)), "bool", "a number"),
    ] {
        let error = model_with(name, value).config().unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("key `apertus.{name}` is of type {found}, not {wanted}")
        );
    }
}

fn model_with(name: &str, value: V) -> Model {
    Model::new("apertus").with(&format!("apertus.{name}"), value)
}

/// Keys of llama.cpp that a plain decoder has nothing for: the value that changes nothing, or
/// an error.
#[test]
fn keys_that_change_the_result_are_refused() {
    let f32 = |v| V::One(Value::F32(v));
    let u32 = |v| V::One(Value::U32(v));
    let bool = |v| V::One(Value::Bool(v));
    let plain = Model::new("apertus").config().unwrap();
    for (name, neutral, other) in [
        ("rope.scaling.attn_factor", f32(1.0), f32(1.2)),
        ("rope.scaling.yarn_attn_factor", f32(1.0), f32(0.0)),
        ("rope.scaling.yarn_ext_factor", f32(-1.0), f32(1.0)),
        ("rope.scaling.yarn_log_multiplier", f32(0.0), f32(0.1)),
        ("rope.dimension_sections", V::I32s(vec![0, 0, 0, 0]), V::I32s(vec![16, 24, 24, 0])),
        ("logit_scale", f32(1.0), f32(0.5)),
        ("residual_scale", f32(0.0), f32(0.5)),
        ("embedding_scale", V::One(Value::F64(1.0)), f32(12.0)),
        ("attn_logit_softcapping", f32(0.0), f32(50.0)),
        ("final_logit_softcapping", f32(0.0), f32(30.0)),
        ("attention.clamp_kqv", f32(0.0), f32(8.0)),
        ("attention.max_alibi_bias", f32(0.0), f32(8.0)),
        ("attention.causal", bool(true), bool(false)),
        ("attention.causal", u32(1), u32(0)),
        ("use_parallel_residual", bool(false), bool(true)),
        ("post_norm", bool(false), bool(true)),
        ("swin_norm", bool(false), bool(true)),
        ("pooling_type", V::One(Value::I32(-1)), u32(1)),
        ("expert_count", u32(0), u32(8)),
    ] {
        assert_eq!(model_with(name, neutral).config(), Ok(plain), "{name}");
        let message = bad_key(model_with(name, other).config().unwrap_err());
        assert!(message.starts_with(&format!("apertus.{name} ")), "{message}");
    }
}

#[test]
fn tensors_that_no_part_of_the_model_has_are_named() {
    let mut model = Model::new("apertus");
    let config = model.config().unwrap();
    for role in Role::all(&config) {
        let (rows, cols) = role.shape(&config);
        let (rows, cols) = (rows as u64, cols as u64);
        let dims = if role.is_vector() { vec![cols] } else { vec![cols, rows] };
        model.tensors.insert(role.to_string(), (dims, 0));
    }
    model.tensors.insert("blk.1.attn_rot_embd.weight".into(), (vec![2], 0));
    model.config().unwrap();
    for name in ["blk.2.ffn_up.weight", "blk.0.ffn_gate.weight", "rope_factors_long.weight", "x"] {
        let mut model = model.clone();
        model.tensors.insert(name.into(), (vec![2], 0));
        let message = model.config().unwrap_err().to_string();
        assert!(message.starts_with(&format!("tensor {name} belongs to no part")), "{message}");
    }
}

#[test]
fn foreign_architectures_are_named() {
    for (name, shown) in [
        ("qwen3", "qwen3"),
        ("llama4", "llama4"),
        ("", ""),
        ("a name as long as no architecture's ever was", "a name as long as no architecture"),
        ("ééééééééééééééééé", "ééééééééééééééé"),
    ] {
        let shown = shown.get(..31).unwrap_or(shown);
        let error = Model::new("llama").with("general.architecture", text(name)).config();
        let error = error.unwrap_err();
        assert!(matches!(error, Error::UnsupportedArchitecture(n) if n.as_str() == shown));
        assert!(error.to_string().contains(shown));
    }
    let number = Model::new("llama").with("general.architecture", V::One(Value::U32(3)));
    let message = number.config().unwrap_err().to_string();
    assert_eq!(message, "key `general.architecture` is of type u32, not a string");
}

#[test]
fn tensors_are_refused_when_used_not_when_listed() {
    let mut model = Model::new("apertus");
    let role = Role::Layer(0, LayerRole::FfnUp);
    model.tensors.insert(role.to_string(), (vec![256, 2], 24));
    model.tensors.insert("output_norm.weight".into(), (vec![2, 2, 2], 0));
    model.tensors.insert("blk.1.ffn_up.weight".into(), (vec![8, 3, 1, 1], 1));
    let file = model.file();
    let gguf = Gguf::parse(&file).unwrap();
    gguf.config().unwrap();
    let found = ElementType::Ggml(GgmlType(24));
    let error = gguf.tensor(role).unwrap_err();
    assert_eq!(error, Error::UnsupportedType { role, found });
    let message = "tensor blk.0.ffn_up.weight is of type I8, which is not supported";
    assert_eq!(error.to_string(), message);
    let role = Role::OutputNorm;
    assert_eq!(gguf.tensor(role).unwrap_err(), Error::TensorRank { role, dims: 3 });
    let flat = gguf.tensor(Role::Layer(1, LayerRole::FfnUp)).unwrap().unwrap();
    assert_eq!((flat.rows, flat.cols), (3, 8));
    assert!(gguf.tensor(Role::Layer(1, LayerRole::FfnDown)).unwrap().is_none());
}
