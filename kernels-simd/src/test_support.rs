//! What the tests of this crate share.

use std::vec::Vec;

use xielu_testing_base::isas;

use crate::{Isa, Kernels};

/// The kernels of every instruction set that this machine runs: the scalar ones, and all that it
/// reports.
pub(crate) fn every_kernel() -> Vec<Kernels> {
    let all: Vec<Kernels> = Isa::ALL.into_iter().filter_map(Kernels::for_isa).collect();
    let names: Vec<&str> = all.iter().map(|kernels| kernels.isa().name()).collect();
    isas::assert_complete(&names);
    all
}
