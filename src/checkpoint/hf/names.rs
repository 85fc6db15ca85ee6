//! What Hugging Face checkpoints call each tensor.

use std::borrow::Cow;
use std::vec::Vec;

use crate::checkpoint::{LayerRole, Role};

impl LayerRole {
    /// What Hugging Face checkpoints call it, after `model.layers.N.`: Apertus's name first,
    /// then Llama's where it differs.
    pub const fn hf_names(self) -> &'static [&'static str] {
        match self {
            LayerRole::AttnNorm => &["attention_layernorm.weight", "input_layernorm.weight"],
            LayerRole::AttnQ => &["self_attn.q_proj.weight"],
            LayerRole::AttnK => &["self_attn.k_proj.weight"],
            LayerRole::AttnV => &["self_attn.v_proj.weight"],
            LayerRole::AttnOutput => &["self_attn.o_proj.weight"],
            LayerRole::AttnQNorm => &["self_attn.q_norm.weight"],
            LayerRole::AttnKNorm => &["self_attn.k_norm.weight"],
            LayerRole::FfnNorm => {
                &["feedforward_layernorm.weight", "post_attention_layernorm.weight"]
            }
            LayerRole::FfnGate => &["mlp.gate_proj.weight"],
            LayerRole::FfnUp => &["mlp.up_proj.weight"],
            LayerRole::FfnDown => &["mlp.down_proj.weight"],
        }
    }
}

impl Role {
    /// What Hugging Face checkpoints call it, after `model.` (and `layers.N.`); `lm_head.weight`
    /// has no prefix. Empty for `RopeFreqs`, which only GGUF stores.
    pub const fn hf_names(self) -> &'static [&'static str] {
        match self {
            Role::TokenEmbd => &["embed_tokens.weight"],
            Role::OutputNorm => &["norm.weight"],
            Role::Output => &["lm_head.weight"],
            Role::RopeFreqs => &[],
            Role::Layer(_, role) => role.hf_names(),
        }
    }
}

/// Parts of names that wrappers of training frameworks leave (torch.compile, FSDP, activation
/// checkpointing), wherever they are.
const WRAPPERS: [&str; 4] =
    ["_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module", "_fpw_module"];

/// Parts of the names of adapters' tensors.
const ADAPTERS: [&str; 6] =
    ["lora_A", "lora_B", "lora_embedding_A", "lora_embedding_B", "lora_magnitude_vector", "ia3_l"];

/// A tensor's name without what wrappers put into it: `module.` (data parallelism),
/// `base_model.model.` (PEFT) and the [`WRAPPERS`].
pub(super) fn unwrapped(name: &str) -> Cow<'_, str> {
    let is_wrapper = |part: &str| WRAPPERS.contains(&part);
    if !name.split('.').any(is_wrapper) {
        return Cow::Borrowed(without_prefixes(name));
    }
    let parts: Vec<&str> = name.split('.').filter(|part| !is_wrapper(part)).collect();
    Cow::Owned(without_prefixes(&parts.join(".")).into())
}

fn without_prefixes(name: &str) -> &str {
    let mut rest = name;
    while let Some(inner) =
        rest.strip_prefix("module.").or_else(|| rest.strip_prefix("base_model.model."))
    {
        rest = inner;
    }
    rest
}

/// Whether the name is that of an adapter's tensor.
pub(super) fn is_adapter(name: &str) -> bool {
    name.split('.').any(|part| ADAPTERS.contains(&part))
}

/// Where the decoder's tensors may be, and what the output head is called there: alone, within
/// a model of several modalities (new and old names), or as the decoder saved without its head.
pub(super) const PREFIXES: [(&str, &str); 4] = [
    ("model.", "lm_head.weight"),
    ("model.language_model.", "lm_head.weight"),
    ("language_model.model.", "language_model.lm_head.weight"),
    ("", "lm_head.weight"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrappers_leave_no_trace() {
        for (wrapped, name) in [
            ("model.norm.weight", "model.norm.weight"),
            ("module.model.norm.weight", "model.norm.weight"),
            ("module.module.model.norm.weight", "model.norm.weight"),
            ("_orig_mod.model.norm.weight", "model.norm.weight"),
            ("_orig_mod.module.lm_head.weight", "lm_head.weight"),
            ("module._orig_mod.lm_head.weight", "lm_head.weight"),
            ("base_model.model.model.norm.weight", "model.norm.weight"),
            ("model.layers.0._orig_mod.mlp.up_proj.weight", "model.layers.0.mlp.up_proj.weight"),
            (
                "_fsdp_wrapped_module.model.layers.1._fsdp_wrapped_module._checkpoint_wrapped_module.x",
                "model.layers.1.x",
            ),
        ] {
            assert_eq!(unwrapped(wrapped), name);
        }
        assert!(is_adapter("base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight"));
        assert!(!is_adapter("model.layers.0.self_attn.q_proj.weight"));
    }
}
