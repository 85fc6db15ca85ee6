//! What tensors are for, and what each kind of file calls them.

/// What a tensor is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Token embedding, `[vocab, hidden]`.
    TokenEmbd,
    /// Final norm, `[hidden]`.
    OutputNorm,
    /// Output head, `[output_vocab, hidden]`; absent when tied to the embedding.
    Output,
    /// Divisors of the RoPE frequencies, `[head_dim / 2]`.
    RopeFreqs,
    /// A tensor of one layer.
    Layer(usize, LayerRole),
}

/// What a tensor of a layer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum LayerRole {
    /// Norm before attention, `[hidden]`.
    AttnNorm,
    /// Query projection, `[heads * head_dim, hidden]`.
    AttnQ,
    /// Key projection, `[kv_heads * head_dim, hidden]`.
    AttnK,
    /// Value projection, `[kv_heads * head_dim, hidden]`.
    AttnV,
    /// Output projection of attention, `[hidden, heads * head_dim]`.
    AttnOutput,
    /// Norm of each query head, `[head_dim]`.
    AttnQNorm,
    /// Norm of each key head, `[head_dim]`.
    AttnKNorm,
    /// Norm before the MLP, `[hidden]`.
    FfnNorm,
    /// `gate_proj`, `[ffn, hidden]`.
    FfnGate,
    /// `up_proj`, `[ffn, hidden]`.
    FfnUp,
    /// `down_proj`, `[hidden, ffn]`.
    FfnDown,
}

impl LayerRole {
    xielu_kernels_simd::every_variant! {
        /// Every role, in no particular order.
        pub const ALL: LayerRole = [
            AttnNorm,
            AttnQ,
            AttnK,
            AttnV,
            AttnOutput,
            AttnQNorm,
            AttnKNorm,
            FfnNorm,
            FfnGate,
            FfnUp,
            FfnDown,
        ];
    }

    /// What follows `blk.N.` in GGUF's name.
    const fn gguf_suffix(self) -> &'static str {
        match self {
            LayerRole::AttnNorm => "attn_norm.weight",
            LayerRole::AttnQ => "attn_q.weight",
            LayerRole::AttnK => "attn_k.weight",
            LayerRole::AttnV => "attn_v.weight",
            LayerRole::AttnOutput => "attn_output.weight",
            LayerRole::AttnQNorm => "attn_q_norm.weight",
            LayerRole::AttnKNorm => "attn_k_norm.weight",
            LayerRole::FfnNorm => "ffn_norm.weight",
            LayerRole::FfnGate => "ffn_gate.weight",
            LayerRole::FfnUp => "ffn_up.weight",
            LayerRole::FfnDown => "ffn_down.weight",
        }
    }
}

/// GGUF names of the tensors that belong to no layer.
const GGUF_GLOBAL: [(Role, &str); 4] = [
    (Role::TokenEmbd, "token_embd.weight"),
    (Role::OutputNorm, "output_norm.weight"),
    (Role::Output, "output.weight"),
    (Role::RopeFreqs, "rope_freqs.weight"),
];

impl Role {
    /// GGUF's name of a tensor that belongs to no layer.
    fn global_name(self) -> &'static str {
        GGUF_GLOBAL.iter().find(|(role, _)| *role == self).map_or("", |&(_, name)| name)
    }

    /// The role of the tensor that GGUF files call `name`; the inverse of `Display`.
    pub fn from_gguf_name(name: &str) -> Option<Role> {
        let Some(rest) = name.strip_prefix("blk.") else {
            return GGUF_GLOBAL.iter().find(|(_, known)| *known == name).map(|&(role, _)| role);
        };
        let (layer, suffix) = split_layer(rest.as_bytes())?;
        let role = LayerRole::ALL.into_iter().find(|r| r.gguf_suffix().as_bytes() == suffix)?;
        Some(Role::Layer(layer, role))
    }
}

/// Splits `N.rest`, where `N` is a decimal without leading zeros, so that no two names share
/// a role.
fn split_layer(name: &[u8]) -> Option<(usize, &[u8])> {
    let dot = name.iter().position(|&b| b == b'.')?;
    let (digits, rest) = name.split_at_checked(dot)?;
    if digits.is_empty() || (digits.len() > 1 && digits.first() == Some(&b'0')) {
        return None;
    }
    let mut layer = 0usize;
    for digit in digits {
        let value = digit.checked_sub(b'0').filter(|&v| v < 10)?;
        layer = layer.checked_mul(10)?.checked_add(usize::from(value))?;
    }
    Some((layer, rest.split_first()?.1))
}

// GGUF's name of the tensor, such as `blk.0.ffn_up.weight`.
crate::kernels::messages!(Role {
    Role::Layer(layer, role) => ("blk.{}.{}", layer, role.gguf_suffix()),
    global => ("{}", global.global_name()),
});

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;

    #[test]
    fn gguf_names_and_roles_are_one_to_one() {
        let layered = |n| LayerRole::ALL.map(|role| Role::Layer(n, role));
        let roles = [0, 7, 10, 4095].into_iter().flat_map(layered);
        for role in GGUF_GLOBAL.iter().map(|&(role, _)| role).chain(roles) {
            assert_eq!(Role::from_gguf_name(&role.to_string()), Some(role));
        }
        assert_eq!(Role::Layer(10, LayerRole::FfnUp).to_string(), "blk.10.ffn_up.weight");
        for foreign in [
            "",
            "blk.",
            "blk..ffn_up.weight",
            "blk.00.ffn_up.weight",
            "blk.1",
            "blk.1.",
            "blk.-1.ffn_up.weight",
            "blk.1.ffn_up.bias",
            "blk.99999999999999999999999.ffn_up.weight",
            "output",
        ] {
            assert_eq!(Role::from_gguf_name(foreign), None, "{foreign}");
        }
    }
}
