//! Where the weights of one layer lie.

use super::mlp::Mlp;
use super::view::View;
use crate::checkpoint::LayerRole;

/// Where the weights of one layer lie in a source, and its activation.
#[derive(Clone, Copy, Debug)]
pub struct StreamedLayer {
    pub(super) attn_norm: View,
    pub(super) q: View,
    pub(super) k: View,
    pub(super) v: View,
    pub(super) o: View,
    /// Empty without QK-norm.
    pub(super) q_norm: View,
    pub(super) k_norm: View,
    pub(super) ffn_norm: View,
    pub(super) mlp: Mlp,
}

impl StreamedLayer {
    /// Nothing, to fill an array with.
    pub const EMPTY: StreamedLayer = StreamedLayer {
        attn_norm: View::EMPTY,
        q: View::EMPTY,
        k: View::EMPTY,
        v: View::EMPTY,
        o: View::EMPTY,
        q_norm: View::EMPTY,
        k_norm: View::EMPTY,
        ffn_norm: View::EMPTY,
        mlp: Mlp::EMPTY,
    };

    /// The place of a tensor.
    pub(super) const fn place(&mut self, role: LayerRole) -> &mut View {
        match role {
            LayerRole::AttnNorm => &mut self.attn_norm,
            LayerRole::AttnQ => &mut self.q,
            LayerRole::AttnK => &mut self.k,
            LayerRole::AttnV => &mut self.v,
            LayerRole::AttnOutput => &mut self.o,
            LayerRole::AttnQNorm => &mut self.q_norm,
            LayerRole::AttnKNorm => &mut self.k_norm,
            LayerRole::FfnNorm => &mut self.ffn_norm,
            LayerRole::FfnGate => &mut self.mlp.gate,
            LayerRole::FfnUp => &mut self.mlp.up,
            LayerRole::FfnDown => &mut self.mlp.down,
        }
    }
}
