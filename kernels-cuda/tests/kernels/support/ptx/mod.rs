//! Runs the committed PTX on the CPU, one instruction of one thread at a time: what drivers get is
//! tested, not only the sources it was made of.
//!
//! It looks for what compute-sanitizer would: accesses outside of the buffers or misaligned,
//! shared memory that is read before it is written, threads that race for memory, barriers that
//! not all threads reach, instructions of a warp that not all of its threads reach.

mod memory;
mod operations;
mod parse;
mod warp;

use std::collections::HashMap;
use std::ffi::c_void;
use std::sync::OnceLock;

pub use memory::Buffers;
use memory::{Access, Global, Shared};
use operations::{Operation, sign_extend};
use parse::{Instruction, Operand, Program, Space};
use warp::WARP;
use xielu_kernels_cuda::{Error, Kernel, Launch};

const THREADS: usize = 256;

/// Launches on this thread, on the registered buffers.
pub struct Interpreter<'a> {
    pub buffers: &'a Buffers,
    pub blocks: u64,
}

/// Every entry point by name.
fn programs() -> &'static HashMap<String, Program> {
    static PROGRAMS: OnceLock<HashMap<String, Program>> = OnceLock::new();
    PROGRAMS.get_or_init(|| Kernel::ALL.iter().flat_map(|k| parse::parse(k.ptx())).collect())
}

// SAFETY: runs the one kernel.
unsafe impl Launch for Interpreter<'_> {
    fn blocks(&self) -> u64 {
        self.blocks
    }

    /// It runs every kernel.
    fn capability(&self) -> u32 {
        u32::MAX
    }

    unsafe fn launch(
        &self,
        kernel: Kernel,
        entry: usize,
        blocks: u32,
        args: *const c_void,
    ) -> Result<(), Error> {
        let program = &programs()[kernel.entries()[entry]];
        // SAFETY: the caller's struct is the kernel's, which is this long.
        let args = unsafe { std::slice::from_raw_parts(args.cast::<u8>(), program.param_bytes) };
        let mut global = Global::new(self.buffers);
        for block in 0..blocks {
            Block { program, args, block, blocks, global: &mut global }.run();
        }
        Ok(())
    }
}

/// Where a thread stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stop {
    Barrier(usize),
    /// What a warp does together.
    Collective(usize),
    End,
}

struct Thread {
    registers: Vec<u64>,
    next: usize,
}

struct Block<'a, 'b> {
    program: &'a Program,
    args: &'a [u8],
    block: u32,
    blocks: u32,
    global: &'a mut Global<'b>,
}

impl Block<'_, '_> {
    fn run(&mut self) {
        let mut shared = Shared::new(self.program.shared_bytes);
        let thread = || Thread { registers: vec![0; self.program.registers], next: 0 };
        let mut threads: Vec<Thread> = (0..THREADS).map(|_| thread()).collect();
        loop {
            let mut stops = Vec::with_capacity(THREADS / WARP);
            for (warp, threads) in threads.chunks_mut(WARP).enumerate() {
                stops.push(self.run_warp(warp, threads, &mut shared));
            }
            assert!(stops.iter().all(|&s| s == stops[0]), "a barrier that not all threads reach");
            if stops[0] == Stop::End {
                return;
            }
            shared.barrier();
        }
    }

    /// Up to the next barrier of the block or the end.
    fn run_warp(&mut self, warp: usize, threads: &mut [Thread], shared: &mut Shared) -> Stop {
        loop {
            let mut stops = Vec::with_capacity(WARP);
            for (lane, thread) in threads.iter_mut().enumerate() {
                stops.push(self.run_thread(warp * WARP + lane, thread, shared));
            }
            let stop = stops[0];
            assert!(stops.iter().all(|&s| s == stop), "a place that not all of a warp reach");
            let Stop::Collective(at) = stop else { return stop };
            let instruction = &self.program.instructions[at];
            let Operation::Collective(collective) = &instruction.operation else {
                unreachable!("it stopped there")
            };
            let values: Vec<Vec<u64>> = threads
                .iter()
                .enumerate()
                .map(|(lane, thread)| {
                    let value = |s| self.value(s, warp * WARP + lane, thread);
                    instruction.sources.iter().map(value).collect()
                })
                .collect();
            collective.run(threads, instruction, &values);
        }
    }

    /// Up to the next barrier, the next collective or the end.
    fn run_thread(&mut self, index: usize, thread: &mut Thread, shared: &mut Shared) -> Stop {
        let executed = &self.global.buffers.executed;
        loop {
            let at = thread.next;
            let instruction = &self.program.instructions[at];
            thread.next += 1;
            executed.set(executed.get() + 1);
            if let Some((register, expected)) = instruction.guard
                && (thread.registers[register] & 1 != 0) != expected
            {
                continue;
            }
            match &instruction.operation {
                Operation::Branch(target) => thread.next = *target,
                Operation::Barrier => return Stop::Barrier(at),
                Operation::Collective(_) => return Stop::Collective(at),
                Operation::Return => return Stop::End,
                Operation::Load(access) => self.load(index, thread, shared, instruction, access),
                Operation::Store(access) => self.store(index, thread, shared, instruction, access),
                Operation::Compute(f) => {
                    let value = |i: usize| match instruction.sources.get(i) {
                        Some(operand) => self.value(operand, index, thread),
                        None => 0,
                    };
                    let result = f([value(0), value(1), value(2), value(3)]);
                    thread.registers[register(&instruction.destinations[0])] = result;
                }
                Operation::Unpack => {
                    let value = self.value(&instruction.sources[0], index, thread);
                    let [low, high] = &instruction.destinations[..] else { panic!("two halves") };
                    thread.registers[register(low)] = value & 0xffff_ffff;
                    thread.registers[register(high)] = value >> 32;
                }
                Operation::Insert => {
                    let [from, to, start, len] =
                        [0, 1, 2, 3].map(|i| self.value(&instruction.sources[i], index, thread));
                    let mask = ((1 << len.min(32)) - 1) << start.min(32) & 0xffff_ffff;
                    let result = to & 0xffff_ffff & !mask | from << start.min(32) & mask;
                    thread.registers[register(&instruction.destinations[0])] = result;
                }
                Operation::Pack => {
                    let [low, high] = [0, 1]
                        .map(|i| self.value(&instruction.sources[i], index, thread) & 0xffff_ffff);
                    thread.registers[register(&instruction.destinations[0])] = high << 32 | low;
                }
            }
        }
    }

    fn value(&self, operand: &Operand, index: usize, thread: &Thread) -> u64 {
        match *operand {
            Operand::Register(register) => thread.registers[register],
            Operand::Immediate(bits) => bits,
            Operand::Thread => index as u64,
            Operand::Block => self.block.into(),
            Operand::Blocks => self.blocks.into(),
            Operand::Address { .. } => panic!("an address is not a value"),
        }
    }

    fn address(operand: &Operand, thread: &Thread) -> u64 {
        let Operand::Address { base, offset } = *operand else { panic!("not an address") };
        base.map_or(0, |register| thread.registers[register]).wrapping_add(offset as u64)
    }

    fn load(
        &mut self,
        index: usize,
        thread: &mut Thread,
        shared: &mut Shared,
        instruction: &Instruction,
        access: &Access,
    ) {
        let start = Self::address(&instruction.sources[0], thread);
        access.check_alignment(start, instruction.destinations.len());
        for (i, destination) in instruction.destinations.iter().enumerate() {
            let at = start + (i * access.bytes) as u64;
            let who = (self.block, index);
            let value = match access.space {
                Space::Param => little_endian(&self.args[at as usize..][..access.bytes]),
                Space::Global => self.global.load(at, access.bytes, who),
                Space::Shared => shared.load(at, access.bytes, index),
            };
            let value = match access.signed {
                true => sign_extend(value, 8 * access.bytes as u32).cast_unsigned(),
                false => value,
            };
            thread.registers[register(destination)] = value;
        }
    }

    fn store(
        &mut self,
        index: usize,
        thread: &Thread,
        shared: &mut Shared,
        instruction: &Instruction,
        access: &Access,
    ) {
        let start = Self::address(&instruction.destinations[0], thread);
        access.check_alignment(start, instruction.sources.len());
        for (i, source) in instruction.sources.iter().enumerate() {
            let at = start + (i * access.bytes) as u64;
            let value = self.value(source, index, thread);
            match access.space {
                Space::Param => panic!("parameters are not written"),
                Space::Global => self.global.store(at, access.bytes, value, (self.block, index)),
                Space::Shared => shared.store(at, access.bytes, value, index),
            }
        }
    }
}

fn register(operand: &Operand) -> usize {
    let Operand::Register(register) = *operand else { panic!("not a register") };
    register
}

fn little_endian(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |value, &byte| value << 8 | u64::from(byte))
}
