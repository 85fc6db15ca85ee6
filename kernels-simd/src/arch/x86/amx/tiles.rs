//! The shapes of the tile registers.

use core::arch::asm;
use core::marker::PhantomData;

use super::token::Amx;

/// Rows of a tile.
pub(super) const TILE_ROWS: usize = 16;
/// Bytes of a tile's row.
pub(super) const TILE_BYTES: usize = 64;

/// Rows, and bytes of each.
#[derive(Clone, Copy)]
pub(super) struct Shape {
    pub rows: usize,
    pub bytes: usize,
}

impl Shape {
    /// Everything a tile holds.
    pub const FULL: Shape = Shape { rows: TILE_ROWS, bytes: TILE_BYTES };
}

/// The operand of LDTILECFG.
#[repr(C, align(64))]
struct Config {
    palette: u8,
    start_row: u8,
    reserved: [u8; 14],
    /// Bytes of a row of each tile; there are eight.
    bytes: [u16; 16],
    rows: [u8; 16],
}

const _: () = assert!(size_of::<Config>() == 64);

/// The shapes of all tiles, as a type: what multiplies tiles can require it.
pub(super) trait Shapes {
    /// Tile `i` has the shape `i`, at most [`Shape::FULL`].
    const SHAPES: [Shape; 8];
}

/// The tile registers of this thread, which have the shapes `S` while this exists.
pub(super) struct Tiles<S> {
    isa: Amx,
    // Other threads have their own registers: a raw pointer keeps this from being `Send` or `Sync`.
    shapes: PhantomData<(S, *const ())>,
}

impl<S: Shapes> Tiles<S> {
    /// # Safety
    /// No other `Tiles` exists on this thread: it would lose its shapes.
    #[inline(always)]
    pub unsafe fn configure(isa: Amx) -> Self {
        let mut config =
            Config { palette: 1, start_row: 0, reserved: [0; 14], bytes: [0; 16], rows: [0; 16] };
        let of_tiles = config.rows.iter_mut().zip(&mut config.bytes);
        for ((rows, bytes), shape) in of_tiles.zip(&S::SHAPES) {
            (*rows, *bytes) = (shape.rows as u8, shape.bytes as u16);
        }
        const {
            let mut i = 0;
            while i < S::SHAPES.len() {
                let Shape { rows, bytes } = S::SHAPES[i];
                assert!(rows <= TILE_ROWS && bytes <= TILE_BYTES);
                i += 1;
            }
        }
        let config = &raw const config;
        // SAFETY: `isa` is the proof that tiles may be used; the operand is a `Config`, 64 bytes in
        // the form that the instruction reads, and no shape exceeds a tile (both checked above).
        unsafe {
            asm!(
                "ldtilecfg [{config}]",
                config = in(reg) config,
                options(nostack, readonly, preserves_flags),
            );
        }
        Tiles { isa, shapes: PhantomData }
    }

    /// What is not a product of tiles.
    #[inline(always)]
    pub fn isa(&self) -> Amx {
        self.isa
    }
}

impl<S> Drop for Tiles<S> {
    /// Without contents, tiles cost nothing when threads are switched.
    #[inline(always)]
    fn drop(&mut self) {
        // SAFETY: `self.isa` is the proof that tiles may be used; no other `Tiles` needs the
        // registers, as `configure` requires.
        unsafe { asm!("tilerelease", options(nomem, nostack, preserves_flags)) };
    }
}
