//! Metadata read as a model: every architecture, and what is refused with which error.

use std::collections::BTreeMap;

use xielu::checkpoint::gguf::{GgmlType, Gguf, GgufWriter, Value};
use xielu::checkpoint::{Checkpoint, LayerRole, Role};
use xielu::config::{HiddenAct, RopeScaling, RopeStyle};
use xielu::{ElementType, Error, RawXielu};

/// A value to write: the reader's own, or an array of f32.
#[derive(Clone)]
enum V {
    One(Value<'static>),
    F32s(Vec<f32>),
    U32s(Vec<u32>),
    I32s(Vec<i32>),
}

/// A two-layer model of hidden size 8: its metadata, and its tensors' shapes and types.
#[derive(Clone)]
struct Model {
    pairs: BTreeMap<String, V>,
    tensors: BTreeMap<String, (Vec<u64>, u32)>,
}

impl Model {
    fn new(arch: &'static str) -> Self {
        let mut model = Model { pairs: BTreeMap::new(), tensors: BTreeMap::new() };
        model.set("general.architecture", V::One(Value::Str(arch)));
        for (name, value) in [
            ("vocab_size", 6),
            ("embedding_length", 8),
            ("feed_forward_length", 12),
            ("block_count", 2),
            ("context_length", 64),
            ("attention.head_count", 2),
            ("attention.head_count_kv", 1),
        ] {
            model.set(&format!("{arch}.{name}"), V::One(Value::U32(value)));
        }
        model.set(&format!("{arch}.attention.layer_norm_rms_epsilon"), V::One(Value::F32(1e-5)));
        model.set("xielu.alpha_p", V::F32s(vec![1.0, 2.0]));
        model.set("xielu.alpha_n", V::F32s(vec![3.0, 4.0]));
        model.tensors.insert("token_embd.weight".into(), (vec![8, 6], 0));
        model.tensors.insert("output.weight".into(), (vec![8, 6], 0));
        model
    }

    fn set(&mut self, key: &str, value: V) -> &mut Self {
        self.pairs.insert(key.into(), value);
        self
    }

    fn with(&self, key: &str, value: V) -> Self {
        self.clone().set(key, value).clone()
    }

    fn without(&self, key: &str) -> Self {
        let mut model = self.clone();
        model.pairs.remove(key).unwrap();
        model
    }

    fn file(&self) -> Vec<u8> {
        let mut writer = GgufWriter::new();
        for (key, value) in &self.pairs {
            match value {
                V::One(value) => writer.pair(key, *value).unwrap(),
                V::F32s(values) => writer.f32s(key, values).unwrap(),
                V::U32s(values) => writer.u32s(key, values).unwrap(),
                V::I32s(values) => writer.i32s(key, values).unwrap(),
            }
        }
        for (name, (dims, id)) in &self.tensors {
            writer.tensor(name, dims, GgmlType(*id)).unwrap();
        }
        let mut data = writer.begin(Vec::new()).unwrap();
        for (dims, id) in self.tensors.values() {
            let id = GgmlType(*id);
            let blocks = dims.iter().product::<u64>() / id.block_len().unwrap();
            data.write(&vec![0; (blocks * id.block_bytes().unwrap()) as usize]).unwrap();
        }
        data.finish().unwrap()
    }

    fn config(&self) -> Result<xielu::Config, Error> {
        Gguf::parse(&self.file()).unwrap().config()
    }

    fn raw_xielu(&self, layer: usize) -> Result<RawXielu, Error> {
        Gguf::parse(&self.file()).unwrap().raw_xielu(layer)
    }
}

fn text(value: &'static str) -> V {
    V::One(Value::Str(value))
}

fn bad_key(error: Error) -> String {
    match error {
        Error::BadKey { key, problem } => format!("{key} {problem}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn each_architecture_has_its_shape() {
    let apertus = Model::new("apertus").config().unwrap();
    assert_eq!((apertus.hidden_act, apertus.qk_norm), (HiddenAct::Xielu, true));
    assert_eq!((apertus.rope.style, apertus.rope.theta), (RopeStyle::Neox, 1e4));
    assert_eq!((apertus.num_heads, apertus.num_kv_heads, apertus.head_dim), (2, 1, 4));
    let llama = Model::new("llama").config().unwrap();
    assert_eq!((llama.hidden_act, llama.qk_norm), (HiddenAct::Swiglu, false));
    assert_eq!(llama.rope.style, RopeStyle::Interleaved);
    for (name, act) in [
        ("xielu", HiddenAct::Xielu),
        ("xiprelu", HiddenAct::Xiprelu),
        ("relu2", HiddenAct::Relu2),
        ("silu", HiddenAct::Swiglu),
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
fn alphas_are_one_per_layer_or_one_for_all() {
    let model = Model::new("apertus");
    let raw = |p, n| RawXielu { alpha_p: p, alpha_n: n, beta: 0.5, eps: -1e-6 };
    assert_eq!(model.raw_xielu(0), Ok(raw(1.0, 3.0)));
    assert_eq!(model.raw_xielu(1), Ok(raw(2.0, 4.0)));
    assert_eq!(model.raw_xielu(2), Err(Error::NoSuchLayer(2)));
    for one in [
        V::One(Value::F32(7.0)),
        V::F32s(vec![7.0]),
        V::One(Value::F64(7.0)),
        V::One(Value::U32(7)),
        V::I32s(vec![7, 7]),
    ] {
        let model = model.with("xielu.alpha_p", one);
        assert_eq!(model.raw_xielu(1), Ok(raw(7.0, 4.0)));
        assert_eq!(model.raw_xielu(2), Err(Error::NoSuchLayer(2)));
    }
    let given = model
        .with("xielu.beta", V::F32s(vec![0.25, 0.75]))
        .with("xielu.eps", V::One(Value::F32(-1e-3)));
    assert_eq!(
        given.raw_xielu(1),
        Ok(RawXielu { alpha_p: 2.0, alpha_n: 4.0, beta: 0.75, eps: -1e-3 })
    );
}

#[test]
fn alphas_never_default() {
    let model = Model::new("apertus");
    for key in ["xielu.alpha_p", "xielu.alpha_n"] {
        assert_eq!(model.without(key).raw_xielu(0), Err(Error::MissingKey(key.into())));
    }
    for key in ["xielu.alpha_p", "xielu.alpha_n", "xielu.beta", "xielu.eps"] {
        for (value, problem) in [
            (V::F32s(vec![]), "has neither one value nor one per layer"),
            (V::F32s(vec![1.0; 3]), "has neither one value nor one per layer"),
            (V::F32s(vec![f32::NAN, 1.0]), "has a value that is not finite"),
            (V::One(Value::F32(f32::NEG_INFINITY)), "has a value that is not finite"),
        ] {
            let error = model.with(key, value).raw_xielu(0).unwrap_err();
            assert_eq!(bad_key(error), format!("{key} {problem}"));
        }
        for (value, found) in [(text("0.8"), "string"), (V::One(Value::Bool(true)), "bool")] {
            let error = model.with(key, value).raw_xielu(0).unwrap_err();
            let wanted = "a number or an array of numbers";
            assert_eq!(error.to_string(), format!("key `{key}` is of type {found}, not {wanted}"));
        }
    }
}

#[test]
fn prefixed_alphas_are_read_and_reported() {
    let bare = Model::new("apertus");
    let flagged = |model: &Model| Gguf::parse(&model.file()).unwrap().prefixed_alpha_keys();
    assert!(!flagged(&bare));
    let mut prefixed = bare.without("xielu.alpha_p").without("xielu.alpha_n");
    assert!(!flagged(&prefixed));
    prefixed.set("apertus.xielu.alpha_p", V::F32s(vec![5.0, 6.0]));
    prefixed.set("apertus.xielu.alpha_n", V::F32s(vec![7.0, 8.0]));
    assert!(flagged(&prefixed));
    let raw = prefixed.raw_xielu(1).unwrap();
    assert_eq!((raw.alpha_p, raw.alpha_n), (6.0, 8.0));
    // Bare keys win.
    prefixed.set("xielu.alpha_p", V::F32s(vec![1.0, 2.0]));
    prefixed.set("xielu.alpha_n", V::F32s(vec![3.0, 4.0]));
    assert_eq!(prefixed.raw_xielu(1).unwrap().alpha_p, 2.0);
    assert!(!flagged(&prefixed));
}

#[test]
fn tensors_are_refused_when_used_not_when_listed() {
    let mut model = Model::new("apertus");
    let role = Role::Layer(0, LayerRole::FfnUp);
    model.tensors.insert(role.to_string(), (vec![256, 2], 7));
    model.tensors.insert("output_norm.weight".into(), (vec![2, 2, 2], 0));
    model.tensors.insert("blk.1.ffn_up.weight".into(), (vec![8, 3, 1, 1], 1));
    let file = model.file();
    let gguf = Gguf::parse(&file).unwrap();
    gguf.config().unwrap();
    let found = ElementType::Ggml(GgmlType(7));
    let error = gguf.tensor(role).unwrap_err();
    assert_eq!(error, Error::UnsupportedType { role, found });
    let message = "tensor blk.0.ffn_up.weight is of type Q5_1, which is not supported";
    assert_eq!(error.to_string(), message);
    let role = Role::OutputNorm;
    assert_eq!(gguf.tensor(role).unwrap_err(), Error::TensorRank { role, dims: 3 });
    let flat = gguf.tensor(Role::Layer(1, LayerRole::FfnUp)).unwrap().unwrap();
    assert_eq!((flat.rows, flat.cols), (3, 8));
    assert!(gguf.tensor(Role::Layer(1, LayerRole::FfnDown)).unwrap().is_none());
}
