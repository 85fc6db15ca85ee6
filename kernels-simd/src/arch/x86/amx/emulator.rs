//! AMX for tests on machines without it: a handler of SIGILL that executes the instructions.
//!
//! Written from the pseudo-code of Intel's Software Developer's Manual, volume 2. What the manual
//! makes an invalid opcode stays one, so a wrong shape ends the test.

use core::cell::RefCell;
use core::ffi::{c_int, c_void};

use libc::{REG_R8, REG_R9, REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15, REG_RAX};
use libc::{REG_RBP, REG_RBX, REG_RCX, REG_RDI, REG_RDX, REG_RIP, REG_RSI, REG_RSP};
use libc::{SA_SIGINFO, SIG_DFL, SIGILL, siginfo_t, ucontext_t};

const MAX_ROWS: usize = 16;
const MAX_BYTES: usize = 64;

/// One register.
#[derive(Clone, Copy)]
pub(super) struct Tile {
    rows: usize,
    bytes: usize,
    data: [[u8; MAX_BYTES]; MAX_ROWS],
}

/// The registers of a thread; `None` until LDTILECFG.
pub(super) type Tiles = Option<[Tile; 8]>;

std::thread_local! {
    static TILES: RefCell<Tiles> = const { RefCell::new(None) };
}

/// Lets this process execute AMX instructions; `true`.
pub(crate) fn install() -> bool {
    // SAFETY: zeros are a valid `sigaction`; `handle` has the signature that SA_SIGINFO requires
    // and does nothing that a handler must not.
    unsafe {
        let mut action: libc::sigaction = core::mem::zeroed();
        action.sa_sigaction = handle as *const () as usize;
        action.sa_flags = SA_SIGINFO;
        assert_eq!(libc::sigaction(SIGILL, &action, core::ptr::null_mut()), 0);
    }
    true
}

extern "C" fn handle(_: c_int, _: *mut siginfo_t, context: *mut c_void) {
    // SAFETY: the system hands over the context of the instruction, which nothing else uses.
    let registers = unsafe { &mut (*context.cast::<ucontext_t>()).uc_mcontext.gregs };
    // SAFETY: `code` is in a mapped page, as the CPU has just read it; instructions that are
    // shorter are followed by others, since a function does not end with one of AMX.
    let code = unsafe { *(registers[REG_RIP as usize] as *const [u8; 10]) };
    let executed = decode(&code, registers).and_then(|(instruction, length)| {
        TILES.with_borrow_mut(|tiles| instruction.execute(tiles))?;
        Some(length)
    });
    match executed {
        Some(length) => registers[REG_RIP as usize] += length as i64,
        // SAFETY: with the default action back, the instruction ends the process.
        None => unsafe {
            libc::signal(SIGILL, SIG_DFL);
        },
    }
}

/// Addresses are of bytes that the instruction may touch.
pub(super) enum Instruction {
    LoadConfig(*const u8),
    Release,
    Zero(usize),
    Load {
        tile: usize,
        first: *const u8,
        stride: isize,
    },
    Store {
        tile: usize,
        first: *mut u8,
        stride: isize,
    },
    /// `sums += a * b`, of bytes that are signed or not.
    Bytes {
        sums: usize,
        a: usize,
        b: usize,
        signed: [bool; 2],
    },
    /// The same of bf16.
    Bf16 {
        sums: usize,
        a: usize,
        b: usize,
    },
}

/// The instruction and its length. Source: volume 2, "Instruction Format" and the opcode tables.
pub(super) fn decode(code: &[u8; 10], registers: &[i64; 23]) -> Option<(Instruction, usize)> {
    use Instruction::*;
    let &[0xc4, vex1, vex2, opcode, modrm, ..] = code else { return None };
    // R, X and B are stored inverted; map 2 is 0F38. W and L are zero.
    let [r, x, b] = [7, 6, 5].map(|bit| usize::from(vex1 >> bit & 1 ^ 1));
    if vex1 & 0x1f != 2 || vex2 & 0x84 != 0 || r != 0 {
        return None;
    }
    let vvvv = usize::from(!vex2 >> 3 & 15);
    let (mode, reg, rm) = (modrm >> 6, usize::from(modrm >> 3 & 7), usize::from(modrm & 7));
    if mode == 3 {
        let [sums, a, b] = [reg, rm, vvvv];
        let instruction = match (vex2 & 3, opcode) {
            (0, 0x49) if modrm == 0xc0 => Release,
            (3, 0x49) if rm == 0 => Zero(reg),
            (2, 0x5c) => Bf16 { sums, a, b },
            // NP: both unsigned, 66: the second is signed, F3: the first is, F2: both are.
            (prefix, 0x5e) => Bytes { sums, a, b, signed: [prefix & 2 != 0, prefix & 1 != 0] },
            _ => return None,
        };
        return Some((instruction, 5));
    }
    // Memory: a register or, with SIB, a base and an index.
    let register = |number: usize| registers[NUMBERS[number] as usize];
    let (base, index, scale, after) = match rm {
        4 => {
            let sib = code[5];
            let index = usize::from(sib >> 3 & 7) + 8 * x;
            let index = if index == 4 { 0 } else { register(index) };
            (usize::from(sib & 7) + 8 * b, index, sib >> 6, 6)
        }
        _ => (rm + 8 * b, 0, 0, 5),
    };
    let (displacement, length) = match mode {
        0 if base & 7 != 5 => (0, after),
        1 => (i64::from(code[after] as i8), after + 1),
        2 => (i64::from(i32::from_le_bytes(*code[after..].first_chunk()?)), after + 4),
        _ => return None,
    };
    let first = (register(base) + displacement) as *mut u8;
    let stride = (index << scale) as isize;
    let instruction = match (vex2 & 3, opcode) {
        (0, 0x49) if reg == 0 => LoadConfig(first.wrapping_offset(stride)),
        (3, 0x4b) if rm == 4 => Load { tile: reg, first, stride },
        (2, 0x4b) if rm == 4 => Store { tile: reg, first, stride },
        _ => return None,
    };
    Some((instruction, length))
}

/// Where the context keeps the registers that instructions number.
const NUMBERS: [c_int; 16] = [
    REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI, REG_R8, REG_R9,
    REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15,
];

impl Instruction {
    /// `None` where the manual raises #UD or #GP.
    pub(super) fn execute(self, tiles: &mut Tiles) -> Option<()> {
        match self {
            // SAFETY: the instruction's operand.
            Instruction::LoadConfig(config) => *tiles = configured(unsafe { &*config.cast() })?,
            Instruction::Release => *tiles = None,
            Instruction::Zero(tile) => tiles.as_mut()?.get_mut(tile)?.clear(),
            Instruction::Load { tile, first, stride } => {
                let tile = tiles.as_mut()?.get_mut(tile)?;
                tile.clear();
                for (r, row) in tile.data.iter_mut().enumerate().take(tile.rows) {
                    let from = first.wrapping_offset(stride * r as isize);
                    // SAFETY: the instruction's operand; a row has 64 bytes.
                    unsafe { core::ptr::copy(from, row.as_mut_ptr(), tile.bytes) };
                }
            }
            Instruction::Store { tile, first, stride } => {
                let tile = tiles.as_ref()?.get(tile)?;
                for (r, row) in tile.data.iter().enumerate().take(tile.rows) {
                    let to = first.wrapping_offset(stride * r as isize);
                    // SAFETY: the instruction's operand; a row has 64 bytes.
                    unsafe { core::ptr::copy(row.as_ptr(), to, tile.bytes) };
                }
            }
            Instruction::Bytes { sums, a, b, signed: [signed_a, signed_b] } => {
                let (sums, a, b) = operands(tiles, sums, a, b)?;
                sums.accumulate(a, b, |sum, a, b| {
                    let products = a.iter().zip(b).map(|(a, b)| {
                        let wide = |byte: &u8, signed| match signed {
                            true => i32::from(*byte as i8),
                            false => i32::from(*byte),
                        };
                        wide(a, signed_a) * wide(b, signed_b)
                    });
                    products.fold(sum as i32, i32::wrapping_add) as u32
                });
            }
            Instruction::Bf16 { sums, a, b } => {
                let (sums, a, b) = operands(tiles, sums, a, b)?;
                sums.accumulate_bf16(a, b);
            }
        }
        Some(())
    }
}

/// LDTILECFG.
fn configured(config: &[u8; 64]) -> Option<Tiles> {
    if config[0] == 0 {
        return Some(None);
    }
    let reserved = config[2..16].iter().chain(&config[32..48]).chain(&config[56..]);
    if config[0] != 1 || config[1] != 0 || reserved.clone().any(|&byte| byte != 0) {
        return None;
    }
    let mut tiles = [Tile { rows: 0, bytes: 0, data: [[0; MAX_BYTES]; MAX_ROWS] }; 8];
    for (i, tile) in tiles.iter_mut().enumerate() {
        tile.rows = config[48 + i].into();
        tile.bytes = u16::from_le_bytes([config[16 + 2 * i], config[17 + 2 * i]]).into();
        if tile.rows > MAX_ROWS || tile.bytes > MAX_BYTES || (tile.rows == 0) != (tile.bytes == 0) {
            return None;
        }
    }
    Some(Some(tiles))
}

/// Three different tiles whose shapes fit a product.
fn operands(tiles: &mut Tiles, sums: usize, a: usize, b: usize) -> Option<(&mut Tile, Tile, Tile)> {
    let tiles = tiles.as_mut()?;
    let (a_tile, b_tile) = (*tiles.get(a)?, *tiles.get(b)?);
    let different = sums != a && sums != b && a != b;
    let sums = tiles.get_mut(sums)?;
    let whole = [sums.bytes, a_tile.bytes, b_tile.bytes].iter().all(|bytes| bytes % 4 == 0);
    let fit = sums.rows == a_tile.rows
        && sums.bytes == b_tile.bytes
        && a_tile.bytes == 4 * b_tile.rows
        && sums.rows > 0
        && b_tile.rows > 0;
    (different && whole && fit).then_some((sums, a_tile, b_tile))
}

/// bf16 to f32, denormals to zero.
fn bf16(bytes: &[u8]) -> f32 {
    flush(f32::from_bits(u32::from(u16::from_le_bytes([bytes[0], bytes[1]])) << 16))
}

/// Denormals to zero.
fn flush(x: f32) -> f32 {
    if x.is_subnormal() { 0.0f32.copysign(x) } else { x }
}

impl Tile {
    fn clear(&mut self) {
        self.data = [[0; MAX_BYTES]; MAX_ROWS];
    }

    /// 32 bits of row `m`.
    fn word(&self, m: usize, n: usize) -> &[u8; 4] {
        &self.data[m].as_chunks().0[n]
    }

    /// TDPBSSD and its like: `add` to each sum the products of four bytes, column after column.
    fn accumulate(&mut self, a: Tile, b: Tile, add: impl Fn(u32, &[u8; 4], &[u8; 4]) -> u32) {
        for m in 0..self.rows {
            for k in 0..a.bytes / 4 {
                for n in 0..self.bytes / 4 {
                    let sum = u32::from_le_bytes(*self.word(m, n));
                    let sum = add(sum, a.word(m, k), b.word(k, n));
                    self.data[m].as_chunks_mut().0[n] = sum.to_le_bytes();
                }
            }
        }
    }

    /// TDPBF16PS: even and odd columns are summed apart, by fused multiply-adds, and added to the
    /// tile at the end.
    fn accumulate_bf16(&mut self, a: Tile, b: Tile) {
        for m in 0..self.rows {
            for n in 0..self.bytes / 4 {
                let mut parts = [0.0f32; 2];
                for k in 0..a.bytes / 4 {
                    for (i, part) in parts.iter_mut().enumerate() {
                        let (a, b) = (&a.word(m, k)[2 * i..], &b.word(k, n)[2 * i..]);
                        *part = flush(bf16(a).mul_add(bf16(b), *part));
                    }
                }
                let sum = flush(f32::from_le_bytes(*self.word(m, n)));
                let sum = flush(sum + flush(parts[0] + parts[1]));
                self.data[m].as_chunks_mut().0[n] = sum.to_le_bytes();
            }
        }
    }
}
