//! Launches: the one thing that a device and its stand-in on the host do differently.

use std::ffi::c_void;

use crate::{Error, Kernel};

/// Threads of a block, `THREADS` in `cuda/portable.cuh`.
pub(crate) const THREADS: u32 = 256;
/// Elements a block takes at a time, `STEP` in `cuda/element.cuh`.
pub(crate) const STEP: u64 = 8 * THREADS as u64;
/// Elements whose gradients are summed together, `TILE` in `cuda/backward.cuh`.
pub(crate) const TILE: u64 = 4 * STEP;

/// Runs kernels.
///
/// # Safety
/// `launch` runs the kernel with the given arguments and nothing else.
pub unsafe trait Launch {
    /// How many blocks keep it busy; more of them take turns. Results do not depend on it.
    fn blocks(&self) -> u64;

    /// Its compute capability, as 10 * major + minor: kernels that need more are not launched.
    fn capability(&self) -> u32;

    /// Runs `blocks` blocks of an entry point of `kernel`, or leaves that to its stream.
    ///
    /// # Errors
    /// If it cannot be started.
    ///
    /// # Safety
    /// `args` points to the struct that the kernel takes, and the addresses in that are valid
    /// for what the kernel does until it is done.
    unsafe fn launch(
        &self,
        kernel: Kernel,
        entry: usize,
        blocks: u32,
        args: *const c_void,
    ) -> Result<(), Error>;
}

// SAFETY: passes the call on.
unsafe impl<L: Launch + ?Sized> Launch for Box<L> {
    fn blocks(&self) -> u64 {
        (**self).blocks()
    }

    fn capability(&self) -> u32 {
        (**self).capability()
    }

    unsafe fn launch(
        &self,
        kernel: Kernel,
        entry: usize,
        blocks: u32,
        args: *const c_void,
    ) -> Result<(), Error> {
        // SAFETY: the caller's promise is the same.
        unsafe { (**self).launch(kernel, entry, blocks, args) }
    }
}

/// Blocks for `units` pieces of work.
pub(crate) fn grid(launch: &impl Launch, units: u64) -> u32 {
    // What CUDA allows in a grid's first dimension.
    const MOST: u64 = i32::MAX as u64;
    units.min(launch.blocks()).clamp(1, MOST) as u32
}
