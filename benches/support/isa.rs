//! The instruction set that `XIELU_ISA` names.

use xielu::kernels::Kernels;

/// The kernels that `XIELU_ISA` asks for, or the fastest.
pub fn kernels() -> Kernels {
    let isa = std::env::var("XIELU_ISA").ok().map(|name| name.parse().expect("XIELU_ISA"));
    isa.map_or_else(Kernels::detect, |isa| {
        Kernels::for_isa(isa).expect("this machine does not run XIELU_ISA")
    })
}
