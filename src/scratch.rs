//! Carving the caller's working memory into typed pieces.

use crate::Error;
use crate::kernels::{BlockQ8_0, QK};

/// Working memory not yet handed out.
pub(crate) struct Scratch<'s> {
    free: &'s mut [f32],
}

/// f32 elements that `values` values take as Q8_0 blocks.
pub(crate) const fn q8_0_len(values: usize) -> usize {
    (values / QK).saturating_mul(size_of::<BlockQ8_0>()).div_ceil(size_of::<f32>())
}

impl<'s> Scratch<'s> {
    /// All of `memory`, which must hold `needed` elements.
    pub(crate) fn new(memory: &'s mut [f32], needed: usize) -> Result<Self, Error> {
        let found = memory.len();
        match memory.get_mut(..needed) {
            Some(free) => Ok(Scratch { free }),
            None => Err(Error::Memory { what: "scratch", needed, found }),
        }
    }

    /// The next `n` elements, holding whatever was there.
    pub(crate) fn f32(&mut self, n: usize) -> Result<&'s mut [f32], Error> {
        let free = core::mem::take(&mut self.free);
        let found = free.len();
        let (piece, rest) = free.split_at_mut_checked(n).ok_or(Error::Memory {
            what: "scratch",
            needed: n,
            found,
        })?;
        self.free = rest;
        Ok(piece)
    }

    /// Room for `values` values as Q8_0 blocks.
    pub(crate) fn q8_0(&mut self, values: usize) -> Result<&'s mut [BlockQ8_0], Error> {
        let piece = self.f32(q8_0_len(values))?;
        let bytes: &mut [u8] = bytemuck::cast_slice_mut(piece);
        let used = values / QK * size_of::<BlockQ8_0>();
        let blocks = bytes.get_mut(..used).and_then(|b| bytemuck::try_cast_slice_mut(b).ok());
        blocks.ok_or(Error::Memory { what: "scratch", needed: used, found: 0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_disjoint_and_bounded() {
        let mut memory = [0.0; 30];
        assert_eq!(q8_0_len(64), 17);
        assert!(matches!(
            Scratch::new(&mut memory, 31),
            Err(Error::Memory { needed: 31, found: 30, .. })
        ));
        let mut scratch = Scratch::new(&mut memory, 30).unwrap();
        scratch.f32(10).unwrap().fill(1.0);
        assert_eq!(scratch.q8_0(64).unwrap().len(), 2);
        assert_eq!(scratch.f32(3).unwrap().len(), 3);
        assert!(scratch.f32(1).is_err());
        assert_eq!(memory[9..11], [1.0, 0.0]);
    }
}
