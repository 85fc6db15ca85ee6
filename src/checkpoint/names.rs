//! What tensors are for, and what each kind of file calls them.

/// What a tensor is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Token embedding, `[vocab, hidden]`.
    TokenEmbd,
    /// Final norm, `[hidden]`.
    OutputNorm,
    /// Output head, `[vocab, hidden]`; absent when tied to the embedding.
    Output,
    /// Divisors of the RoPE frequencies, `[head_dim / 2]`.
    RopeFreqs,
    /// A tensor of one layer.
    Layer(usize, LayerRole),
}

/// What a tensor of a layer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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
