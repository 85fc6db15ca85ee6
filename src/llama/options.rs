//! What a decoder's user chooses.

/// What trades memory for speed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct DecoderOptions {
    /// Tokens of a prompt that go through the layers together; at least 1.
    pub batch: usize,
    /// Hidden values of the MLP held at a time, a multiple of [`Model::tile_multiple`](super::Model::tile_multiple) (32, or 256
    /// where weights are K-quants or packed); `usize::MAX` holds all.
    pub mlp_tile: usize,
}

impl Default for DecoderOptions {
    /// For hosts: batches of 256, from which on larger ones are hardly faster; the MLP whole.
    fn default() -> Self {
        DecoderOptions { batch: 256, mlp_tile: usize::MAX }
    }
}

impl DecoderOptions {
    /// The least memory: one token at a time, the MLP in tiles of 32.
    pub const SMALLEST: DecoderOptions = DecoderOptions { batch: 1, mlp_tile: 32 };
}
