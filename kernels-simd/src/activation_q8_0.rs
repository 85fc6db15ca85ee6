//! An activation and the quantization of its results to Q8_0, in one pass over memory.

use crate::block::{BlockQ8_0, QK};
use crate::generic::parameters::Activation;
use crate::kernels::{Kernels, LengthError, same_length};

/// Values that are activated before they become blocks: they stay in the nearest cache.
const STEP: usize = 512;

impl Kernels {
    /// `f(src)` as Q8_0 blocks: the bytes of [`Kernels::activate`] followed by
    /// [`Kernels::quantize_q8_0`], without the activated values' way through memory.
    ///
    /// # Errors
    /// If `src` is not 32 values for each block; nothing is written.
    pub fn activate_q8_0(
        &self,
        f: &Activation,
        src: &[f32],
        blocks: &mut [BlockQ8_0],
    ) -> Result<(), LengthError> {
        same_length(blocks.len() * QK, src.len())?;
        let mut buffer = [0.0; STEP];
        for (x, blocks) in src.chunks(STEP).zip(blocks.chunks_mut(STEP / QK)) {
            let Some(y) = buffer.get_mut(..x.len()) else { return Ok(()) };
            self.activate(f, x, y)?;
            self.quantize_q8_0(y, blocks)?;
        }
        Ok(())
    }
}
