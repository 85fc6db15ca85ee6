//! Weights copied to the order that products like best; see [`Kernels::pack`].

use crate::Error;
use crate::kernels::{Kernels, Matrix};

/// Hands out pieces of the caller's memory to matrices that can be packed.
pub(crate) struct Packer<'k, 'm> {
    kernels: &'k Kernels,
    free: &'m mut [u8],
}

/// Bytes that packing `matrices` takes.
pub(crate) fn packed_bytes<'a>(
    kernels: &Kernels,
    matrices: impl IntoIterator<Item = &'a Matrix<'a>>,
) -> usize {
    let packable = matrices.into_iter().filter(|w| kernels.can_pack(w));
    packable.fold(0, |sum, w| sum.saturating_add(w.bytes()))
}

impl<'k, 'm> Packer<'k, 'm> {
    /// All of `memory`, which must hold `needed` bytes.
    pub(crate) fn new(
        kernels: &'k Kernels,
        memory: &'m mut [u8],
        needed: usize,
    ) -> Result<Self, Error> {
        let found = memory.len();
        match memory.get_mut(..needed) {
            Some(free) => Ok(Packer { kernels, free }),
            None => Err(Error::Memory { what: "packed weights", needed, found }),
        }
    }

    /// `w` packed, or as it is.
    pub(crate) fn pack(&mut self, w: &Matrix<'m>) -> Result<Matrix<'m>, Error> {
        if !self.kernels.can_pack(w) {
            return Ok(*w);
        }
        let free = core::mem::take(&mut self.free);
        let (needed, found) = (w.bytes(), free.len());
        let missing = Error::Memory { what: "packed weights", needed, found };
        let (memory, rest) = free.split_at_mut_checked(needed).ok_or(missing)?;
        self.free = rest;
        Ok(self.kernels.pack(w, memory)?)
    }
}
