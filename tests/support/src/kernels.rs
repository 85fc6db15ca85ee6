//! The kernels of every instruction set that this machine runs.

use xielu::kernels::{Isa, Kernels};
use xielu::{Backend, Serial};

use crate::isas;

/// All of them: the scalar ones, and those of every instruction set that the machine reports.
///
/// # Panics
/// If one of these is missing.
pub fn every_kernel() -> Vec<Kernels> {
    let all: Vec<Kernels> = Isa::ALL.into_iter().filter_map(Kernels::for_isa).collect();
    let names: Vec<&str> = all.iter().map(|kernels| kernels.isa().name()).collect();
    isas::assert_complete(&names);
    all
}

/// The fastest whose products take weights and inputs as they are: the tiles of AMX round them.
pub fn unrounded_kernel() -> Kernels {
    let mut exact = Isa::ALL.into_iter().rev().filter(|isa| *isa != Isa::Amx);
    exact.find_map(Kernels::for_isa).unwrap_or(Kernels::scalar())
}

/// [`every_kernel`], each on the calling thread.
pub fn every_backend() -> Vec<Backend<'static>> {
    every_kernel().into_iter().map(|kernels| Backend::new(kernels, &Serial)).collect()
}
