//! What Hugging Face checkpoints call each tensor.

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
