//! Instructions that the 32 threads of a warp execute together.

use super::parse::Instruction;
use super::{Thread, register};

/// Threads of a warp.
pub const WARP: usize = 32;

pub enum Collective {
    /// `bar.warp.sync`: order, no values.
    Sync,
    /// `shfl.sync.bfly.b32`: the value of the lane whose number differs by a mask.
    Butterfly,
    /// `mma.sync` of 16 rows, 8 columns and so many signed bytes.
    Mma(usize),
}

impl Collective {
    pub fn of(opcode: &str) -> Option<Collective> {
        Some(match opcode {
            "bar.warp.sync" => Collective::Sync,
            "shfl.sync.bfly.b32" => Collective::Butterfly,
            "mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32" => Collective::Mma(32),
            "mma.sync.aligned.m16n8k16.row.col.s32.s8.s8.s32" => Collective::Mma(16),
            _ => return None,
        })
    }

    /// Runs on a warp whose threads all stopped here. `values` has each thread's sources.
    pub fn run(&self, warp: &mut [Thread], instruction: &Instruction, values: &[Vec<u64>]) {
        match self {
            Collective::Sync => {}
            Collective::Mma(depth) => mma(*depth, warp, instruction, values),
            Collective::Butterfly => {
                for (lane, thread) in warp.iter_mut().enumerate() {
                    let [_, mask, clamp, members] = values[lane][..] else { panic!("operands") };
                    assert!(clamp == 31 && members as u32 == u32::MAX, "a part of a warp");
                    let from = lane ^ mask as usize;
                    thread.registers[register(&instruction.destinations[0])] = values[from][0];
                    if let Some(found) = instruction.destinations.get(1) {
                        thread.registers[register(found)] = 1;
                    }
                }
            }
        }
    }
}

/// By the fragments of "PTX ISA", "Matrix fragments for mma.m16n8k16" and "m16n8k32" of `.s8`: element
/// `i` of a lane's A is row `lane / 4` (plus 8 in odd registers) and column `4 * (lane % 4) + i % 4`
/// (plus 16 from the third register on), of its B the column `lane / 4` likewise; its sums are of the
/// rows `lane / 4` and that plus 8, and the columns `2 * (lane % 4)` and one more.
fn mma(depth: usize, warp: &mut [Thread], instruction: &Instruction, values: &[Vec<u64>]) {
    let (of_a, of_b) = (depth / 8, depth / 16);
    let byte = |register: u64, i: usize| i32::from((register >> (8 * i)) as i8);
    let a = |row: usize, k: usize| {
        let register = row / 8 + k / 16 * 2;
        byte(values[row % 8 * 4 + k % 16 / 4][register], k % 4)
    };
    let b = |k: usize, col: usize| byte(values[col * 4 + k % 16 / 4][of_a + k / 16], k % 4);
    let results: Vec<[i32; 4]> = (0..WARP)
        .map(|lane| {
            [0, 1, 2, 3].map(|i| {
                let (row, col) = (lane / 4 + i / 2 * 8, lane % 4 * 2 + i % 2);
                let start = values[lane][of_a + of_b + i] as i32;
                (0..depth).fold(start, |sum, k| sum + a(row, k) * b(k, col))
            })
        })
        .collect();
    for (thread, results) in warp.iter_mut().zip(results) {
        for (destination, result) in instruction.destinations.iter().zip(results) {
            thread.registers[register(destination)] = result.cast_unsigned().into();
        }
    }
}
