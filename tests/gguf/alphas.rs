//! xIELU's stored scalars in metadata.

use xielu::checkpoint::gguf::{Gguf, Value};
use xielu::{Error, RawXielu};

use crate::written_model::{Model, V, bad_key, text};

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
