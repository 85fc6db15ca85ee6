//! What tells one model from another without reading all of it.

use core::fmt::{self, Write};

use crc32fast::Hasher;

use crate::checkpoint::Checkpoint;
use crate::{Config, Error};

/// Pieces of each tensor that count, spread evenly over it.
const PIECES: usize = 16;
/// Bytes of such a piece.
const PIECE: usize = 64;

/// A number that is another one, but for chance, if what decides about keys and values differs: the
/// shape, RoPE, the activation and its stored scalars, the tensors' names, types and shapes, and
/// 1 KiB of the bytes of each.
pub(super) fn fingerprint(checkpoint: &dyn Checkpoint<'_>, config: &Config) -> Result<u64, Error> {
    let mut shape = Text(Hasher::new());
    let Config { num_heads, rms_norm_eps, rope, hidden_act, qk_norm, .. } = config;
    // Floats as Rust prints them: the shortest text that is read as the same number.
    let _ = write!(shape, "{num_heads} {rms_norm_eps:e} {rope:?} {hidden_act:?} {qk_norm}");
    if hidden_act.has_alphas() {
        for layer in 0..config.num_layers {
            let _ = write!(shape, " {:?}", checkpoint.raw_xielu(layer)?);
        }
    }
    let mut sum = u64::from(shape.0.finalize());
    checkpoint.visit(&mut |role, tensor| {
        let mut text = Text(Hasher::new());
        let _ = write!(text, "{role} {:?} {} {}", tensor.dtype, tensor.rows, tensor.cols);
        let Text(mut crc) = text;
        let last = tensor.data.len().saturating_sub(PIECE);
        for piece in 0..PIECES {
            let start = (last as u64 * piece as u64 / (PIECES as u64 - 1)) as usize;
            crc.update(
                tensor.data.get(start..).unwrap_or_default().get(..PIECE).unwrap_or_default(),
            );
        }
        if last == 0 {
            crc.update(tensor.data);
        }
        // Tensors come in any order: a sum, of numbers whose bits are mixed.
        sum = sum.wrapping_add(mixed(crc.finalize()));
        Ok(())
    })?;
    Ok(sum)
}

/// Each bit of the result depends on all of `crc` (the finaliser of SplitMix64).
const fn mixed(crc: u32) -> u64 {
    let z = (crc as u64).wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Text that only counts.
struct Text(Hasher);

impl Write for Text {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.update(text.as_bytes());
        Ok(())
    }
}
