//! Memory as a C program has it.
#![allow(dead_code, reason = "each test crate uses its part")]

#[cfg(target_os = "linux")]
pub mod compiled;
#[cfg(feature = "std")]
pub mod narrow;

use std::ffi::c_void;
use std::mem::MaybeUninit;

use xielu::capi::*;

/// A struct of zeros, as `static` or `= {0}` makes one.
pub fn zeroed<T: Copy>() -> T {
    // SAFETY: every struct of the interface is made of numbers.
    unsafe { MaybeUninit::zeroed().assume_init() }
}

/// A pointer one byte on: misaligned for all but bytes.
pub fn off<T>(p: *const T) -> *mut T {
    p.wrapping_byte_add(1).cast_mut()
}

/// Memory for anything, filled with ones: what it holds must not matter.
pub struct Memory {
    words: Vec<u64>,
    pub size: usize,
}

impl Memory {
    pub fn new(size: usize) -> Self {
        Memory { words: vec![u64::MAX; size.div_ceil(8)], size }
    }

    pub fn at(&mut self) -> *mut c_void {
        self.words.as_mut_ptr().cast()
    }
}

/// An open file; boxed, since an object stays where it was made.
pub fn open(bytes: &[u8]) -> Box<xielu_gguf> {
    let mut gguf = Box::new(zeroed());
    // SAFETY: both are live.
    let status = unsafe { xielu_gguf_open(bytes.as_ptr().cast(), bytes.len(), &mut *gguf) };
    assert_eq!(status, Status::Ok);
    gguf
}

pub fn model_bytes() -> Vec<u8> {
    xielu_testing::bundled::bytes()
}

pub fn config_of(gguf: &xielu_gguf) -> xielu_config {
    let mut config = zeroed();
    // SAFETY: both are live.
    assert_eq!(unsafe { xielu_gguf_config(gguf, &mut config) }, Status::Ok);
    config
}

/// Names of the functions that the header declares.
pub fn functions(header: &str) -> Vec<&str> {
    let declarations = header.lines().filter(|line| !line.trim_start().starts_with(['*', '/']));
    let names = declarations.filter_map(|line| {
        let (before, _) = line.split_once('(')?;
        let name = before.rsplit([' ', '*']).next()?;
        name.starts_with("xielu_").then_some(name)
    });
    names.collect()
}
