//! The tile registers: eight of 16 rows of 64 bytes.

use core::arch::asm;
use core::marker::PhantomData;

use super::token::Amx;

/// Rows of a tile.
pub(super) const TILE_ROWS: usize = 16;
/// Bytes of a tile's row.
const TILE_BYTES: usize = 64;
/// 32-bit lanes of a tile's row.
pub(super) const LANES: usize = TILE_BYTES / 4;
/// Columns of a tile of bf16.
pub(super) const COLS: usize = TILE_BYTES / 2;
/// What a product takes of each side: two tiles, so that a tile that is loaded serves twice.
pub(super) const STEP: usize = 2 * TILE_ROWS;

/// A tile in memory.
pub(super) type Tile = [[u32; LANES]; TILE_ROWS];

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

/// Every tile with its full shape.
static FULL: Config = {
    let mut config =
        Config { palette: 1, start_row: 0, reserved: [0; 14], bytes: [0; 16], rows: [0; 16] };
    let mut i = 0;
    while i < 8 {
        (config.rows[i], config.bytes[i]) = (TILE_ROWS as u8, TILE_BYTES as u16);
        i += 1;
    }
    config
};

/// The tile registers of this thread, which have their full shape while this exists.
pub(super) struct Tiles {
    isa: Amx,
    // Other threads have their own registers: a raw pointer keeps this from being `Send` or `Sync`.
    of_this_thread: PhantomData<*const ()>,
}

impl Tiles {
    /// # Safety
    /// No other `Tiles` exists on this thread: it would lose its registers when this one is
    /// dropped.
    #[inline(always)]
    pub unsafe fn configure(isa: Amx) -> Self {
        let config = &raw const FULL;
        // SAFETY: `isa` is the proof that tiles may be used; the operand is a `Config`, 64 bytes in
        // the form that the instruction reads, and no shape exceeds a tile.
        unsafe {
            asm!(
                "ldtilecfg [{config}]",
                config = in(reg) config,
                options(nostack, readonly, preserves_flags),
            );
        }
        Tiles { isa, of_this_thread: PhantomData }
    }

    /// What is not a product of tiles.
    #[inline(always)]
    pub fn isa(&self) -> Amx {
        self.isa
    }
}

impl Drop for Tiles {
    /// Without contents, tiles cost nothing when threads are switched.
    #[inline(always)]
    fn drop(&mut self) {
        // SAFETY: `self.isa` is the proof that tiles may be used; no other `Tiles` needs the
        // registers, as `configure` requires.
        unsafe { asm!("tilerelease", options(nomem, nostack, preserves_flags)) };
    }
}
