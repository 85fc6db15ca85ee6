//! Memory that knows who may touch it.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::ops::Range;

use super::little_endian;
use super::parse::Space;

/// What a load or store moves, for each of its registers.
#[derive(Clone, Copy, Debug)]
pub struct Access {
    pub space: Space,
    pub bytes: usize,
    /// Whether a load of fewer bytes than a register extends the sign.
    pub signed: bool,
}

impl Access {
    /// A vector is accessed on a boundary of all of it.
    pub fn check_alignment(&self, address: u64, registers: usize) {
        assert!(address.is_multiple_of((self.bytes * registers) as u64), "misaligned access");
    }
}

/// The buffers that kernels may use.
#[derive(Debug, Default)]
pub struct Buffers {
    all: RefCell<Vec<Range<u64>>>,
    /// Instructions that were executed on them, of all threads.
    pub executed: Cell<u64>,
}

impl Buffers {
    pub fn add(&self, range: Range<u64>) {
        self.all.borrow_mut().push(range);
    }

    pub fn remove(&self, range: &Range<u64>) {
        let mut all = self.all.borrow_mut();
        let at = all.iter().position(|r| r == range).expect("a buffer that was added");
        all.swap_remove(at);
    }
}

/// A thread of a launch: its block and its place in it.
type Who = (u32, usize);

/// Global memory during one launch: the host's, where buffers are.
pub struct Global<'a> {
    pub buffers: &'a Buffers,
    written: HashMap<u64, Who>,
}

impl<'a> Global<'a> {
    pub fn new(buffers: &'a Buffers) -> Self {
        Global { buffers, written: HashMap::new() }
    }

    fn check(&self, address: u64, bytes: usize) {
        let end = address + bytes as u64;
        let inside = |r: &Range<u64>| r.start <= address && end <= r.end;
        assert!(self.buffers.all.borrow().iter().any(inside), "access outside of every buffer");
    }

    pub fn load(&self, address: u64, bytes: usize, who: Who) -> u64 {
        self.check(address, bytes);
        let writer = self.written.get(&address);
        assert!(writer.is_none_or(|&w| w == who), "read of what another thread wrote");
        // SAFETY: these bytes are of a buffer, which lives as long as it is registered.
        let bytes = unsafe { std::slice::from_raw_parts(address as *const u8, bytes) };
        little_endian(bytes)
    }

    pub fn store(&mut self, address: u64, bytes: usize, value: u64, who: Who) {
        self.check(address, bytes);
        let writer = *self.written.entry(address).or_insert(who);
        assert!(writer == who, "two threads write to one address");
        // SAFETY: as in `load`; nothing else uses the buffers during the launch.
        let to = unsafe { std::slice::from_raw_parts_mut(address as *mut u8, bytes) };
        to.copy_from_slice(&value.to_le_bytes()[..bytes]);
    }
}

/// Who touched a byte of shared memory since the last barrier.
#[derive(Clone, Copy, Default)]
struct Touched {
    initialised: bool,
    writer: Option<usize>,
    reader: Option<usize>,
    more_readers: bool,
}

/// A block's shared memory.
pub struct Shared {
    bytes: Vec<u8>,
    touched: Vec<Touched>,
}

impl Shared {
    pub fn new(bytes: usize) -> Self {
        Shared { bytes: vec![0; bytes], touched: vec![Touched::default(); bytes] }
    }

    pub fn barrier(&mut self) {
        for t in &mut self.touched {
            *t = Touched { initialised: t.initialised, ..Touched::default() };
        }
    }

    pub fn load(&mut self, address: u64, bytes: usize, thread: usize) -> u64 {
        let range = address as usize..address as usize + bytes;
        for t in &mut self.touched[range.clone()] {
            assert!(t.initialised, "read of shared memory that nobody wrote");
            assert!(t.writer.is_none_or(|w| w == thread), "race in shared memory");
            t.more_readers |= t.reader.is_some_and(|r| r != thread);
            t.reader = Some(thread);
        }
        little_endian(&self.bytes[range])
    }

    pub fn store(&mut self, address: u64, bytes: usize, value: u64, thread: usize) {
        let range = address as usize..address as usize + bytes;
        for t in &mut self.touched[range.clone()] {
            let others = [t.writer, t.reader].into_iter().flatten().any(|o| o != thread);
            assert!(!others && !t.more_readers, "race in shared memory");
            (t.initialised, t.writer) = (true, Some(thread));
        }
        self.bytes[range].copy_from_slice(&value.to_le_bytes()[..bytes]);
    }
}
