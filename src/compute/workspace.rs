//! Carving the caller's working memory into typed pieces.

use crate::Error;
use crate::kernels::InputBlock;

/// Working memory not yet handed out.
pub(crate) struct Scratch<'s> {
    free: &'s mut [f32],
}

/// f32 elements that `rows` rows of `cols` values take as input blocks.
pub(crate) const fn input_len(rows: usize, cols: usize) -> usize {
    let block = size_of::<InputBlock>() / size_of::<f32>();
    rows.saturating_mul(InputBlock::per_row(cols)).saturating_mul(block)
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

    /// All that is left.
    pub(crate) fn rest(self) -> &'s mut [f32] {
        self.free
    }

    /// Room for `rows` rows of `cols` values as input blocks.
    pub(crate) fn input(
        &mut self,
        rows: usize,
        cols: usize,
    ) -> Result<&'s mut [InputBlock], Error> {
        let needed = input_len(rows, cols);
        bytemuck::try_cast_slice_mut(self.f32(needed)?).map_err(|_| Error::Memory {
            what: "scratch",
            needed,
            found: 0,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_disjoint_and_bounded() {
        let mut memory = [0.0; 173];
        assert_eq!(input_len(2, 32), 160);
        assert_eq!(input_len(1, 257), 160);
        assert!(matches!(
            Scratch::new(&mut memory, 174),
            Err(Error::Memory { needed: 174, found: 173, .. })
        ));
        let mut scratch = Scratch::new(&mut memory, 173).unwrap();
        scratch.f32(10).unwrap().fill(1.0);
        assert_eq!(scratch.input(1, 512).unwrap().len(), 2);
        assert_eq!(scratch.f32(3).unwrap().len(), 3);
        assert!(scratch.f32(1).is_err());
        assert_eq!(memory[9..11], [1.0, 0.0]);
    }
}
