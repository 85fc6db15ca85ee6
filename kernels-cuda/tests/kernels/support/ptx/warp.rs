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
}

impl Collective {
    pub fn of(opcode: &str) -> Option<Collective> {
        Some(match opcode {
            "bar.warp.sync" => Collective::Sync,
            "shfl.sync.bfly.b32" => Collective::Butterfly,
            _ => return None,
        })
    }

    /// Runs on a warp whose threads all stopped here. `values` has each thread's sources.
    pub fn run(&self, warp: &mut [Thread], instruction: &Instruction, values: &[Vec<u64>]) {
        match self {
            Collective::Sync => {}
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
