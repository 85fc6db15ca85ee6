//! What a page says about a model.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use xielu::Session;
use xielu::checkpoint::ModelView;
use xielu::kernels::{Activation, Isa};

/// The part of the axis that is drawn, and how finely.
const X: (f32, f32) = (-4.0, 2.0);
const POINTS: usize = 121;

/// Name, shape, types, memory in bytes, and the activation of every layer at the points `x`, of a
/// file of `file` bytes.
pub fn facts(session: &Session, file: usize) -> Value {
    let ModelView::Gguf(view) = session.view();
    let (gguf, model, context) = (view.first(), session.model(), session.context());
    let mut types = BTreeMap::<String, u64>::new();
    for tensor in gguf.tensors() {
        *types.entry(tensor.ggml_type.to_string()).or_default() += tensor.elements();
    }
    let config = model.config();
    let step = (X.1 - X.0) / (POINTS - 1) as f32;
    let x: Vec<f32> = (0..POINTS).map(|i| X.0 + step * i as f32).collect();
    let activations = model.layers().iter().filter_map(|layer| layer.mlp().activation());
    let layers: Vec<Value> = activations.filter_map(|f| learned(f, &x)).collect();
    // Frequencies are computed, not trained, and alphas are no tensors of a GGUF file.
    let tensors = gguf.tensors().filter(|tensor| tensor.name != "rope_freqs.weight");
    let parameters = tensors.map(|tensor| tensor.elements()).sum::<u64>() + 2 * layers.len() as u64;
    json!({
        "name": gguf.get_str("general.name"),
        "architecture": gguf.get_str("general.architecture"),
        "activation": format!("{:?}", config.hidden_act).to_lowercase(),
        "parameters": parameters,
        "types": types,
        "file": file,
        "memory": session.memory(context).total(),
        "context": context,
        "trainedContext": config.context_length,
        "layerCount": config.num_layers,
        "hidden": config.hidden_size,
        "ffn": config.intermediate_size,
        "heads": config.num_heads,
        "kvHeads": config.num_kv_heads,
        "vocabulary": config.vocab_size,
        "isa": Isa::detect().name(),
        "x": x,
        "layers": layers,
    })
}

/// The alphas of a layer that learned them, and its curve.
fn learned(f: Activation, x: &[f32]) -> Option<Value> {
    let (alpha_p, alpha_n) = match f {
        Activation::Xielu(c) | Activation::Xiprelu(c) => (c.alpha_p, c.alpha_n),
        _ => return None,
    };
    let y: Vec<f32> = x.iter().map(|&x| f.apply(x)).collect();
    Some(json!({ "alphaP": alpha_p, "alphaN": alpha_n, "y": y }))
}
