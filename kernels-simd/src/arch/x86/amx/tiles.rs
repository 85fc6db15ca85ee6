//! The shapes of the tile registers.

use core::arch::asm;

use super::Amx;

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

/// The tile registers while they have shapes. Other threads have their own.
pub(super) struct Tiles {
    // Proof for `drop`.
    _isa: Amx,
}

impl Tiles {
    /// Tile `i` gets the shape `i`, at most [`Shape::FULL`].
    #[inline(always)]
    pub fn configure(isa: Amx, shapes: [Shape; 8]) -> Tiles {
        let mut config =
            Config { palette: 1, start_row: 0, reserved: [0; 14], bytes: [0; 16], rows: [0; 16] };
        let of_tiles = config.rows.iter_mut().zip(&mut config.bytes);
        for ((rows, bytes), shape) in of_tiles.zip(&shapes) {
            (*rows, *bytes) = (shape.rows as u8, shape.bytes as u16);
        }
        let config = &raw const config;
        // SAFETY: an `Amx` exists only where AMX can be used; the operand is 64 bytes of the form
        // above, and no shape exceeds a tile.
        unsafe {
            asm!(
                "ldtilecfg [{config}]",
                config = in(reg) config,
                options(nostack, readonly, preserves_flags),
            );
        }
        Tiles { _isa: isa }
    }
}

impl Drop for Tiles {
    /// Without contents, tiles cost nothing when threads are switched.
    #[inline(always)]
    fn drop(&mut self) {
        // SAFETY: a `Tiles` exists only where AMX can be used.
        unsafe { asm!("tilerelease", options(nomem, nostack, preserves_flags)) };
    }
}
